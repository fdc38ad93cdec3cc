"""Softmax against its NumPy reference in float64."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.kernels import reference
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty
from tests.support.tolerances import EPS32
from tests.support.tolerances import assert_close as assert_within

WIDTHS = [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 144, 1000, 20011]


def scores(rows, n, scale=4.0):
    values = np.random.default_rng([rows, n]).standard_normal((rows, n)) * scale
    return values.astype(np.float32)


def assert_close(actual, expected, n):
    """exp is good to 2 ulp, the sum of n positive terms to n / 16 + 64 roundings."""
    relative = (n / 16 + 80) * 2.0**-24
    error = np.abs(actual.astype(np.float64) - expected)
    assert np.all(error <= relative * np.abs(expected) + 2.0**-126), error.max()


@pytest.mark.covers("softmax_f32")
@pytest.mark.parametrize("n", WIDTHS)
def test_softmax(isa, n):
    x = scores(3, n)
    assert_close(kernels.softmax(x, isa=isa), reference.softmax(x), n)


@pytest.mark.parametrize("n", WIDTHS)
def test_logarithm(isa, n):
    x = scores(3, n)
    expected = reference.log_softmax(x)
    bound = (n / 16 + 80) * 2.0**-24 * (1 + np.abs(x).max() + np.abs(expected))
    assert np.all(np.abs(kernels.log_softmax(x, isa=isa) - expected) <= bound)


@pytest.mark.covers("softmax_f32")
@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("log", [0, 1])
@pytest.mark.parametrize("n", WIDTHS[:-1])
def test_rows_stay_inside_their_memory(isa, n, log, at):
    x = scores(5, n, 10.0)
    x[1] += 1e4
    x[2, : n // 2] = -np.inf
    source, y = guarded(x, (n + 3, 1), at), guarded_empty((5, n), strides=(n + 2, 1), at=at)
    _native.call("softmax", [source], [y], {"log": log}, isa=isa)
    expected = (reference.log_softmax if log else reference.softmax)(x)
    hidden = np.isneginf(expected)
    assert np.array_equal(np.isneginf(y), hidden)
    actual, expected = np.where(hidden, 0, y), np.where(hidden, 0, expected)
    # exp multiplies the rounding of its argument; log adds that of a sum of n terms.
    bound = (n / 16 + 72) * EPS32 * (1 + np.abs(expected) if log else expected) + 1e-36
    assert_within(actual, expected, bound)
    assert_gaps_untouched(y)


@pytest.mark.covers("softmax_f32")
@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("log", [0, 1])
@pytest.mark.parametrize("n", [1, 2, 3, 15, 16])
def test_many_short_rows(isa, n, log, at):
    x = scores(37, n, 10.0)
    x[3::7] = -np.inf
    x[4::7, 0] = -np.inf
    x[5, -1] = np.nan
    source, y = guarded(x, (n + 1, 1), at), guarded_empty((37, n), strides=(n + 2, 1), at=at)
    _native.call("softmax", [source], [y], {"log": log}, isa=isa)
    assert_gaps_untouched(y)
    assert np.isnan(y[5]).all()
    finite = np.arange(37) != 5
    expected = (reference.log_softmax if log else reference.softmax)(x[finite])
    actual, hidden = np.asarray(y)[finite], np.isneginf(expected)
    assert np.array_equal(np.isneginf(actual), hidden)
    actual, expected = np.where(hidden, 0, actual), np.where(hidden, 0, expected)
    bound = (n / 16 + 72) * EPS32 * (1 + np.abs(expected) if log else expected) + 1e-36
    assert_within(actual, expected, bound)
    _native.call("softmax", [source], [source], {"log": log}, isa=isa)
    assert np.array_equal(np.asarray(source), np.asarray(y), equal_nan=True)


def test_huge_scores_do_not_overflow(isa):
    x = np.array([[3e38, 3e38, -3e38], [-3e38, -3e38, -3e38]], np.float32)
    expected = [[0.5, 0.5, 0], [1 / 3] * 3]
    assert np.allclose(kernels.softmax(x, isa=isa), expected, rtol=1e-6, atol=0)


def test_masked_scores(isa):
    x = scores(3, 37)
    x[:, 5:20] = -np.inf
    x[2] = -np.inf
    y = kernels.softmax(x, isa=isa)
    assert not y[:, 5:20].any() and not y[2].any()
    assert_close(y[:2], reference.softmax(x[:2]), 37)


def test_nan_spreads_over_its_row_only(isa):
    x = scores(2, 33)
    x[0, 7] = np.nan
    y = kernels.softmax(x, isa=isa)
    assert np.isnan(y[0]).all() and np.isfinite(y[1]).all()


def test_results_do_not_depend_on_threads(isa):
    x = scores(700, 145)
    alone = kernels.softmax(x, threads=1, isa=isa)
    assert all(np.array_equal(alone, kernels.softmax(x, threads=t, isa=isa)) for t in (2, 3))
