"""The largest part, specks and holes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pyhades.segmentation.finish.regions import fill_holes, keep_largest, remove_specks

Y, X = np.mgrid[:120, :200]
MATTES = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def disc(x, y, radius, softness=3.0):
    """Soft at its contour."""
    level = (radius - np.hypot(Y - y, X - x)) / softness + 0.5
    return (np.clip(level, 0, 1) * 255).astype(np.uint8)


LARGE, SMALL, TINY = disc(60, 60, 40), disc(150, 40, 15), disc(150, 100, 3)
SCENE = LARGE | SMALL | TINY
RING = LARGE - disc(60, 60, 20)


def test_the_largest_part_stays_as_it_is():
    assert np.array_equal(keep_largest(SCENE), LARGE)
    assert np.array_equal(keep_largest(LARGE), LARGE)
    assert not keep_largest(np.zeros((4, 5), np.uint8)).any()


def test_a_haze_joins_nothing_and_soft_hair_does():
    hazy = np.maximum(SCENE, 9)
    kept = keep_largest(hazy)
    assert kept[60, 60] == 255 and kept[40, 150] == 0
    bridge = SCENE.copy()
    bridge[58:62, 60:150] = np.maximum(bridge[58:62, 60:150], 60)
    bridge[40:62, 148:152] = np.maximum(bridge[40:62, 148:152], 60)
    assert keep_largest(bridge)[40, 150] == 255


def test_specks_are_removed_by_their_area():
    assert np.array_equal(remove_specks(SCENE, 100), LARGE | SMALL)
    assert np.array_equal(remove_specks(SCENE, 1), SCENE)
    assert not remove_specks(SCENE, SCENE.size).any()
    wide = np.maximum(LARGE, disc(150, 60, 8, softness=40))  # a small core in a wide rim
    assert np.array_equal(remove_specks(wide, 2200), LARGE)


def test_holes_are_filled_with_their_soft_rim():
    assert np.abs(fill_holes(RING).astype(int) - LARGE).max() <= 255 - 250
    assert np.array_equal(fill_holes(LARGE), LARGE)


def test_large_holes_may_stay():
    area = int((disc(60, 60, 20) >= 128).sum())
    assert np.array_equal(fill_holes(RING, area - 200), RING)
    assert np.array_equal(fill_holes(RING, area + 200), fill_holes(RING))


def test_glass_and_bays_are_no_holes():
    glass = np.where(disc(60, 60, 20) > 0, np.minimum(LARGE, 160), LARGE).astype(np.uint8)
    assert np.array_equal(fill_holes(glass), glass)
    bay = RING.copy()
    bay[56:64, 60:] = 0
    assert np.array_equal(fill_holes(bay), bay)


@settings(deadline=None, max_examples=400)
@given(MATTES, st.integers(1, 20))
def test_what_they_promise_of_any_matte(alpha, least):
    for step in (keep_largest, lambda a: remove_specks(a, least)):
        result = step(alpha)
        assert np.isin(result, [0]).sum() >= (alpha == 0).sum()
        assert ((result == alpha) | (result == 0)).all()
        assert np.array_equal(step(result), result)
    filled = fill_holes(alpha)
    assert ((filled == alpha) | (filled == 255)).all()
