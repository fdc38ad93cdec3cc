"""A shadow lies where it should, and below."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.segmentation import Shadow
from pyhades.segmentation.finish import shadow as module

RGBA = np.zeros((60, 80, 4), np.uint8)
RGBA[20:40, 30:50] = (200, 100, 50, 255)
RGBA[20:40, 29] = RGBA[20:40, 50] = (200, 100, 50, 90)


def test_it_is_the_matte_moved():
    cast = Shadow((7, -3), blur=0, opacity=1).cast_by(RGBA[..., 3])
    assert np.array_equal(cast[17:37, 36:58], RGBA[20:40, 29:51, 3])
    assert cast.sum(dtype=int) == RGBA[..., 3].sum(dtype=int)
    assert not Shadow((100, 0)).cast_by(RGBA[..., 3]).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_it_lies_below(dtype):
    most = np.iinfo(dtype).max
    rgba = RGBA.astype(dtype) * (most // 255)
    cut = rgba.copy()
    shown = Shadow((4, 5), blur=2.5, opacity=0.6, colour=(10, 20, 200)).under(rgba)
    opaque = rgba[..., 3] == most
    assert np.array_equal(shown[opaque], rgba[opaque]) and np.array_equal(rgba, cut)
    alone = (rgba[..., 3] == 0) & (shown[..., 3] > 0)
    assert (shown[alone][:, :3] == np.array((10, 20, 200)) * (most // 255)).all()
    assert (shown[..., 3] >= rgba[..., 3]).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_on_a_background_it_is_shadow_first_and_subject_then(dtype):
    most = np.iinfo(dtype).max
    rgba = RGBA.astype(dtype) * (most // 255)
    shadow = Shadow((2, 1), blur=3, opacity=0.5, colour="navy")
    shown = shadow.under(rgba).astype(float) / most
    cast = shadow.cast_by(RGBA[..., 3])[..., None] / 255
    front, opacity = rgba[..., :3] / most, rgba[..., 3:] / most
    behind = np.array((0.2, 0.9, 0.4))
    expected = behind * (1 - cast) + np.array((0, 0, 128)) / 255 * cast
    expected = expected * (1 - opacity) + front * opacity
    over = behind * (1 - shown[..., 3:]) + shown[..., :3] * shown[..., 3:]
    assert np.abs(over - expected).max() < 1.5 / 255


def test_strips_make_no_difference(monkeypatch):
    whole = Shadow().under(RGBA)
    monkeypatch.setattr(module, "STRIP", 7)
    assert np.array_equal(Shadow().under(RGBA), whole)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"offset": 3}, ArgumentTypeError, "offset=3"),
        ({"offset": (1, 2, 3)}, ArgumentTypeError, "offset"),
        ({"offset": (1.5, 0)}, ArgumentTypeError, "offset=1.5"),
        ({"offset": (20_000, 0)}, ArgumentError, "further"),
        ({"blur": -1}, ArgumentError, "blur=-1"),
        ({"blur": float("nan")}, ArgumentError, "blur=nan"),
        ({"opacity": 0}, ArgumentError, "opacity=0"),
        ({"opacity": 40}, ArgumentError, "opacity=40"),
        ({"colour": "blak"}, ArgumentError, "'blak'"),
        ({"colour": "#00000080"}, ArgumentError, "opacity="),
        ({"colour": (1, 2)}, ArgumentTypeError, "colour"),
        ({"colour": (1, 2, 300)}, ArgumentError, "0..255"),
    ],
)
def test_wrong_values(wrong, error, message):
    with pytest.raises(error, match=message):
        Shadow(**wrong)
