"""Reductions against NumPy in float64."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError
from pyhades.kernels import reference
from pyhades.kernels.reduce import Reduction
from tests.support.guarded import guarded, guarded_empty
from tests.support.tolerances import EPS32
from tests.support.tolerances import assert_close as assert_within
from tests.support.views import scattered

EXTENTS = [1, 2, 7, 8, 9, 15, 16, 17, 33, 257]


def positive(*shape):
    return np.random.default_rng(shape).uniform(0.5, 1.5, shape).astype(np.float32)


def assert_close(actual, expected, count):
    """All terms are positive and near 1, so errors are relative to the result."""
    assert actual.shape == expected.shape
    relative = (count / 8 + 80) * 2.0**-24
    assert np.all(np.abs(actual - expected) <= relative * (1 + np.abs(expected)))


@pytest.mark.covers("reduce_f32")
@pytest.mark.parametrize("function", get_args(Reduction))
@pytest.mark.parametrize("n", EXTENTS)
def test_last_and_first_axis(isa, function, n):
    x = positive(n, 5) if function != "prod" else positive(n, 5) ** np.float32(0.1)
    for array, axis in ((x, 0), (np.ascontiguousarray(x.T), 1), (x.T, -1)):
        actual = kernels.reduce(array, function, axis, isa=isa)
        assert_close(actual, reference.reduce(array, function, axis), n)


@pytest.mark.parametrize("axes", [None, 0, 1, (0, 2), (1, 3), (-1, 0), (1, 2, 3)])
def test_any_axes(isa, axes):
    x = positive(3, 4, 17, 5)
    for keepdims in (False, True):
        actual = kernels.reduce(x, "mean", axes, keepdims=keepdims, isa=isa)
        assert_close(actual, reference.reduce(x, "mean", axes, keepdims=keepdims), x.size)


@pytest.mark.covers("reduce_f32")
@pytest.mark.parametrize("function", get_args(Reduction))
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 2), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("at", ["start", "end"])
def test_strided_rows_stay_inside_their_memory(isa, function, axes, at):
    for n in EXTENTS[:-1]:
        x = positive(3, 5, n)
        source = guarded(x, (5 * (n + 3), n + 3, 1), at)
        actual = into_guarded(source, function, axes, at, isa)
        expected = reference.reduce(x, function, axes, keepdims=True)
        if function in ("max", "min"):
            assert np.array_equal(actual, expected)
        else:
            # Factors are rounded one after another, terms of sums in blocks.
            terms = x.size // expected.size
            depth = terms if function == "prod" else terms / 16 + 72
            assert_within(actual, expected, depth * EPS32 * (1 + np.abs(expected)))


def into_guarded(x, function, axes, at="end", isa=None):
    y = guarded_empty(
        tuple(1 if axis in axes else n for axis, n in enumerate(x.shape)), x.dtype, at=at
    )
    _native.call("reduce", [x], [y], {"function": function, "axes": list(axes)}, isa=isa)
    return y.copy()


@pytest.mark.covers("reduce_typed")
@pytest.mark.parametrize("dtype", [np.float64, np.int8, np.uint8, np.int32, np.int64])
@pytest.mark.parametrize("function", ["sum", "max", "min", "prod"])
def test_other_dtypes(function, dtype):
    x = np.random.default_rng(0).integers(1, 4, (3, 4, 5)).astype(dtype)
    view = scattered(np.random.default_rng(1), x)
    for axes in ((0,), (2,), (0, 1), (0, 1, 2)):
        wrapped = {} if function in ("max", "min") else {"dtype": dtype}
        expected = getattr(np, function)(x, axis=axes, keepdims=True, **wrapped)
        np.testing.assert_array_equal(into_guarded(view, function, axes), expected)


def test_nan_and_infinity(isa):
    x = np.array([[1, np.nan, 3], [np.inf, 1, -np.inf], [np.inf, 2, 3]], np.float32)
    assert np.isnan(kernels.reduce(x, "max", 1, isa=isa)[0])
    assert np.isnan(kernels.reduce(x, "sum", 1, isa=isa)[:2]).all()
    assert kernels.reduce(x, "sum", 1, isa=isa)[2] == np.inf
    assert kernels.reduce(x, "log_sum_exp", 1, isa=isa)[2] == np.inf


def test_results_do_not_depend_on_threads(isa):
    x = positive(300, 401)
    for axis in (0, 1, None):
        alone = kernels.reduce(x, "sum", axis, threads=1, isa=isa)
        for threads in (2, 3):
            again = kernels.reduce(x, "sum", axis, threads=threads, isa=isa)
            assert np.array_equal(alone, again)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_arguments_of_extremes(isa, axis):
    x = np.random.default_rng(1).integers(0, 9, (20, 33)).astype(np.float32)
    for name in ("argmax", "argmin"):
        actual = getattr(kernels, name)(x, axis, isa=isa)
        assert actual.dtype == np.int64
        assert np.array_equal(actual, getattr(reference, name)(x, axis))


@pytest.mark.covers("cumsum")
@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("axis", [0, 1])
def test_running_sums(isa, axis, exclusive, reverse):
    x = positive(19, 6)
    options = {"exclusive": exclusive, "reverse": reverse}
    expected = reference.cumsum(x, axis, **options)
    assert_close(kernels.cumsum(x, axis, isa=isa, **options), expected, 19)


@pytest.mark.covers("arg_reduce")
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint8])
def test_positions_of_extrema(dtype, axis, last):
    x = np.random.default_rng(0).integers(0, 4, (3, 5, 17)).astype(dtype)
    for function in ("argmax", "argmin"):
        turned = np.flip(x, axis) if last else x
        expected = getattr(np, function)(turned, axis=axis, keepdims=True)
        expected = x.shape[axis] - 1 - expected if last else expected
        y = guarded_empty(expected.shape, np.int64)
        attributes = {"function": function, "axis": axis, "select_last_index": last}
        _native.call("arg_reduce", [guarded(x)], [y], attributes)
        np.testing.assert_array_equal(y, expected)


@pytest.mark.covers("cumsum")
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.int64])
def test_running_sums_of_other_dtypes(dtype, axis, exclusive, reverse):
    x = np.random.default_rng(0).integers(-9, 9, (7, 19)).astype(dtype)
    turned = np.flip(x, axis) if reverse else x
    expected = turned.cumsum(axis, dtype=dtype) - (turned if exclusive else 0)
    y = guarded_empty(x.shape, dtype)
    attributes = {"axis": axis, "exclusive": exclusive, "reverse": reverse}
    _native.call("cumsum", [guarded(x)], [y], attributes)
    np.testing.assert_array_equal(y, np.flip(expected, axis) if reverse else expected)


def test_bad_arguments_are_named():
    with pytest.raises(ArgumentError, match="function='median'"):
        kernels.reduce(positive(2, 2), "median")
    with pytest.raises(ArgumentError, match="axis 2 is outside"):
        kernels.reduce(positive(2, 2), "sum", 2)
