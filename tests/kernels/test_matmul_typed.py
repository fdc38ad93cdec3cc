"""Matrix products of dtypes other than float32, at scalar speed."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native
from pyhades.errors import ArgumentError
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty

covers = pytest.mark.covers("matmul_typed")

DTYPES = ["float64", "float16", "int8", "uint8", "int16", "uint16"]
DTYPES += ["int32", "uint32", "int64", "uint64"]


def random(shape, dtype):
    generator = np.random.default_rng([*shape, len(dtype)])
    if np.dtype(dtype).kind == "f":
        return generator.standard_normal(shape).astype(dtype)
    limits = np.iinfo(dtype)
    return generator.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def matmul(a, b, y, **options):
    _native.call("matmul", [a, b, None, None], [y], {"alpha": 1.0}, **options)


@covers
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (3, 7, 5), (17, 33, 9), (2, 0, 3)])
def test_products(dtype, m, k, n):
    a, b = random((2, 3, m, k), dtype), random((2, 3, k, n), dtype)
    y = np.empty((2, 3, m, n), dtype)
    matmul(a, b, y)
    if np.dtype(dtype).kind != "f":
        np.testing.assert_array_equal(y, a @ b)
        return
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    sums = (k + 1) * np.finfo(np.float64).eps * (np.abs(wide_a) @ np.abs(wide_b))
    expected = wide_a @ wide_b
    rounding = np.finfo(dtype).eps * np.abs(expected) + np.finfo(dtype).smallest_subnormal
    assert (np.abs(y - expected) <= sums + rounding).all()


@covers
def test_any_strides_within_guarded_memory():
    a = guarded(random((1, 2, 5, 6), "int64"))
    b = guarded(random((1, 2, 7, 6), "int64")).swapaxes(2, 3)
    y = guarded_empty((1, 2, 5, 7), "int64", (160, 80, 1, 9))
    matmul(a, b, y)
    np.testing.assert_array_equal(y, a @ b)
    assert_gaps_untouched(y)


@covers
def test_results_do_not_depend_on_threads():
    a, b = random((1, 1, 40, 30), "float64"), random((1, 1, 30, 20), "float64")
    results = [np.empty((1, 1, 40, 20)) for _ in range(2)]
    matmul(a, b, results[0], threads=1)
    matmul(a, b, results[1], threads=2)
    np.testing.assert_array_equal(*results)


def test_what_is_for_float32_only_is_refused():
    a = np.ones((1, 1, 2, 2))
    with pytest.raises(ArgumentError, match="float32 only"):
        _native.call("matmul", [a, a, None, None], [a.copy()], {"alpha": 2.0})
    flags = np.ones((1, 1, 2, 2), bool)
    with pytest.raises(ArgumentError, match="not defined for bool"):
        matmul(flags, flags, flags.copy())
