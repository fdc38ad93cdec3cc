"""Element-wise operators of every dtype: unary, binary, select and cast, with ONNX's semantics."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from pyhades.kernels.typed import UNARY as UNARY_FUNCTIONS
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty
from tests.support.views import partly_repeated, scattered

PREDICATES = ("is_nan", "is_inf", "is_positive_inf", "is_negative_inf")
COMPARISONS = ("equal", "less", "less_equal", "greater", "greater_equal")
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


UNARY = {
    **dict.fromkeys(["copy", "abs", "neg", "sign", "square", "relu"], NUMBERS),
    **dict.fromkeys(
        [*PREDICATES, "floor", "ceil", "round", "sqrt", "reciprocal", "round_bfloat16"], FLOATS
    ),
    "not": [BOOL],
    "bitwise_not": INTEGERS,
}
BINARY = {
    **dict.fromkeys(["add", "sub", "mul", "div", "mod", "fmod"], NUMBERS),
    **dict.fromkeys(["min", "max", *COMPARISONS], DTYPES),
    **dict.fromkeys(["and", "or", "xor"], (BOOL,)),
    **dict.fromkeys(["bitwise_and", "bitwise_or", "bitwise_xor"], INTEGERS),
    **dict.fromkeys(["shift_left", "shift_right"], INTEGERS),
}


def cases(table):
    return [
        pytest.param(name, dtype, id=f"{name}-{dtype}")
        for name, dtypes in table.items()
        for dtype in dtypes
    ]


def result_dtype(name, dtype):
    return BOOL if name in (*PREDICATES, *COMPARISONS) else dtype


@pytest.mark.parametrize(("name", "dtype"), cases(UNARY))
def test_unary_equals_numpy(name, dtype):
    x = sample(dtype)
    y = unary(name, x, np.empty(x.shape, result_dtype(name, dtype)))
    assert_equal(y, reference.unary(x, name))


@pytest.mark.parametrize(("name", "dtype"), cases(BINARY))
def test_binary_equals_numpy(name, dtype):
    a, b = sample(dtype, seed=1), sample(dtype, seed=2)
    b[::7] = a[::7]
    y = binary(name, a, b, np.empty(a.shape, result_dtype(name, dtype)))
    assert_equal(y, reference.binary(a, b, name))


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_power(dtype):
    a, b = sample(dtype, seed=1), sample(dtype, seed=2)
    expected = reference.binary(a, b, "pow")
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


ELEMENTARY = [name for name in UNARY_FUNCTIONS if name not in UNARY]


@pytest.mark.covers("unary")
@pytest.mark.parametrize("name", ELEMENTARY)
def test_elementary_functions_of_float64(name):
    x = np.clip(sample(np.dtype(np.float64)), -300, 300)
    x[:4] = np.inf, -np.inf, np.nan, -0.0
    expected = reference.unary(x, name)
    # A dozen roundings, and exponents that are rounded before they are raised.
    rtol = 1e-12 if name.startswith("gelu") else 3e-15
    np.testing.assert_allclose(unary(name, x), expected, rtol=rtol, atol=1e-300)


@pytest.mark.parametrize("name", ELEMENTARY)
@pytest.mark.parametrize("dtype", [np.dtype(np.float16), BFLOAT16], ids=str)
def test_elementary_functions_of_16_bit_floats(name, dtype):
    x = sample(dtype)
    assert_close_in_dtype(unary(name, x), reference.unary(x, name))


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
    assert_equal(cast(x, target), reference.cast(x, target))


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
        assert_equal(y, np.asarray(reference.binary(a, b, name)))
    y = scattered(rng, np.zeros(shape, dtype))
    assert_equal(unary("neg", a, y), np.asarray(reference.unary(a, "neg")))


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


@pytest.mark.parametrize("dtype", [np.dtype(np.float32), np.dtype(np.int64), BOOL], ids=str)
def test_wrappers_read_views_and_broadcast(isa, dtype):
    rng = np.random.default_rng(4)
    a, b = (sample(dtype, 105, seed).reshape(5, 7, 3) for seed in (1, 2))
    a, b = scattered(rng, a), scattered(rng, b[:, :1])
    for name in ("max", "less"):
        assert_equal(kernels.binary(a, b, name, isa=isa), reference.binary(a, b, name))
    flags = rng.random((7, 1)) < 0.5
    assert_equal(kernels.where(flags, a, b, threads=2), reference.where(flags, a, b))
    out = np.empty(a.shape, np.int16)
    assert kernels.cast(a[::-1], np.int16, out=out) is out
    if dtype != np.float32:
        assert_equal(out, reference.cast(a[::-1], np.int16))
    assert_equal(kernels.unary(a, "not" if dtype == BOOL else "neg"), ~a if dtype == BOOL else -a)


def test_numbers_take_the_dtype_of_the_array_beside_them():
    x = np.array([1, 2], np.uint8)
    assert_equal(kernels.binary(x, 2, "mul"), np.array([2, 4], np.uint8))
    assert_equal(kernels.where([True, False], 0.5, [2.0]), np.array([0.5, 2], np.float32))


def test_bad_arguments_of_wrappers_are_named():
    x = np.zeros(3, np.int32)
    with pytest.raises(ArgumentError, match=r"function='cbrt' is none of .*'copy', 'abs'"):
        kernels.unary(x, "cbrt")
    with pytest.raises(ArgumentError, match="function='neg' is none of 'add', 'sub'"):
        kernels.binary(x, x, "neg")
    with pytest.raises(ArgumentTypeError, match="b has dtype int64, expected int32; convert"):
        kernels.binary(x, x.astype(np.int64), "add")
    with pytest.raises(ArgumentTypeError, match="condition has dtype int32, expected bool"):
        kernels.where(x, x, x)
    with pytest.raises(ArgumentError, match=r"condition \(2,\), a \(3,\), b \(3,\)"):
        kernels.where([True, False], x, x)
    with pytest.raises(ArgumentTypeError, match="dtype='integer-ish' is no dtype"):
        kernels.cast(x, "integer-ish")
    with pytest.raises(ArgumentTypeError, match="complex64 is not supported"):
        kernels.cast(x, np.complex64)
