"""Error bounds that follow from the arithmetic, with a float64 result as the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

EPS32 = 2.0**-24  # unit roundoff of float32
SMALLEST_NORMAL = 2.0**-126


def ulp(expected: Array) -> Array:
    """Spacing of float32 numbers at each value of the float64 array ``expected``."""
    exponent = np.floor(np.log2(np.maximum(np.abs(expected), SMALLEST_NORMAL)))
    return np.exp2(exponent - 23)


def assert_within_ulps(actual: Array, expected: Array, ulps: float) -> None:
    """Every float32 result is within ``ulps`` of the float64 truth; infinities and NaN agree.

    Results below the smallest normal number may be zero: workers flush denormals.
    """
    expected = np.asarray(expected, np.float64)
    overflows = np.abs(expected) > np.finfo(np.float32).max
    expected = np.where(overflows, np.copysign(np.inf, expected), expected)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite].astype(np.float32))
    error = np.abs(actual[finite].astype(np.float64) - expected[finite])
    allowed = ulps * ulp(expected[finite]) + np.where(
        np.abs(expected[finite]) < 2 * SMALLEST_NORMAL, 2 * SMALLEST_NORMAL, 0.0
    )
    worst = np.argmax(error / allowed) if error.size else 0
    assert np.all(error <= allowed), (
        f"{error[worst] / ulp(expected[finite][worst]):.3g} ulp off at result "
        f"{expected[finite][worst]!r}, allowed {ulps}"
    )


def sum_bound(terms: Array, axis: int | tuple[int, ...] | None = -1, extra: float = 4.0) -> Array:
    """Bound on the error of a float32 sum of ``terms`` taken in blocks.

    Blocked and vectorised sums add at most ``n / 16 + 64`` numbers one after another; ``extra`` is
    the number of roundings per term before it is added.
    """
    count = terms.size if axis is None else np.prod(np.take(terms.shape, axis))
    depth = count / 16 + 64 + extra
    return depth * EPS32 * np.abs(terms.astype(np.float64)).sum(axis=axis, keepdims=True)


def assert_close(actual: Array, expected: Array, bound: Array | float) -> None:
    """``|actual - expected| <= bound`` element by element, reported relative to the bound."""
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    error = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    ratio = error / np.maximum(np.broadcast_to(bound, error.shape), np.finfo(np.float64).tiny)
    assert not np.isnan(actual).any() or np.isnan(expected).any(), "unexpected NaN"
    assert np.all(error <= bound), f"worst error is {ratio.max():.3g} times the bound"
