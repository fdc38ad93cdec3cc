"""Crop, size and canvas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyhades.segmentation.finish.layout import Layout, subject_box, with_margin

SIDES = st.integers(1, 60)


def picture(height, width, channels=4, dtype=np.uint8):
    rng = np.random.default_rng(height * 97 + width)
    return rng.integers(0, np.iinfo(dtype).max + 1, (height, width, channels)).astype(dtype)


def test_the_box_is_around_what_is_visible():
    alpha = np.zeros((30, 40), np.uint8)
    alpha[5:20, 8:31] = 255
    alpha[0, 0] = 2  # next to nothing
    assert subject_box(alpha) == (8, 5, 31, 20)
    assert subject_box(np.zeros((3, 3), np.uint8)) is None
    assert subject_box(np.full((3, 5), 255, np.uint8)) == (0, 0, 5, 3)


def test_margins_end_with_the_picture():
    assert with_margin((8, 5, 31, 20), 3, (30, 40)) == (5, 2, 34, 23)
    assert with_margin((8, 5, 31, 20), "10%", (30, 40)) == (6, 3, 33, 22)
    assert with_margin((8, 5, 31, 20), 100, (30, 40)) == (0, 0, 40, 30)


def test_a_crop_is_a_part_of_the_picture():
    pixels = picture(30, 40)
    assert np.array_equal(Layout.of((8, 5, 31, 20)).apply(pixels), pixels[5:20, 8:31])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_canvas_centres(dtype):
    pixels = picture(10, 20, dtype=dtype)
    shown = Layout.of((0, 0, 20, 10), canvas=(31, 40)).apply(pixels)
    assert shown.shape == (40, 31, 4) and np.array_equal(shown[15:25, 5:25], pixels)
    assert int(shown.sum(dtype=np.int64)) == int(pixels.sum(dtype=np.int64))


def test_edges_go_on_where_they_are_asked_to():
    pixels = picture(4, 4, 3)
    shown = Layout.of((0, 0, 4, 4), canvas=(8, 8)).apply(pixels, edge=True)
    assert (shown[0, 0] == pixels[0, 0]).all() and (shown[7, 4] == pixels[3, 2]).all()


@settings(deadline=None)
@given(SIDES, SIDES, st.integers(1, 80), st.none() | st.tuples(SIDES, SIDES))
def test_sizes(height, width, long_side, canvas):
    layout = Layout.of((0, 0, width, height), long_side=long_side, canvas=canvas)
    shown = layout.apply(picture(height, width))
    if canvas is None:
        assert max(shown.shape[:2]) == long_side
    else:
        assert shown.shape[1::-1] == canvas and layout.scaled <= layout.size
    tall, wide = layout.scaled
    factor = max(tall, wide) / max(height, width)
    assert abs(tall - height * factor) <= 1 and abs(wide - width * factor) <= 1


@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 3), (np.uint16, 3)])
def test_colours_of_what_is_transparent_do_not_bleed(dtype, most):
    pixels = np.zeros((40, 40, 4), dtype)
    full = np.iinfo(dtype).max
    pixels[:, :20] = (full, 0, 0, full)
    pixels[:, 20:] = (0, full, 0, 0)
    shown = Layout.of((0, 0, 40, 40), long_side=15).apply(pixels)
    seen = shown[shown[..., 3] > full // 4]
    assert (seen[:, 0] >= full - most * full // 255).all() and (seen[:, 1] <= full // 50).all()


def test_sixteen_bits_are_scaled_as_eight_are():
    eight = picture(37, 52)
    eight[..., 3] |= 64
    layout = Layout.of((2, 3, 50, 30), long_side=20)
    deep = layout.apply(eight.astype(np.uint16) * 257)
    assert np.abs(deep / 257 - layout.apply(eight)).max() < 4
    grey = Layout.of((0, 0, 52, 37), long_side=20).apply(eight[..., 0].astype(np.uint16) * 257)
    assert grey.shape == (14, 20) and grey.dtype == np.uint16
