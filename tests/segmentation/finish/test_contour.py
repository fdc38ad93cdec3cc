"""Threshold, choke and feather on shapes whose result is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pyhades.segmentation.finish import contour
from pyhades.segmentation.finish.contour import choke, feather, threshold

Y, X = np.mgrid[-60:61, -80:81]
DISC = np.where(np.hypot(Y, X) <= 40, 255, 0).astype(np.uint8)
MATTES = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@pytest.mark.parametrize("level", [1 / 255, 0.5, 128 / 255, 1.0])
def test_threshold(level):
    levels = np.arange(256, dtype=np.uint8)[None]
    expected = np.where(levels / 255 >= level, 255, 0)
    assert np.array_equal(threshold(levels, level), expected)


@settings(deadline=None)
@given(MATTES)
def test_threshold_is_idempotent(alpha):
    once = threshold(alpha, 0.3)
    assert np.array_equal(threshold(once, 0.3), once)


@pytest.mark.parametrize("radius", [1, 2, 7, 20])
def test_a_disc_becomes_smaller_and_larger_by_the_radius(radius):
    distance = np.hypot(Y, X)
    for signed in (radius, -radius):
        area = int((choke(DISC, signed) > 0).sum())
        assert abs(np.sqrt(area / np.pi) - (np.sqrt((DISC > 0).sum() / np.pi) - signed)) < 0.5
    assert not (choke(DISC, -radius) > 0)[distance > 40 + radius].any()
    assert (choke(DISC, radius) > 0)[distance <= 40 - radius - 1].all()


@settings(deadline=None)
@given(MATTES, st.integers(1, 4))
def test_choke_is_the_smallest_value_in_a_disc(alpha, radius):
    height, width = alpha.shape
    expected = np.full(alpha.shape, 255, np.uint8)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if dy * dy + dx * dx <= radius * radius:
                padded = np.pad(alpha, radius, constant_values=255)
                top, left = radius + dy, radius + dx
                moved = padded[top : top + height, left : left + width]
                expected = np.minimum(expected, moved)
    assert np.array_equal(choke(alpha, radius), expected)


@settings(deadline=None)
@given(MATTES, st.integers(1, 4))
def test_growing_is_choking_the_background(alpha, radius):
    assert np.array_equal(choke(alpha, -radius), 255 - choke(255 - alpha, radius))


def test_choke_does_not_eat_from_the_edge_of_the_picture():
    assert (choke(np.full((5, 9), 255, np.uint8), 3) == 255).all()
    assert (choke(np.zeros((5, 9), np.uint8), -3) == 0).all()


@pytest.mark.parametrize("strip", [1, 3, 50, 1000])
@pytest.mark.parametrize("radius", [-9, 2, 9])
def test_strips_make_no_difference(strip, radius, monkeypatch):
    alpha = np.random.default_rng(0).integers(0, 256, (131, 70)).astype(np.uint8)
    whole = choke(alpha, radius)
    monkeypatch.setattr(contour, "STRIP", strip)
    assert np.array_equal(choke(alpha, radius), whole)


@pytest.mark.parametrize("sigma", [0.6, 1.5, 4, 15])
def test_a_feathered_step_is_the_integral_of_a_gaussian(sigma):
    step = np.zeros((9, 201), np.uint8)
    step[:, 101:] = 255
    bell = np.exp(-(np.arange(-100, 101) ** 2) / (2 * sigma**2))
    padded = np.pad(step[4], 100, mode="edge")
    expected = np.convolve(padded, bell / bell.sum(), "valid")
    assert np.abs(feather(step, sigma)[4] - expected).max() < 0.02 * 255 + 1


def test_feather_keeps_what_is_flat_and_the_mean():
    assert (feather(np.full((20, 30), 77, np.uint8), 5) == 77).all()
    assert abs(float(feather(DISC, 4).mean()) - float(DISC.mean())) < 0.6


@pytest.mark.parametrize("step", [lambda a: choke(a, 3), lambda a: feather(a, 2)])
def test_turned_and_mirrored_pictures_give_turned_and_mirrored_results(step):
    alpha = np.random.default_rng(1).integers(0, 256, (31, 44)).astype(np.uint8)
    for turn in (lambda a: a[::-1], lambda a: a[:, ::-1], lambda a: a.T):
        result = step(np.ascontiguousarray(turn(alpha))).astype(int)
        assert np.abs(result - turn(step(alpha))).max() <= 1
