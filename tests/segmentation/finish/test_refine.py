"""The guided filter: against its definition, in tiles, and on edges that are known."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from pyhades.errors import ArgumentError
from pyhades.segmentation import Refinement
from pyhades.segmentation.finish.guided import box_mean, coefficients
from pyhades.segmentation.finish.refine import reduced

RNG = np.random.default_rng(0)


def window(y, x, radius):
    return slice(max(0, y - radius), y + radius + 1), slice(max(0, x - radius), x + radius + 1)


def test_the_filter_is_least_squares_in_every_window():
    colour = RNG.random((3, 9, 11)).astype(np.float32)
    opacity = RNG.random((9, 11)).astype(np.float32)
    radius, penalty = 2, 0.01
    local = np.empty((4, 9, 11))
    for y, x in np.ndindex(9, 11):
        near = window(y, x, radius)
        samples = colour[:, *near].reshape(3, -1).T
        values = opacity[near].ravel()
        centred = samples - samples.mean(axis=0)
        matrix = centred.T @ centred / len(samples) + penalty * np.eye(3)
        factors = np.linalg.solve(matrix, centred.T @ (values - values.mean()) / len(samples))
        local[:3, y, x] = factors
        local[3, y, x] = values.mean() - factors @ samples.mean(axis=0)
    expected = np.stack([box_mean(plane, radius) for plane in local])
    assert np.abs(coefficients(colour, opacity, radius, penalty) - expected).max() < 1e-4


@pytest.mark.parametrize("radius", [0, 1, 3, 50])
def test_box_means(radius):
    plane = RNG.random((7, 12))
    expected = [plane[window(y, x, radius)].mean() for y, x in np.ndindex(7, 12)]
    assert np.allclose(box_mean(plane, radius).ravel(), expected)


@pytest.mark.parametrize("side", [1, 3, 5, 40])
def test_reduced_is_the_mean_of_squares(side):
    pixels = RNG.integers(0, 256, (17, 23, 3)).astype(np.uint8)
    for row, column in np.ndindex(-(-17 // side), -(-23 // side)):
        square = pixels[row * side :, column * side :][:side, :side]
        expected = square.mean(axis=(0, 1)) / 255
        assert np.allclose(reduced(pixels, side)[:, row, column], expected, atol=1e-6)


def scene(height=300, width=420):
    """A sharp disc of one colour on another, with noise, and a matte that was small."""
    y, x = np.mgrid[:height, :width]
    truth = np.where(np.hypot(y - 140, x - 200) < 90, 255, 0).astype(np.uint8)
    colours = np.where(truth[..., None] > 0, (60, 40, 30), (180, 190, 200))
    rgb = np.clip(colours + RNG.normal(0, 3, (height, width, 3)), 0, 255).astype(np.uint8)
    coarse = reduced(truth[..., None], 10)[0]
    blurred = np.kron(coarse, np.ones((10, 10)))[:height, :width]
    return rgb, truth, np.round(blurred * 255).astype(np.uint8)


def error(alpha, truth):
    return np.abs(alpha.astype(int) - truth).mean()


def test_edges_come_from_the_picture():
    rgb, truth, alpha = scene()
    refined = Refinement(grid=42).apply(rgb, alpha)
    assert error(refined, truth) < 0.4 * error(alpha, truth)


@pytest.mark.parametrize("tile", [1, 3, 8, 1000])
def test_tiles_make_no_difference(tile):
    rgb, _, alpha = scene(203, 317)
    how = Refinement(grid=64)
    assert np.array_equal(how.apply(rgb, alpha, tile=tile), how.apply(rgb, alpha))


def test_what_is_far_from_the_contour_stays():
    rgb, _, alpha = scene()
    copy = alpha.copy()
    refined = Refinement(grid=42, radius=2).apply(rgb, alpha)
    y, x = np.mgrid[:300, :420]
    far = np.abs(np.hypot(y - 140, x - 200) - 90) > 80
    assert np.array_equal(refined[far], alpha[far]) and np.array_equal(alpha, copy)


@pytest.mark.parametrize("level", [0, 255])
def test_flat_mattes_stay(level):
    rgb = RNG.integers(0, 256, (50, 60, 3)).astype(np.uint8)
    alpha = np.full((50, 60), level, np.uint8)
    assert np.array_equal(Refinement().apply(rgb, alpha), alpha)


def test_a_picture_without_detail_teaches_nothing():
    alpha = np.full((64, 64), 130, np.uint8)
    refined = Refinement(grid=16).apply(np.full((64, 64, 3), 90, np.uint8), alpha)
    assert np.abs(refined.astype(int) - 130).max() <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (2000, 3)])
def test_strange_sizes(shape):
    rgb = RNG.integers(0, 256, (*shape, 3)).astype(np.uint8)
    alpha = RNG.integers(0, 256, shape).astype(np.uint8)
    assert Refinement(grid=100).apply(rgb, alpha).shape == shape


@pytest.mark.parametrize("wrong", [{"grid": 2}, {"radius": 0}, {"penalty": 0.0}])
def test_wrong_values(wrong):
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        Refinement(**wrong)


@pytest.mark.slow
def test_fifty_megapixels_take_little_memory():
    shape = 5776, 8664
    row = RNG.integers(0, 256, (1, shape[1], 3)).astype(np.uint8)
    rgb = np.broadcast_to(row, (*shape, 3))
    alpha = np.zeros(shape, np.uint8)
    alpha[1500:4000, 2000:6000] = 255
    tracemalloc.start()
    try:
        Refinement().apply(rgb, alpha)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < alpha.nbytes + 250_000_000
