"""Element-wise operators of every dtype: unary, binary, select and cast, with ONNX's semantics."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest

from pyhades import _native
from pyhades.errors import ArgumentError
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty
from tests.support.views import partly_repeated, scattered

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
INTEGERS = [np.dtype(f"{kind}{size}") for kind in ("int", "uint") for size in (8, 16, 32, 64)]
FLOATS = [np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16), BFLOAT16]
NUMBERS = [*FLOATS, *INTEGERS]
BOOL = np.dtype(bool)
DTYPES = [*NUMBERS, BOOL]


def sample(dtype, n=997, seed=0):
    """Numbers of all magnitudes, with the extremes of the dtype first."""
    rng = np.random.default_rng(seed)
    if dtype == BOOL:
        return rng.random(n) < 0.5
    if dtype in INTEGERS:
        limits = np.iinfo(dtype)
        small = rng.integers(max(limits.min, -20), 20, n).astype(dtype)
        wide = rng.integers(limits.min, limits.max, n, dtype, endpoint=True)
        values = np.where(rng.random(n) < 0.5, small, wide)
        values[:4] = limits.min, limits.max, 0, 1
        return rng.permutation(values)
    values = rng.standard_normal(n) * np.exp(rng.normal(0, 2, n))
    values[:6] = 0.0, -0.0, np.inf, -np.inf, np.nan, 2.5
    return rng.permutation(values).astype(dtype)


def unary(function, x, y=None):
    y = np.empty_like(x) if y is None else y
    _native.call("unary", [x], [y], {"function": function})
    return y


def binary(function, a, b, y=None):
    y = np.empty_like(a) if y is None else y
    _native.call("binary", [a, b], [y], {"function": function})
    return y


def cast(x, dtype):
    y = np.empty(x.shape, dtype)
    _native.call("cast", [x], [y])
    return y


def assert_equal(actual, expected):
    """Same values (NaN equals NaN) in the same dtype; bfloat16 is compared as float32."""
    assert actual.dtype == expected.dtype
    if actual.dtype == BFLOAT16:
        actual, expected = actual.astype(np.float32), expected.astype(np.float32)
    np.testing.assert_array_equal(actual, expected)


def compute_dtype(dtype):
    """16-bit floats compute in float32 and round once at the end."""
    return np.dtype(np.float32) if dtype.itemsize == 2 and dtype in FLOATS else dtype


def in_numpy(function, *operands):
    dtype = operands[0].dtype
    with np.errstate(all="ignore"):
        result = function(*(x.astype(compute_dtype(dtype)) for x in operands))
        return result if result.dtype == BOOL else result.astype(dtype)


UNARY = {
    "copy": (np.positive, NUMBERS),
    "abs": (np.abs, NUMBERS),
    "neg": (np.negative, NUMBERS),
    "sign": (np.sign, NUMBERS),
    "square": (np.square, NUMBERS),
    "relu": (lambda x: np.maximum(x, x.dtype.type(0)), NUMBERS),
    "not": (np.logical_not, [BOOL]),
    "bitwise_not": (np.invert, INTEGERS),
    "is_nan": (np.isnan, FLOATS),
    "is_inf": (np.isinf, FLOATS),
    "is_positive_inf": (np.isposinf, FLOATS),
    "is_negative_inf": (np.isneginf, FLOATS),
    "floor": (np.floor, FLOATS),
    "ceil": (np.ceil, FLOATS),
    "round": (np.rint, FLOATS),
    "sqrt": (np.sqrt, FLOATS),
    "reciprocal": (np.reciprocal, FLOATS),
}


def divide(a, b):
    """Integers: towards zero; by zero is zero, as nothing traps."""
    if a.dtype not in INTEGERS:
        return np.divide(a, b)
    floored = np.floor_divide(a, b)
    inexact = (b != 0) & (floored * b != a) & ((a < 0) != (b < 0))
    return floored + inexact.astype(a.dtype)


def power(a, b):
    """Integers: wraps around; a negative exponent gives the truncated quotient."""
    if a.dtype not in INTEGERS:
        return np.power(a, b)
    bits = 8 * a.itemsize

    def one(base, exponent):
        if exponent < 0:
            return base ** (exponent & 1) if base in (1, -1) else 0
        value = pow(base, exponent, 1 << bits)
        return value - (1 << bits) if a.dtype.kind == "i" and value >> (bits - 1) else value

    return np.array([one(int(x), int(y)) for x, y in zip(a, b, strict=True)], a.dtype)


def shift(function, beyond):
    """Shifts by an amount outside [0, bits) shift everything out."""

    def shifted(a, b):
        inside = (b >= 0) & (b < 8 * a.itemsize)
        return np.where(inside, function(a, np.where(inside, b, b.dtype.type(0))), beyond(a))

    return shifted


BINARY = {
    "add": (np.add, NUMBERS),
    "sub": (np.subtract, NUMBERS),
    "mul": (np.multiply, NUMBERS),
    "div": (divide, NUMBERS),
    "mod": (np.mod, NUMBERS),
    "fmod": (np.fmod, NUMBERS),
    "min": (np.minimum, DTYPES),
    "max": (np.maximum, DTYPES),
    "equal": (np.equal, DTYPES),
    "less": (np.less, DTYPES),
    "less_equal": (np.less_equal, DTYPES),
    "greater": (np.greater, DTYPES),
    "greater_equal": (np.greater_equal, DTYPES),
    "and": (np.logical_and, [BOOL]),
    "or": (np.logical_or, [BOOL]),
    "xor": (np.logical_xor, [BOOL]),
    "bitwise_and": (np.bitwise_and, INTEGERS),
    "bitwise_or": (np.bitwise_or, INTEGERS),
    "bitwise_xor": (np.bitwise_xor, INTEGERS),
    "shift_left": (shift(np.left_shift, lambda a: np.zeros_like(a)), INTEGERS),
    "shift_right": (shift(np.right_shift, lambda a: -(a < 0).astype(a.dtype)), INTEGERS),
}
PREDICATES = ["is_nan", "is_inf", "is_positive_inf", "is_negative_inf"]
PREDICATES += ["equal", "less", "less_equal", "greater", "greater_equal"]


def cases(table):
    return [
        pytest.param(name, dtype, id=f"{name}-{dtype}")
        for name, (_, dtypes) in table.items()
        for dtype in dtypes
    ]


def result_dtype(name, dtype):
    return BOOL if name in PREDICATES else dtype


@pytest.mark.parametrize(("name", "dtype"), cases(UNARY))
def test_unary_equals_numpy(name, dtype):
    x = sample(dtype)
    y = unary(name, x, np.empty(x.shape, result_dtype(name, dtype)))
    assert_equal(y, in_numpy(UNARY[name][0], x))


@pytest.mark.parametrize(("name", "dtype"), cases(BINARY))
def test_binary_equals_numpy(name, dtype):
    a, b = sample(dtype, seed=1), sample(dtype, seed=2)
    b[::7] = a[::7]
    y = binary(name, a, b, np.empty(a.shape, result_dtype(name, dtype)))
    assert_equal(y, in_numpy(BINARY[name][0], a, b))


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_power(dtype):
    a, b = sample(dtype, seed=1), sample(dtype, seed=2)
    expected = in_numpy(power, a, b)
    if dtype in INTEGERS:
        assert_equal(binary("pow", a, b), expected)
    else:
        assert_close_in_dtype(binary("pow", a, b), expected)


def assert_close_in_dtype(actual, expected):
    """Within two units in the last place of the dtype: two libraries of elementary functions.

    Where float32 exponentials overflow, or results are denormal, zero is right too.
    """
    limits = ml_dtypes.finfo(actual.dtype)
    flushed = 1e-36 if limits.maxexp == 128 else 2 * float(limits.smallest_subnormal)
    np.testing.assert_allclose(
        actual.astype(np.float64),
        expected.astype(np.float64),
        rtol=2.0 ** (1 - limits.nmant),
        atol=flushed,
    )


ELEMENTARY = {
    **{name: getattr(np, name) for name in ("exp", "log", "sin", "cos", "tan")},
    **{name: getattr(np, name) for name in ("sinh", "cosh", "tanh")},
    **{f"a{name}": getattr(np, f"arc{name}") for name in ("sin", "cos", "tan")},
    **{f"a{name}": getattr(np, f"arc{name}") for name in ("sinh", "cosh", "tanh")},
    "erf": lambda x: np.vectorize(math.erf)(x).astype(x.dtype),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "silu": lambda x: np.where(x == -np.inf, 0, x / (1 + np.exp(-x))),
    "softplus": lambda x: np.logaddexp(0, x),
    "softsign": lambda x: np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x))),
    "mish": lambda x: np.where(x == -np.inf, 0, x * np.tanh(np.logaddexp(0, x))),
    "gelu_erf": lambda x: np.where(
        x == -np.inf, 0, x / 2 * np.vectorize(math.erfc)(-x / math.sqrt(2))
    ),
    "gelu_tanh": lambda x: np.where(
        x == -np.inf, 0, x / (1 + np.exp(-math.sqrt(8 / math.pi) * x * (1 + 0.044715 * x * x)))
    ),
    "hard_swish": lambda x: np.where(x == -np.inf, 0, x * np.clip((x + 3) / 6, 0, 1)),
}


@pytest.mark.covers("unary")
@pytest.mark.parametrize("name", ELEMENTARY)
def test_elementary_functions_of_float64(name):
    x = np.clip(sample(np.dtype(np.float64)), -300, 300)
    x[:4] = np.inf, -np.inf, np.nan, -0.0
    with np.errstate(all="ignore"):
        expected = ELEMENTARY[name](x)
    # A dozen roundings, and exponents that are rounded before they are raised.
    rtol = 1e-12 if name.startswith("gelu") else 3e-15
    np.testing.assert_allclose(unary(name, x), expected, rtol=rtol, atol=1e-300)


@pytest.mark.parametrize("name", ELEMENTARY)
@pytest.mark.parametrize("dtype", [np.dtype(np.float16), BFLOAT16], ids=str)
def test_elementary_functions_of_16_bit_floats(name, dtype):
    x = sample(dtype)
    with np.errstate(all="ignore"):
        expected = ELEMENTARY[name](x.astype(np.float64)).astype(np.float32).astype(dtype)
    assert_close_in_dtype(unary(name, x), expected)


def sources_for(dtype, target):
    """Numbers of ``dtype`` whose conversion to ``target`` NumPy defines."""
    x = sample(dtype)
    if dtype in FLOATS and target in INTEGERS:
        limits = np.iinfo(target)
        x = np.nan_to_num(x.astype(np.float64), posinf=7.5, neginf=-7.5)
        x = np.clip(x, max(limits.min, -1e4), min(limits.max, 1e4))
        return x.astype(dtype) if target.itemsize > 2 else np.trunc(x).clip(0, 100).astype(dtype)
    return x


@pytest.mark.covers("cast")
@pytest.mark.parametrize("target", DTYPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_cast_equals_numpy(dtype, target):
    x = sources_for(dtype, target)
    with np.errstate(all="ignore"):
        wide = x.astype(np.float32) if target.itemsize == 2 and target in FLOATS else x
        expected = (wide != 0) if target == BOOL else wide.astype(target)
    assert_equal(cast(x, target), expected)


@pytest.mark.parametrize("dtype", [np.dtype(np.float16), BFLOAT16], ids=str)
def test_every_16_bit_float_survives_float32(dtype):
    x = np.arange(1 << 16, dtype=np.uint16).view(dtype)
    if dtype == BFLOAT16:  # denormals count as zero
        x = x[~((np.abs(x.astype(np.float32)) < 2.0**-126) & (x.astype(np.float32) != 0))]
    wide = cast(x, np.float32)
    assert_equal(wide, x.astype(np.float32))
    assert_equal(cast(wide, dtype), x)


@pytest.mark.parametrize("dtype", [np.dtype(np.float16), BFLOAT16], ids=str)
def test_rounding_to_16_bits_is_to_nearest_even(dtype):
    x = np.arange(1 << 16, dtype=np.uint16).view(dtype).astype(np.float32)
    x = x[np.isfinite(x) & (np.abs(x) >= (2.0**-14 if dtype != BFLOAT16 else 2.0**-100))]
    bits = np.sort(np.unique(x))
    halfway = (bits[:-1] / 2 + bits[1:] / 2).astype(np.float32)
    for near in (halfway, np.nextafter(halfway, -np.inf), np.nextafter(halfway, np.inf)):
        near = near.astype(np.float32)
        assert_equal(cast(near, dtype), near.astype(dtype))


def test_floats_beyond_integers_wrap_through_int64():
    x = np.array([300.7, -300.7, 2.0**31, -(2.0**40), 1e30, np.inf, -np.inf, np.nan])
    through = np.array([300, -300, 2**31, -(2**40), *[-(2**63)] * 4])
    for dtype in INTEGERS[:-1]:
        assert_equal(cast(x, dtype), through.astype(dtype))
    large = np.array([2.0**63, 2.0**64 - 2048, -1.0])
    assert_equal(cast(large, np.uint64), np.array([2**63, 2**64 - 2048, 2**64 - 1], np.uint64))


@pytest.mark.covers("select")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_select(dtype):
    rng = np.random.default_rng(3)
    shape = (5, 17, 9)
    a, b = (sample(dtype, math.prod(shape), seed).reshape(shape) for seed in (1, 2))
    condition = partly_repeated(rng, rng.random(shape) < 0.5)
    y = scattered(rng, np.zeros(shape, dtype))
    _native.call("select", [condition, scattered(rng, a), scattered(rng, b)], [y])
    assert_equal(y, np.where(condition, a, b))
    _native.call("select", [condition, a, b], [a])
    assert_equal(a, y)


def test_any_byte_but_zero_is_true():
    flags = np.array([0, 1, 2, 255], np.uint8).view(bool)
    assert unary("not", flags).tolist() == [True, False, False, False]
    assert cast(flags, np.int32).tolist() == [0, 1, 1, 1]
    y = np.empty(4, np.int8)
    _native.call("select", [flags, np.ones(4, np.int8), np.zeros(4, np.int8)], [y])
    assert y.tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("seed", range(30))
def test_random_views(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, 7, rng.integers(0, 5)))
    dtype = NUMBERS[int(rng.integers(len(NUMBERS)))]
    values = [sample(dtype, 5000, s)[: math.prod(shape)].reshape(shape) for s in (1, 2)]
    a, b = (partly_repeated(rng, x) for x in values)
    for name in ("add", "less"):
        y = scattered(rng, np.zeros(shape, result_dtype(name, dtype)))
        binary(name, a, b, y)
        assert_equal(y, np.asarray(in_numpy(BINARY[name][0], a, b)))
    y = scattered(rng, np.zeros(shape, dtype))
    assert_equal(unary("neg", a, y), np.asarray(in_numpy(np.negative, a)))


@pytest.mark.covers("unary", "binary", "cast", "select")
@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("n", [1, 7, 8, 15, 16, 17, 33, 63, 65])
def test_memory_outside_is_left_alone(n, at):
    for dtype in (np.uint8, np.int16, np.int32, np.float64):
        x, y = guarded(sample(np.dtype(dtype), 99)[:n], at=at), guarded_empty((n,), dtype, at=at)
        assert_equal(binary("add", x, x, y).copy(), x + x)
        assert_equal(unary("abs", x, y).copy(), np.abs(x))
        flags = guarded_empty((n,), bool, at=at)
        assert_equal(binary("less_equal", x, x, flags).copy(), x <= x)
        _native.call("select", [flags, x, x], [y])
        _native.call("cast", [x], [flags])
        assert_gaps_untouched(y)
        assert_gaps_untouched(flags)


@pytest.mark.parametrize("name", ["add", "div", "max"])
def test_output_in_the_memory_of_an_input(name):
    for dtype in INTEGERS:
        for position in range(2):
            operands = [sample(dtype, 50000, seed) for seed in (1, 2)]
            expected = binary(name, *operands)
            binary(name, *operands, operands[position])
            assert_equal(operands[position], expected)


def test_results_do_not_depend_on_threads():
    a, b = (sample(np.dtype(np.int32), 70001, seed) for seed in (1, 2))
    results = [np.empty_like(a) for _ in range(3)]
    for threads, y in enumerate(results, 1):
        _native.call("binary", [a, b], [y], {"function": "mod"}, threads=threads)
    assert_equal(results[1], results[0])
    assert_equal(results[2], results[0])


def test_functions_outside_their_domain_are_refused():
    x = np.zeros(3, np.int32)
    for function, dtype in (("sqrt", np.int32), ("not", np.int8), ("bitwise_not", np.float64)):
        with pytest.raises(ArgumentError, match=f'no function "{function}" of {np.dtype(dtype)}'):
            unary(function, x.astype(dtype))
    with pytest.raises(ArgumentError, match="gives bool"):
        binary("less", x, x)
    with pytest.raises(ArgumentError, match="int32 and int64"):
        binary("add", x, x.astype(np.int64))
    with pytest.raises(ArgumentError, match="output's shape"):
        binary("add", x, x[:2])
    with pytest.raises(ArgumentError, match="byte order"):
        cast(x.astype(">i4"), np.int32)
