"""From numbers to histograms and grids."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades.errors import ArgumentError, ModelError
from pyhades.numerics.quantization import fake_quantize
from pyhades.segmentation.quantize.grids import (
    activation_grid,
    grid_between,
    on_weight_grid,
    weight_grid,
    weight_scales,
)
from pyhades.segmentation.quantize.histogram import BINS, Histogram
from pyhades.segmentation.quantize.recipe import Recipe
from pyhades.segmentation.quantize.statistics import EdgeStatistics

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("scales", [(1, 1), (1, 1000), (1e-6, 3), (5, 0)])
def test_histograms_add_up_to_that_of_all(scales):
    parts = [RNG.normal(size=4000) * scale for scale in scales]
    both = Histogram.of(parts[0]) + Histogram.of(parts[1])
    again = Histogram.of(parts[1]) + Histogram.of(parts[0])
    assert both.counts.sum() == 8000 and len(both.counts) <= BINS
    assert both.exponent == again.exponent and np.array_equal(both.counts, again.counts)
    edges = np.ldexp(np.arange(both.first, both.first + len(both.counts) + 1.0), both.exponent)
    assert np.array_equal(both.counts, np.histogram(np.concatenate(parts), edges)[0])


@pytest.mark.parametrize("value", [0.0, 7.5, -1e-30, 3e37])
def test_a_histogram_of_one_number(value):
    found = Histogram.of(np.full(9, value, np.float32))
    assert found.counts.sum() == 9 and len(found.counts) == 1


def test_statistics_keep_ends_and_peaks():
    x = RNG.normal(size=(1, 4, 9, 9)).astype(np.float32)
    both = EdgeStatistics.of(x, 1) + EdgeStatistics.of(2 * x, 1)
    assert (both.low, both.high) == (2 * x.min(), 2 * x.max())
    assert np.allclose(both.peaks, 2 * np.abs(x).max((0, 2, 3)))
    again = EdgeStatistics.from_arrays(both.to_arrays())
    assert again.low == both.low and np.array_equal(again.histogram.counts, both.histogram.counts)


@pytest.mark.parametrize("shape", [(1, 3, 301, 257), (99999, 3), (3, 5, 7), (7,), ()])
def test_statistics_of_large_edges_look_at_part_of_them(shape):
    axis = min(1, max(len(shape) - 1, 0))
    x = np.asarray(np.random.default_rng(1).normal(size=shape) + 1, np.float32)
    x[np.unravel_index(5 % x.size, shape)] = 50
    seen = EdgeStatistics.of(x, axis)
    others = tuple(i for i in range(x.ndim) if i != axis)
    assert seen.high == 50 and np.array_equal(seen.peaks, np.abs(x).max(others).reshape(-1))
    if x.size > 10**5:
        assert np.abs(seen.means - 1).max() < 0.2 and np.abs(seen.variances - 1).max() < 0.3


def test_numbers_that_are_not_finite_are_told_of():
    with pytest.raises(ModelError, match="'edge' has numbers that are not finite"):
        EdgeStatistics.of(np.array([[0, np.nan]], np.float32), 1, "edge")


def test_a_grid_of_what_is_never_negative_begins_at_zero():
    for how in ("mse", "percentile", "largest"):
        seen = EdgeStatistics.of(np.abs(RNG.normal(size=(1, 2, 99))).astype(np.float32), 1)
        grid = activation_grid(seen, Recipe(activations=how))
        assert int(grid.zero_point) == 0 and grid.storage == "uint8"


def test_zero_is_a_point_of_every_grid():
    for low, high in ((-1.0, 3.0), (0.0, 1e-9), (-5.0, 0.0), (0.0, 0.0)):
        grid = grid_between(low, high)
        assert fake_quantize(np.zeros(1, np.float32), grid.scale, grid.zero_point, "uint8") == 0
        assert grid.scale > 0


@pytest.mark.parametrize("freedom", [3, 9])
def test_clipping_by_error_has_less_error_than_the_others(freedom):
    """What is clipped counts twice."""
    x = RNG.standard_t(freedom, size=(1, 1, 100_000)).astype(np.float32)
    errors = {}
    for how in ("mse", "percentile", "largest"):
        grid = activation_grid(EdgeStatistics.of(x, 1), Recipe(activations=how, percentile=99.9))
        off = np.abs(x - fake_quantize(x, grid.scale, grid.zero_point, "uint8"))
        errors[how] = (np.square(off) * np.where(off > grid.scale * 0.51, 2, 1)).mean()
    assert errors["mse"] < errors["percentile"] and errors["mse"] <= errors["largest"] * 1.001


def test_rare_numbers_are_clipped_where_all_others_are_small():
    x = RNG.random((1, 1, 100_000)).astype(np.float32)
    seen = EdgeStatistics.of(np.concatenate([x, np.full((1, 1, 1), 3, np.float32)], axis=2), 1)
    for _ in range(40):
        seen = seen + EdgeStatistics.of(x, 1)
    grid = activation_grid(seen, Recipe())
    assert float(grid.scale) * 255 < 2.9


@pytest.mark.parametrize("axis", [0, 1])
def test_weights_are_symmetric_per_channel(axis):
    weight = RNG.standard_t(2, size=(6, 5, 3, 3)).astype(np.float32)
    weight[2] = 0
    for how in ("largest", "percentile", "mse"):
        scales = weight_scales(weight, axis, how, 99.0)
        assert scales.shape == (weight.shape[axis],) and (scales > 0).all()
        grid = weight_grid(scales, axis)
        rounded = on_weight_grid(weight, grid)
        assert np.abs(grid.integers(rounded)).max() <= 127
        again = on_weight_grid(rounded, grid)
        assert np.array_equal(again, rounded)


def test_a_lone_weight_far_out_is_clipped_where_that_costs_less():
    weight = RNG.normal(size=(2, 100_000)).astype(np.float32)
    weight[:, 0] = 6
    peaks, best = (weight_scales(weight, 0, how, 100) for how in ("largest", "mse"))
    errors = [
        np.square(weight - on_weight_grid(weight, weight_grid(scales, 0))).sum()
        for scales in (peaks, best)
    ]
    assert (best < peaks).all() and errors[1] < errors[0]


@pytest.mark.parametrize(
    "fields",
    [
        {"activations": "kl"},
        {"weights": "?"},
        {"percentile": 3},
        {"rounding": "up"},
        {"equalisation": "?"},
    ],
)
def test_recipes_that_mean_nothing_are_refused(fields):
    with pytest.raises(ArgumentError, match=next(iter(fields))):
        Recipe(**fields)


def test_recipes_are_told_apart():
    odd = Recipe(rounding="nearest", equalisation="all")
    assert Recipe.from_json(odd.to_json()) == odd
    assert Recipe().digest != Recipe(percentile=99.9).digest
