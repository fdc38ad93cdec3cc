"""The first elements along an axis: element for element what a stable sort gives."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError
from pyhades.kernels import reference
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty


def few_values(shape, dtype, seed=0):
    """Values with many ties, negative ones among them."""
    x = np.random.default_rng(seed).integers(-9, 9, shape)
    return x.astype(dtype)


@pytest.mark.covers("rank")
@pytest.mark.parametrize(
    "dtype", ["f4", "f8", "f2", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
)
@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_against_a_stable_sort(dtype, largest, axis):
    for extent in (1, 2, 31, 200):
        x = few_values((3, extent, 5), dtype)
        for k in {0, 1, x.shape[axis] // 2, x.shape[axis]}:
            actual = kernels.rank(x, k, axis, largest=largest)
            expected = reference.rank(x, k, axis, largest=largest)
            for a, b in zip(actual, expected, strict=True):
                assert a.dtype == b.dtype
                np.testing.assert_array_equal(a, b)


@pytest.mark.covers("rank")
def test_booleans():
    values, positions = kernels.rank(np.array([False, True, False, True]), 3)
    assert values.tolist() == [True, True, False] and positions.tolist() == [1, 3, 0]


@pytest.mark.covers("rank")
@pytest.mark.parametrize("largest", [True, False])
def test_no_numbers_infinities_and_zeros(largest):
    x = np.float32([0.0, np.nan, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45])
    for k in (1, 4, 8):
        _, positions = kernels.rank(x, k, largest=largest)
        np.testing.assert_array_equal(positions, reference.rank(x, k, largest=largest)[1])


@pytest.mark.covers("rank")
@pytest.mark.parametrize("order", ["ascending", "descending", "random", "equal"])
@pytest.mark.parametrize("k", [1, 31, 32, 33, 100, 4999, 5000])
def test_long_lines(order, k):
    """More elements than are held at once, in orders that let none or all of them in."""
    x = np.random.default_rng(1).normal(size=5000).astype(np.float32)
    x = {"ascending": np.sort(x), "descending": -np.sort(-x), "random": x, "equal": x * 0}[order]
    for largest in (True, False):
        actual, expected = (f(x, k, largest=largest) for f in (kernels.rank, reference.rank))
        np.testing.assert_array_equal(actual[1], expected[1])


@pytest.mark.covers("rank")
@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("axis", [0, 1])
def test_stays_inside_its_memory(axis, at):
    for extent in (1, 7, 90):
        values = few_values((extent, extent), np.float32, extent)
        x = guarded(values, (extent + 3, 1), at)
        k = (extent + 1) // 2
        shape = (k, extent) if axis == 0 else (extent, k)
        outputs = [guarded_empty(shape, dtype, (shape[1] + 2, 1), at) for dtype in ("f4", "i8")]
        _native.call("rank", [x], outputs, {"axis": axis, "largest": 1})
        for actual, expected in zip(outputs, reference.rank(values, k, axis), strict=True):
            np.testing.assert_array_equal(actual, expected)
            assert_gaps_untouched(actual)


@pytest.mark.covers("rank")
def test_results_do_not_depend_on_threads():
    x = few_values((40, 700), np.float32)
    one, two = (kernels.rank(x, 9, threads=threads) for threads in (1, 2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_errors():
    with pytest.raises(ArgumentError, match="there are 4 elements along axis 0"):
        kernels.rank(np.zeros(4, np.float32), 5)
    with pytest.raises(ArgumentError, match="axis 1 is outside"):
        kernels.rank(np.zeros(4, np.float32), 1, 1)
