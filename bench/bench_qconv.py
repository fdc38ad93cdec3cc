"""Convolutions of bytes with their weights packed, beside what each tier can multiply at most."""

from __future__ import annotations

import numpy as np
import pytest

from bench.compute import benchmark_compute
from bench.roof import integer_peak
from pyhades import _native
from pyhades.kernels.conv import output_size

# name: (channels, outputs, size, kernel, stride, pad, dilation, groups)
CASES = {
    "first_3x3": (3, 64, 320, 3, 1, 1, 1, 1),
    "stage_3x3": (64, 64, 320, 3, 1, 1, 1, 1),
    "half_3x3": (64, 32, 320, 3, 1, 1, 1, 1),
    "wide_3x3": (128, 64, 320, 3, 1, 1, 1, 1),
    "narrow_3x3": (32, 16, 320, 3, 1, 1, 1, 1),
    "narrowest_3x3": (16, 16, 320, 3, 1, 1, 1, 1),
    "middle_3x3": (32, 32, 160, 3, 1, 1, 1, 1),
    "dilated_3x3": (64, 64, 80, 3, 1, 2, 2, 1),
    "deep_3x3": (256, 128, 40, 3, 1, 1, 1, 1),
    "deeper_3x3": (512, 256, 20, 3, 1, 1, 1, 1),
    "deepest_3x3": (256, 256, 20, 3, 1, 8, 8, 1),
    "small_3x3": (512, 256, 10, 3, 1, 2, 2, 1),
    "pointwise": (256, 64, 96, 1, 1, 0, 1, 1),
    "pointwise_expand": (128, 512, 96, 1, 1, 0, 1, 1),
    "stem_7x7_s2": (3, 64, 224, 7, 2, 3, 1, 1),
    "depthwise_3x3": (128, 128, 96, 3, 1, 1, 1, 128),
    "grouped_8": (256, 256, 28, 3, 1, 1, 1, 32),
    "side_output": (64, 1, 160, 3, 1, 1, 1, 1),
    "direct_3x3": (64, 64, 80, 3, 1, 1, 1, 1),
    "winograd_3x3": (64, 64, 80, 3, 1, 1, 1, 1),
    "winograd_dilated": (64, 64, 80, 3, 1, 2, 2, 1),
}
"""Of U²-Net, InSPyReNet and others. A name may begin with the algorithm."""

MATRICES = {
    "swin_in": (9216, 128, 512),
    "swin_out": (9216, 512, 128),
    "swin_deep": (2304, 1024, 256),
    "swin_deepest": (576, 512, 2048),
}


class Product:
    """A Program of one operator on one tier, with the arrays that it reads and writes."""

    def __init__(self, op: str, x, w, y, views, attributes, isa: str, threads: int) -> None:
        builder = _native.ProgramBuilder(isa=isa)
        x_slot, y_slot = builder.io("x", x.nbytes), builder.io("y", y.nbytes)
        columns = y.shape[-1]
        factor = np.full(columns, 0.3 / np.sqrt(w.size / columns) / 64, np.float32)
        bias = np.zeros(columns, np.int32)
        builder.emit(
            op,
            [
                (x_slot, 0, "uint8", *views[0]),
                dense(builder.constant(w, f"bench_qconv/{op}/w"), w),
                dense(builder.constant(bias, f"bench_qconv/{op}/bias"), bias),
                dense(builder.constant(factor, f"bench_qconv/{op}/factor"), factor),
                None,
                None,
            ],
            [(y_slot, 0, "uint8", *views[1])],
            {**attributes, "activation": "relu", "x_zero": 3, "y_zero": 0},
            op,
        )
        self.operations = 2.0 * y.size * w.size / columns
        self.bindings = {x_slot: x, y_slot: y}
        self.context = _native.Context(builder.build(0), _native.team_of(threads))

    def run(self) -> None:
        self.context.run(self.bindings)


def dense(slot, array):
    strides = tuple(stride // array.itemsize for stride in array.strides)
    return (slot, 0, array.dtype.name, array.shape, strides)


def convolution(name: str, isa: str, threads: int = 1) -> Product:
    channels, outputs, size, kernel, stride, pad, dilation, groups = CASES[name]
    side, _ = output_size(
        (size, size), (kernel, kernel), (stride,) * 2, (pad,) * 4, (dilation,) * 2
    )
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (size, size, channels), np.uint8)
    shape = (outputs, channels // groups, kernel, kernel)
    y = np.empty((side, side, outputs), np.uint8)
    attributes = {
        "strides": [stride] * 2,
        "pads": [pad] * 4,
        "dilations": [dilation] * 2,
        "groups": groups,
        "algorithm": next((a for a in ("direct", "winograd") if name.startswith(a)), "auto"),
    }
    views = [image(size, channels), image(side, outputs)]
    return Product("qconv2d", x, weights(shape), y, views, attributes, isa, threads)


def matrices(name: str, isa: str, threads: int = 1) -> Product:
    m, k, n = MATRICES[name]
    a = np.random.default_rng(0).integers(0, 256, (m, k), np.uint8)
    y = np.empty((m, n), np.uint8)
    views = [((m, k), (k, 1)), ((m, n), (n, 1))]
    return Product("qlinear", a, weights((k, n)), y, views, {}, isa, threads)


def weights(shape: tuple[int, ...]):
    """As those of trained layers: around 0, the largest of them 127."""
    w = np.random.default_rng(1).standard_normal(shape)
    return np.rint(w * (127 / np.abs(w).max())).astype(np.int8)


def image(size: int, channels: int):
    """Shape and strides of a channels-last operand."""
    pixels = size * channels
    return ((1, channels, size, size), (size * pixels, 1, pixels, channels))


@pytest.fixture
def isa(tier):
    """Every tier, those that only integers have among them."""
    return tier


def measure(benchmark, make, name: str, isa: str, threads: int) -> None:
    product, slow = make(name, isa, threads), make(name, "scalar")
    benchmark.group = name
    scalar = None if benchmark.disabled else (slow.run, slow.operations)
    benchmark_compute(
        benchmark, product.run, product.operations, isa, threads, scalar, integer_peak
    )
    benchmark.extra_info["kernel"] = product.context.program.instructions[0].kernel


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CASES)
def bench_qconv(benchmark, name, isa, threads):
    measure(benchmark, convolution, name, isa, threads)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", MATRICES)
def bench_qlinear(benchmark, name, isa, threads):
    measure(benchmark, matrices, name, isa, threads)
