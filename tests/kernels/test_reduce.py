"""Reductions against NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError
from pyhades.kernels import reference
from pyhades.kernels.reduce import FUNCTIONS
from tests.support.guarded import guarded

EXTENTS = [1, 2, 7, 8, 9, 15, 16, 17, 33, 257]


def positive(*shape):
    return np.random.default_rng(shape).uniform(0.5, 1.5, shape).astype(np.float32)


def assert_close(actual, expected, count):
    """All terms are positive and near 1, so errors are relative to the result."""
    assert actual.shape == expected.shape
    relative = (count / 8 + 80) * 2.0**-24
    assert np.all(np.abs(actual - expected) <= relative * (1 + np.abs(expected)))


@pytest.mark.covers("reduce_f32")
@pytest.mark.parametrize("function", FUNCTIONS)
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


@pytest.mark.covers("reduce_typed")
@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float64, np.uint8])
@pytest.mark.parametrize("function", ["max", "min"])
def test_other_dtypes(dtype, function):
    x = np.random.default_rng(0).integers(0, 200, (6, 35)).astype(dtype)
    y = np.empty((6, 1), dtype)
    _native.call("reduce", [x], [y], {"function": function, "axes": [1]})
    assert np.array_equal(y, getattr(np, function)(x, axis=1, keepdims=True))


@pytest.mark.covers("reduce_f32")
@pytest.mark.parametrize("n", EXTENTS)
@pytest.mark.parametrize("at", ["start", "end"])
def test_strided_rows_stay_inside_their_memory(isa, n, at):
    x = positive(3, n)
    source = guarded(x, (n + 3, 1), at)
    for axis in (0, 1):
        shape = (1, n) if axis == 0 else (3, 1)
        y = guarded(np.zeros(shape, np.float32), at=at)
        _native.call("reduce", [source], [y], {"function": "sum", "axes": [axis]}, isa=isa)
        assert_close(np.asarray(y), reference.reduce(x, "sum", axis, keepdims=True), n)


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


@pytest.mark.covers("arg_reduce")
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


def test_bad_arguments_are_named():
    with pytest.raises(ArgumentError, match="function='median'"):
        kernels.reduce(positive(2, 2), "median")
    with pytest.raises(ArgumentError, match="axis 2 is outside"):
        kernels.reduce(positive(2, 2), "sum", 2)
