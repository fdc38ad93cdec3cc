from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pyhades.errors import ModelError
from pyhades.segmentation.catalogue import CATALOGUE
from pyhades.segmentation.manifest import ModelManifest
from pyhades.segmentation.matte import (
    normalise_range,
    prediction_plane,
    quantize,
    upscale,
    upscale_float,
)
from pyhades.segmentation.preprocess import Placement, place

WHOLE = Placement((4, 6), 0, 0, (4, 6))


def manifest(**fields):
    return ModelManifest("m", (4, 6), **fields)


def ramp(low, high, size=(4, 6)):
    return np.linspace(low, high, size[0] * size[1], dtype=np.float32).reshape(size)


def test_u2net_postprocessing_as_its_authors_do_it():
    """normPRED, then Pillow's bilinear resize of the uint8 map."""
    rng = np.random.default_rng(0)
    output = rng.random((1, 1, 320, 320), np.float32) * 0.6 + 0.2
    entry = CATALOGUE["u2net"]
    plane = normalise_range(prediction_plane(output, entry, place((700, 900), entry)), entry)
    predicted = output[0, 0]
    expected = (predicted - predicted.min()) / (predicted.max() - predicted.min())
    np.testing.assert_allclose(plane, expected, atol=1e-6)
    theirs = Image.fromarray((expected * 255).astype(np.uint8)).resize((900, 700), 2)
    ours = upscale(plane, (700, 900), entry)
    # They cut to uint8 before they interpolate.
    assert np.abs(ours.astype(int) - np.asarray(theirs)).max() <= 2


def test_activations_are_applied_and_do_not_overflow():
    logits = ramp(-200, 200)
    sigmoid = prediction_plane(logits[None, None], manifest(activation="sigmoid"), WHOLE)
    expected = 1 / (1 + np.exp(-logits.astype(np.float64)))
    np.testing.assert_allclose(sigmoid, expected, atol=1e-7)
    two = np.stack([np.zeros_like(logits), logits])[None]
    fields = {"activation": "softmax", "foreground": 1}
    np.testing.assert_allclose(
        prediction_plane(two, manifest(**fields), WHOLE), expected, atol=1e-7
    )


@pytest.mark.parametrize("shape", [(4, 6), (1, 4, 6), (1, 1, 4, 6)])
def test_output_ranks(shape):
    plane = ramp(0, 1)
    np.testing.assert_array_equal(prediction_plane(plane.reshape(shape), manifest(), WHOLE), plane)


@pytest.mark.parametrize(
    "shape, fields, complaint",
    [
        ((2, 1, 4, 6), {}, "expected \\[1, c, h, w\\]"),
        ((24,), {}, "expected \\[1, c, h, w\\]"),
        ((1, 1, 4, 6), {"foreground": 1}, "has one channel"),
        ((1, 1, 4, 6), {"activation": "softmax"}, "more than one channel"),
    ],
)
def test_outputs_that_do_not_fit(shape, fields, complaint):
    with pytest.raises(ModelError, match=complaint):
        prediction_plane(np.zeros(shape, np.float32), manifest(**fields), WHOLE)


def test_values_that_are_not_finite_are_an_error():
    plane = ramp(0, 1)
    plane[1, 1] = np.nan
    with pytest.raises(ModelError, match="not finite"):
        prediction_plane(plane, manifest(), WHOLE)


def test_padding_is_cropped_also_at_a_lower_resolution():
    placement = Placement((64, 128), 0, 32, (64, 64))
    output = np.zeros((1, 1, 16, 32), np.float32)
    output[..., 8:24] = 1
    plane = prediction_plane(output, manifest(), placement)
    assert plane.shape == (16, 16) and (plane == 1).all()


def test_minmax_stretches_a_real_prediction():
    plane = normalise_range(ramp(0.2, 0.7), manifest(range="minmax"))
    assert plane.min() == 0 and plane.max() == 1


@pytest.mark.parametrize("level", [0.0, 0.004, 0.5, 0.93])
def test_minmax_does_not_stretch_noise(level):
    """Nothing found (or all of it) must not become a full-contrast matte."""
    noise = ramp(level, level + 0.05)
    np.testing.assert_array_equal(normalise_range(noise, manifest(range="minmax")), noise)


def test_minmax_of_uncalibrated_outputs():
    assert normalise_range(ramp(-3, -2.99), manifest(range="minmax")).max() == 1
    constant = normalise_range(np.full((4, 6), -3, np.float32), manifest(range="minmax"))
    assert not constant.any()


def test_clip():
    plane = normalise_range(ramp(-1, 2), manifest(range="clip"))
    assert plane.min() == 0 and plane.max() == 1 and np.unique(plane).size < 24


def test_quantize_rounds_half_up():
    assert quantize(np.array([0, 0.5 / 255, 1.49 / 255, 1], np.float32)).tolist() == [0, 1, 1, 255]


@pytest.mark.parametrize("mode", ["bilinear", "bilinear-align-corners", "bicubic"])
def test_upsampling_keeps_constants_and_range(mode):
    entry = manifest(upsample=mode)
    assert (upscale(np.ones((4, 6), np.float32), (37, 53), entry) == 255).all()
    checks = (np.indices((4, 6)).sum(0) % 2).astype(np.float32)
    up = upscale_float(checks, (37, 53), entry)
    assert up.shape == (37, 53) and up.min() >= 0 and up.max() <= 1
    assert np.abs(quantize(up).astype(int) - upscale(checks, (37, 53), entry)).max() <= 1


def test_aligned_corners_meet():
    plane = ramp(0, 1)
    up = upscale_float(plane, (13, 17), manifest(upsample="bilinear-align-corners"))
    np.testing.assert_allclose(
        up[[0, 0, -1, -1], [0, -1, 0, -1]], plane[[0, 0, -1, -1], [0, -1, 0, -1]]
    )
