"""Element-wise operators on activations of Swin-B at 384 x 384 and U²-Net, on every tier."""

from __future__ import annotations

import numpy as np
import pytest

from bench.arrays import channels_last, normal
from bench.traffic import benchmark_traffic
from pyhades import _native

NUMBERS = {name: row.number for name, row in _native.element_functions().items() if row.in_programs}

# name: (functions applied one after another, inputs, shape); the first takes all inputs.
PROGRAMS = {
    "swin_mlp_gelu": (["gelu_erf"], 1, (2304, 1024)),
    "swin_residual_add": (["add"], 2, (9216, 128)),
    "u2net_relu": (["relu"], 1, (64, 160, 160)),
    "u2net_sigmoid": (["sigmoid"], 1, (1, 320, 320)),
    "add_square_tanh": (["add", "square", "tanh"], 2, (2304, 256)),
}


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("name", PROGRAMS)
def bench_map(benchmark, name, isa):
    functions, count, shape = PROGRAMS[name]
    inputs, y = [normal(*shape) for _ in range(count)], np.empty(shape, np.float32)
    code = [NUMBERS[functions[0]], count, 0, count - 1, 0]
    for function in functions[1:]:
        code += [NUMBERS[function], count, count, 0, 0]
    benchmark_traffic(
        benchmark,
        lambda tier: _native.call("map", inputs, [y], {"code": code}, threads=1, isa=tier),
        isa,
        y.nbytes * (count + 1),
    )


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("is_last", [False, True])
def bench_scale_shift(benchmark, is_last, isa):
    """BatchNormalization that no convolution takes, with its ReLU."""
    x = normal(1, 64, 160 * 160)
    x = channels_last(x) if is_last else x
    operands, y = [x, normal(64), normal(64)], np.empty_like(x)
    benchmark_traffic(
        benchmark,
        lambda tier: _native.call(
            "scale_shift", operands, [y], {"activation": "relu"}, threads=1, isa=tier
        ),
        isa,
        2 * x.nbytes,
    )


PIXELS = np.random.default_rng(0).integers(0, 256, (3, 320, 320), np.uint8)
MASK = PIXELS > 127
TYPED = {
    "cast_u8_f32": ("cast", [PIXELS], np.float32, {}),
    "binary_less_u8": ("binary", [PIXELS, PIXELS[::-1]], np.bool_, {"function": "less"}),
    "select_f32": ("select", [MASK, *[PIXELS.astype(np.float32)] * 2], np.float32, {}),
    "unary_not": ("unary", [MASK], np.bool_, {"function": "not"}),
}


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("name", TYPED)
def bench_typed(benchmark, name):
    """Loops over other dtypes exist for the baseline only."""
    op, operands, dtype, attributes = TYPED[name]
    y = np.empty(operands[0].shape, dtype)
    benchmark_traffic(
        benchmark,
        lambda tier: _native.call(op, operands, [y], attributes, threads=1, isa=tier),
        "scalar",
        y.nbytes + sum(x.nbytes for x in operands),
    )
