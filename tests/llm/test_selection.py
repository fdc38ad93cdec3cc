"""Selecting without sorting, against sorting."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades.llm.engine.selection import CHUNK, GROUP, SORTED_AT_MOST, draw, largest, nucleus

SIZES = [1, 5, GROUP, GROUP + 1, 5000, 40_000]


def distributions(size: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(size)
    return {
        "normal": random.standard_normal(size).astype(np.float32),
        "ties": random.integers(0, 4, size).astype(np.float32),
        "equal": np.zeros(size, np.float32),
        "masked": np.where(random.random(size) < 0.9, -np.inf, 1.0).astype(np.float32),
        "falling": -np.arange(size, dtype=np.float32),
    }


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", list(distributions(1)))
def test_largest_are_those_of_a_stable_sort(size, kind):
    values = distributions(size)[kind]
    order = np.argsort(-values, kind="stable")
    for count in {0, 1, min(3, size), size // 2, size - 1, size}:
        np.testing.assert_array_equal(largest(values, count), order[:count])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", list(distributions(1)))
@pytest.mark.parametrize("share", [1e-6, 0.3, 0.95, 0.9999])
def test_nucleus_is_that_of_a_stable_sort(size, kind, share):
    values = distributions(size)[kind]
    values[0] = 1
    weights = np.exp(values - values.max())
    order = np.argsort(-weights, kind="stable")
    sums = weights[order].cumsum(dtype=np.float64)
    count = int(np.searchsorted(sums, share * sums[-1])) + 1
    kept = nucleus(weights, share)
    if kind == "normal" and size > SORTED_AT_MOST:  # sums in another order round differently
        assert abs(kept.size - count) <= 1
        count = kept.size
    np.testing.assert_array_equal(kept, np.sort(order[:count]))


def test_nucleus_of_equal_weights_takes_the_first_exactly():
    weights = np.ones(4096, np.float32)
    np.testing.assert_array_equal(nucleus(weights, 0.25), np.arange(1024))


def test_nucleus_crosses_the_parts_of_its_selection():
    weights = np.ones(3 * SORTED_AT_MOST, np.float32)
    weights[::3] = 2
    total = 4 * SORTED_AT_MOST
    for wanted in [1, 2 * SORTED_AT_MOST, 2 * SORTED_AT_MOST + 1, total - 1]:
        kept = nucleus(weights, wanted / total)
        assert weights[kept].sum() >= wanted > weights[kept].sum() - weights[kept].min()


@pytest.mark.parametrize("size", [1, 7, CHUNK, CHUNK + 1, 3 * CHUNK - 1])
def test_draw_is_the_inverse_of_the_cumulative_sum(size):
    weights = np.random.default_rng(size).integers(0, 3, size).astype(np.float32)
    weights[-1] = 1
    sums = weights.cumsum(dtype=np.float64)
    for uniform in np.linspace(0, 1, 401, endpoint=False):
        expected = int(np.searchsorted(sums, uniform * sums[-1], side="right"))
        assert draw(weights, float(uniform)) == expected


def test_draw_never_takes_a_weight_of_zero():
    weights = np.zeros(2 * CHUNK, np.float32)
    weights[[3, CHUNK + 7]] = 0.1
    assert draw(weights, 0.0) == 3
    assert draw(weights, 1 - 2**-53) == CHUNK + 7
    assert draw(weights, 0.5) == CHUNK + 7
