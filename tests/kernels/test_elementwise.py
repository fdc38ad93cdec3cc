"""Pointwise programs: every function that may be a step of one, on every tier against float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import ml_dtypes
import numpy as np
import pytest

from pyhades import _native
from pyhades.errors import ArgumentError
from pyhades.numerics.integers import Grid, dequantize, quantize
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty
from tests.support.tolerances import EPS32, assert_close, assert_within_ulps
from tests.support.views import partly_repeated, scattered

covers = pytest.mark.covers("map_f32")

NUMBERS = {name: row.number for name, row in _native.element_functions().items() if row.in_programs}
ARITIES = {name: row.operands for name, row in _native.element_functions().items()}
SIZES = [1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 511, 512, 513, 1030]
BLOCKS = 3 * 16384 + 517  # some chunks of work, blocks that are cut short, and a remainder
FLUSHED = 1e-36  # below this, exp(-x) overflows and gates are zero

_erf = np.vectorize(math.erf, otypes=[np.float64])
_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def sigmoid(x):
    return np.exp(-np.logaddexp(0.0, -x))


def gated(x, gate):
    """``x * gate``, with the limit 0 where x is -inf."""
    return np.where(x == -np.inf, 0.0, x * gate)


def gelu_tanh(x):
    inner = math.sqrt(8 / math.pi) * (x + 0.044715 * x**3)
    return gated(x, np.where(np.isnan(x), np.nan, sigmoid(inner)))


class Truth(NamedTuple):
    """A function in float64, and how far from it a float32 result may be."""

    function: Callable[..., np.ndarray]
    ulps: float
    absolute: Callable[..., np.ndarray] = lambda *x: np.float64(0)
    parameters: tuple[float, ...] = ()


def gates(*x):
    return np.float64(FLUSHED)


def cancels_below_zero(x):
    """GELU multiplies x by 1 + erf, or a quotient near zero, which has an absolute error."""
    return np.where(x < 0, 2.5e-7 * np.minimum(np.abs(x), 16), 0) + FLUSHED


def product_and_sum(a, b, c):
    """Without fused multiply-add the product is rounded too."""
    return 2 * EPS32 * (np.abs(a * b) + np.abs(c))


EXACT = 0.5
LIBM = 2.0
TRUTHS = {
    "copy": Truth(np.positive, 0),
    "abs": Truth(np.abs, 0),
    "neg": Truth(np.negative, 0),
    "sign": Truth(np.sign, 0),
    "floor": Truth(np.floor, 0),
    "ceil": Truth(np.ceil, 0),
    "round": Truth(np.rint, 0),
    "round_bfloat16": Truth(lambda x: x.astype(ml_dtypes.bfloat16).astype(x.dtype), 0),
    "sqrt": Truth(np.sqrt, EXACT),
    "reciprocal": Truth(np.reciprocal, EXACT),
    "square": Truth(np.square, EXACT),
    "exp": Truth(np.exp, 1.5),
    "log": Truth(np.log, 1.5),
    "erf": Truth(_erf, 1.5),
    "sin": Truth(np.sin, LIBM),
    "cos": Truth(np.cos, LIBM),
    "tan": Truth(np.tan, LIBM),
    "asin": Truth(np.arcsin, LIBM),
    "acos": Truth(np.arccos, LIBM),
    "atan": Truth(np.arctan, LIBM),
    "sinh": Truth(np.sinh, LIBM),
    "cosh": Truth(np.cosh, LIBM),
    "tanh": Truth(np.tanh, 3),
    "round_float16": Truth(lambda x: x.astype(np.float16).astype(np.float64), 0),
    "asinh": Truth(np.arcsinh, LIBM),
    "acosh": Truth(np.arccosh, LIBM),
    "atanh": Truth(np.arctanh, LIBM),
    "relu": Truth(lambda x: np.maximum(x, 0), 0),
    "sigmoid": Truth(sigmoid, 2.5, gates),
    "silu": Truth(lambda x: gated(x, sigmoid(x)), 3, gates),
    "gelu_erf": Truth(lambda x: gated(x, 0.5 * _erfc(-x / math.sqrt(2))), 3, cancels_below_zero),
    "gelu_tanh": Truth(gelu_tanh, 3, cancels_below_zero),
    "hard_swish": Truth(lambda x: gated(x, np.clip((x + 3) / 6, 0, 1)), 2),
    "mish": Truth(lambda x: gated(x, np.tanh(np.logaddexp(0, x))), 4, gates),
    "softplus": Truth(lambda x: np.logaddexp(0, x), 3, gates),
    "softsign": Truth(lambda x: np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x))), 2),
    "add": Truth(np.add, EXACT),
    "sub": Truth(np.subtract, EXACT),
    "mul": Truth(np.multiply, EXACT),
    "div": Truth(np.divide, EXACT),
    "min": Truth(np.minimum, 0),
    "max": Truth(np.maximum, 0),
    "pow": Truth(np.power, LIBM),
    "fmod": Truth(np.fmod, 0),
    "fma": Truth(lambda a, b, c: a * b + c, EXACT, product_and_sum),
    "leaky_relu": Truth(lambda x, a: np.where(x < 0, x * a, x), EXACT, parameters=(0.01,)),
    "elu": Truth(lambda x, a: np.where(x < 0, a * np.expm1(x), x), 3, parameters=(1.5,)),
    "celu": Truth(lambda x, a: np.where(x < 0, a * np.expm1(x / a), x), 4, parameters=(0.7,)),
    "swish": Truth(
        lambda x, a: gated(x, sigmoid(a * x)),
        4,
        lambda x, a: np.where(x < 0, 2 * EPS32 * np.abs(a * x * x * sigmoid(a * x)), 0) + FLUSHED,
        parameters=(1.702,),
    ),
    "thresholded_relu": Truth(lambda x, a: np.where(x > a, x, 0), 0, parameters=(1.0,)),
    "clip": Truth(lambda x, low, high: np.clip(x, low, high), 0, parameters=(-1.5, 6.0)),
    "hard_sigmoid": Truth(
        lambda x, a, b: np.clip(a * x + b, 0, 1),
        1,
        lambda x, a, b: np.minimum(product_and_sum(x, a, b), 2 * EPS32),
        parameters=(0.2, 0.5),
    ),
    "selu": Truth(
        lambda x, a, g: g * np.where(x < 0, a * np.expm1(x), x), 4, parameters=(1.6732632, 1.050701)
    ),
    "shrink": Truth(
        lambda x, bound, bias: np.where(x < -bound, x + bias, np.where(x > bound, x - bias, 0)),
        EXACT,
        parameters=(0.5, 0.25),
    ),
}

MAGNITUDES = [0.0, 1e-30, 1e-7, 0.5, 1, 2, 2.5, 3, 16, 88, 90, 1e30, 3.4e38, np.inf]
SPECIAL = np.array([*MAGNITUDES, *(-m for m in MAGNITUDES), np.nan], np.float32)


def sample(n, seed=0):
    """Numbers of all magnitudes, most of them where functions are curved."""
    rng = np.random.default_rng(seed)
    scale = np.where(rng.random(n) < 0.7, 4.0, np.exp(rng.normal(0, 12, n)))
    return (rng.standard_normal(n) * scale).astype(np.float32)


def operands_of(name):
    """Operands that are arrays, each with the special numbers in every combination."""
    free = ARITIES[name] - len(TRUTHS[name].parameters)
    grids = np.meshgrid(*[SPECIAL] * free, indexing="ij")
    operands = [
        np.concatenate([grid.ravel(), sample(20000, seed)]) for seed, grid in enumerate(grids, 1)
    ]
    if name == "fma":  # where only the product overflows, tiers without fused operations differ
        with np.errstate(invalid="ignore"):
            product = np.abs(operands[0].astype(np.float64) * operands[1])
        operands = [x[~(product > 3.4e38) | np.isinf(product)] for x in operands]
    return operands


def run(name, operands, isa, y=None, threads=1):
    """One step; parameters are constants of the program."""
    inputs, parameters = len(operands), TRUTHS[name].parameters
    sources = [*range(inputs), *(-1 - i for i in range(len(parameters))), 0, 0][:3]
    code = [NUMBERS[name], inputs, *sources]
    y = np.empty(operands[0].shape, np.float32) if y is None else y
    attributes = {"code": code, "constants": list(parameters)}
    _native.call("map", operands, [y], attributes, isa=isa, threads=threads)
    return y


def same_bits(a, b):
    return np.array_equal(a.view(np.uint32), b.view(np.uint32))


def test_every_function_has_a_truth():
    assert TRUTHS.keys() == NUMBERS.keys()


@covers
@pytest.mark.parametrize("name", TRUTHS)
def test_values_are_within_their_bound(isa, name):
    truth = TRUTHS[name]
    operands = operands_of(name)
    actual = run(name, operands, isa)
    # Parameters reach the kernel as float32.
    exact = [x.astype(np.float64) for x in operands]
    exact += [np.float64(np.float32(p)) for p in truth.parameters]
    with np.errstate(all="ignore"):
        expected = np.broadcast_to(truth.function(*exact), actual.shape)
        slack = np.broadcast_to(truth.absolute(*exact), actual.shape)
        off = np.abs(actual - expected) > slack
    # What is within the absolute part of the bound needs no further check.
    checked = off | ~np.isfinite(expected) | ~np.isfinite(actual)
    assert_within_ulps(actual[checked], expected[checked], truth.ulps)


@covers
@pytest.mark.parametrize("name", TRUTHS)
@pytest.mark.parametrize("at", ["start", "end"])
def test_values_do_not_depend_on_the_position(isa, name, at):
    operands = [x[-SIZES[-1] :] for x in operands_of(name)]
    whole = run(name, operands, isa)
    for n in SIZES:
        y = guarded_empty((n,), at=at)
        run(name, [guarded(x[:n], at=at) for x in operands], isa, y)
        assert same_bits(y.copy(), whole[:n]), n
        assert_gaps_untouched(y)


def random_program(rng, inputs, constants, steps):
    """Steps of functions that round once, so that NumPy's float32 gives the same bits."""
    names = ["add", "sub", "mul", "min", "max", "neg", "abs", "relu", "floor", "copy"]
    code, readable = [], [*range(inputs), *(-1 - i for i in range(constants))]
    for name in rng.choice(names, steps):
        destination = int(rng.integers(inputs, 16))
        code += [NUMBERS[name], destination, *(int(rng.choice(readable)) for _ in range(3))]
        readable.append(destination)
    return code


def interpret(code, inputs, constants):
    names = {number: name for name, number in NUMBERS.items()}
    registers = dict(enumerate(inputs)) | {-1 - i: np.float32(c) for i, c in enumerate(constants)}
    plain = {"relu": lambda x: np.maximum(x, np.float32(0)), "copy": np.positive}
    numpy_names = {"sub": "subtract", "mul": "multiply", "min": "minimum", "max": "maximum"}
    for i in range(0, len(code), 5):
        number, destination, *sources = code[i : i + 5]
        name = names[number]
        function = plain.get(name) or getattr(
            np, {"neg": "negative", **numpy_names}.get(name, name)
        )
        arity = ARITIES[name]
        registers[destination] = function(*(registers[s] for s in sources[:arity]))
    return np.broadcast_to(registers[destination], inputs[0].shape)


@covers
@pytest.mark.parametrize("seed", range(40))
def test_random_programs_over_random_views(isa, seed):
    rng = np.random.default_rng(seed)
    shape = (*rng.integers(1, 9, rng.integers(0, 4)), rng.choice([1, 5, 17, 600]))
    count, constants = int(rng.integers(1, 9)), [0.5, -2.0, 1.25]
    # Eighths stay exact in sums; results that overflow are NaN or infinite for NumPy too.
    values = [rng.integers(-32, 33, shape).astype(np.float32) / 8 for _ in range(count)]
    inputs = [partly_repeated(rng, x) for x in values]
    code = random_program(rng, count, len(constants), int(rng.integers(1, 13)))
    y = scattered(rng, np.zeros(shape, np.float32))
    _native.call("map", inputs, [y], {"code": code, "constants": constants}, isa=isa)
    np.testing.assert_array_equal(y, interpret(code, inputs, constants))


@covers
@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("stored", [np.uint8, np.float32])
def test_bytes_among_the_operands(isa, seed, stored):
    """Read as floats, stored as the nearest byte with halves to even."""
    rng = np.random.default_rng(seed)
    shape = (*rng.integers(1, 9, rng.integers(0, 4)), rng.choice([1, 5, 17, 600]))
    count, constants = int(rng.integers(1, 9)), [0.5, -2.0, 1.25]
    inputs = []
    for dtype in rng.choice([np.uint8, np.float32], count):
        low = 0 if dtype is np.uint8 else -32
        inputs.append(partly_repeated(rng, rng.integers(low, 256, shape).astype(dtype)))
    code = random_program(rng, count, len(constants), int(rng.integers(1, 13)))
    y = scattered(rng, np.zeros(shape, stored))
    grids = [Grid(float(rng.choice([1, 0.5, 0.3])), int(rng.integers(0, 256))) for _ in range(9)]
    grids = grids[: count + 1] if seed else [Grid()] * (count + 1)
    attributes = {"code": code, "constants": constants}
    if seed:
        attributes["grids"] = [float(part) for grid in grids for part in grid]
    _native.call("map", inputs, [y], attributes, isa=isa)
    bytes_and_floats = zip(inputs, grids[:count], strict=True)
    wide = [dequantize(x, g) if x.dtype == np.uint8 else x for x, g in bytes_and_floats]
    with np.errstate(all="ignore"):
        want = interpret(code, wide, constants)
        want = quantize(want, grids[-1]) if stored is np.uint8 else want
    np.testing.assert_array_equal(y, want)


@covers
@pytest.mark.parametrize("width", [3, 16, 33, 1030])
@pytest.mark.parametrize("at", ["start", "end"])
def test_bytes_stay_inside_their_memory(isa, width, at):
    x = np.random.default_rng(width).integers(0, 256, (70, width), np.uint8)
    source = guarded(x, (width + 2, 1), at)
    y = guarded_empty(x.shape, np.uint8, strides=(width + 1, 1), at=at)
    code = [NUMBERS["mul"], 1, 0, -1, 0]
    _native.call("map", [source], [y], {"code": code, "constants": [0.5]}, isa=isa)
    np.testing.assert_array_equal(y, np.rint(x * np.float32(0.5)).astype(np.uint8))
    assert_gaps_untouched(y)


@covers
@pytest.mark.parametrize("width", [2, 3, 8, 31, 255, 256, 257])
@pytest.mark.parametrize("at", ["start", "end"])
def test_short_rows_are_computed_side_by_side(isa, width, at):
    """Rows with gaps, a vector that repeats from row to row and one number per row, over chunks."""
    rows = 70_000 // width
    rng = np.random.default_rng(width)
    x, vector, column = (
        rng.integers(-99, 99, shape).astype(np.float32)
        for shape in ((rows, width), (width,), (rows, 1))
    )
    source = guarded(x, (width + 2, 1), at)
    y = guarded_empty((rows, width), strides=(width + 1, 1), at=at)
    code = [NUMBERS["fma"], 3, 0, 1, 2, NUMBERS["relu"], 4, 3, 0, 0]
    inputs = [source, *(np.broadcast_to(part, x.shape) for part in (vector, column))]
    for threads in (1, 2):
        _native.call("map", inputs, [y], {"code": code}, isa=isa, threads=threads)
        np.testing.assert_array_equal(y, np.maximum(x * vector + column, 0))
    assert_gaps_untouched(y)
    dense = np.empty((width, rows), np.float32).T
    _native.call("map", inputs, [dense], {"code": code}, isa=isa)
    np.testing.assert_array_equal(dense, y)


@covers
def test_longest_program(isa):
    """64 steps that count, through every temporary in turn."""
    x = sample(700).clip(-4, 4).round()
    code = []
    for step in range(64):
        code += [NUMBERS["add"], 1 + step % 15, step and 1 + (step - 1) % 15, -1, 0]
    y = np.empty_like(x)
    _native.call("map", [x], [y], {"code": code, "constants": [1.0]}, isa=isa)
    np.testing.assert_array_equal(y, x + 64)


@covers
@pytest.mark.parametrize("name", ["add", "sub", "div", "gelu_erf", "fma"])
def test_output_in_the_memory_of_an_input(isa, name):
    arity = ARITIES[name]
    for position in range(arity):
        for layout in (lambda x: x, lambda x: x.reshape(2, -1).T, lambda x: x[::3]):
            operands = [layout(sample(5000, seed)) for seed in range(arity)]
            expected = run(name, operands, isa, np.empty_like(operands[0]))
            run(name, operands, isa, operands[position])
            np.testing.assert_array_equal(operands[position], expected)


@covers
@pytest.mark.parametrize("name", ["exp", "mul"])
def test_results_do_not_depend_on_threads(isa, name):
    operands = [sample(BLOCKS, seed) for seed in range(ARITIES[name])]
    one = run(name, operands, isa)
    for threads in (2, 3):
        assert same_bits(run(name, operands, isa, threads=threads), one)
    views = [x[: 150 * 320].reshape(150, 320).T for x in operands]
    out = np.empty((320, 150), np.float32)
    np.testing.assert_array_equal(
        run(name, views, isa, out, threads=2), one[: 150 * 320].reshape(150, 320).T
    )


@covers
def test_empty_and_scalar_operands(isa):
    assert run("exp", [np.empty((3, 0, 2), np.float32)], isa).shape == (3, 0, 2)
    assert run("add", [np.array(2, np.float32), np.array(3, np.float32)], isa) == 5


ACTIVATIONS = ["none", "relu", "sigmoid", "gelu_erf", "gelu_tanh", "hard_swish", "silu", "tanh"]


@covers
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("channels_last", [False, True])
def test_scale_shift(isa, activation, channels_last):
    rng = np.random.default_rng(5)
    x = rng.standard_normal((2, 19, 37)).astype(np.float32)
    scale, shift = rng.standard_normal((2, 19)).astype(np.float32)
    if channels_last:
        x = np.ascontiguousarray(x.transpose(0, 2, 1)).transpose(0, 2, 1)
    y = np.empty_like(x)
    _native.call("scale_shift", [x, scale, shift], [y], {"activation": activation}, isa=isa)
    wide, slope, offset = (a.astype(np.float64) for a in (x, scale[:, None], shift[:, None]))
    affine = wide * slope + offset
    expected = affine if activation == "none" else TRUTHS[activation].function(affine)
    # No activation is steeper than 1.13; its own error is a few ulp of a value of at most |affine|.
    bound = 1.13 * product_and_sum(wide, slope, offset) + 8 * EPS32 * (1 + np.abs(affine))
    assert_close(y, expected, bound)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ([], "code has 0 integers"),
        ([0, 1, 0, 0], "code has 4 integers"),
        ([0, 1, 0, 0, 0] * 65, "code has 325 integers"),
        ([999, 1, 0, 0, 0], "no function has the number 999"),
        ([0, 0, 0, 0, 0], "destination 0 is not a temporary"),
        ([0, 16, 0, 0, 0], "destination 16 is not a temporary"),
        ([34, 1, 0, 2, 0], "add reads register 2"),
        ([0, 1, -2, 0, 0], "copy reads register -2"),
    ],
)
def test_programs_that_make_no_sense_are_refused(code, message):
    x = np.zeros(4, np.float32)
    with pytest.raises(ArgumentError, match=message):
        _native.call("map", [x], [x.copy()], {"code": code, "constants": [1.0]})


def test_operands_that_do_not_match_are_refused():
    x = np.zeros(4, np.float32)
    code = {"code": [NUMBERS["add"], 2, 0, 1, 0]}
    with pytest.raises(ArgumentError, match="output's shape"):
        _native.call("map", [x, x[:3]], [x.copy()], code)
    with pytest.raises(ArgumentError, match="operand 1 is float64"):
        _native.call("map", [x, x.astype(np.float64)], [x.copy()], code)
    with pytest.raises(ArgumentError, match="1 to 8 inputs"):
        _native.call("map", [x] * 9, [x.copy()], code)
