"""The cut-out kernel against its NumPy specification, bit for bit on every tier."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty

SHAPES = [(1, 1), (1, 7), (5, 1), (13, 17), (33, 65), (64, 128), (31, 700), (500, 40), (97, 263)]


def soft_disc(height, width):
    """A matte with a soft edge a few pixels wide."""
    y, x = np.mgrid[0:height, 0:width]
    radius = 0.35 * max(height, width)
    distance = np.hypot(y - height / 2, x - width / 2)
    return np.clip((radius - distance) * 40 + 128, 0, 255).astype(np.uint8)


@pytest.mark.covers("cut_out_u8")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("matte", ["disc", "noise", "opaque", "empty", "thin"])
def test_equals_the_reference(isa, shape, matte):
    rng = np.random.default_rng(shape)
    image = guarded(rng.integers(0, 256, (*shape, 3), np.uint8))
    alpha = {
        "disc": soft_disc(*shape),
        "noise": rng.integers(0, 256, shape, np.uint8),
        "opaque": np.full(shape, 255, np.uint8),
        "empty": np.zeros(shape, np.uint8),
        "thin": np.full(shape, 1, np.uint8),
    }[matte]
    alpha = guarded(alpha)
    for options in ({}, {"keep_hidden": True}, {"estimate_foreground": False}):
        out = guarded_empty((*shape, 4), np.uint8)
        kernels.cut_out(image, alpha, isa=isa, out=out, **options)
        np.testing.assert_array_equal(out, reference.cut_out(image, alpha, **options))
        assert_gaps_untouched(out)


def test_is_equal_for_any_number_of_threads():
    image = np.random.default_rng(1).integers(0, 256, (211, 307, 3), np.uint8)
    alpha = soft_disc(211, 307)
    one = kernels.cut_out(image, alpha, threads=1)
    for threads in (2, 3):
        np.testing.assert_array_equal(kernels.cut_out(image, alpha, threads=threads), one)


def test_removes_the_background_from_soft_pixels():
    foreground, background = np.array([200, 100, 50]), np.array([10, 200, 240])
    alpha = soft_disc(300, 400)
    weight = alpha[..., None] / 255
    image = np.rint(foreground * weight + background * (1 - weight)).astype(np.uint8)
    estimate = kernels.cut_out(image, alpha)[..., :3].astype(int)
    half = (alpha > 64) & (alpha < 255)
    assert np.abs(image.astype(int) - foreground)[half].max() > 100
    assert np.abs(estimate - foreground)[half].max() <= 8


def test_hidden_colours_are_dropped_unless_kept():
    image = np.full((4, 4, 3), 77, np.uint8)
    alpha = np.zeros((4, 4), np.uint8)
    assert not kernels.cut_out(image, alpha).any()
    assert (kernels.cut_out(image, alpha, keep_hidden=True)[..., :3] == 77).all()


def test_bad_arguments_are_named():
    image, alpha = np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.uint8)
    with pytest.raises(ArgumentError, match="image"):
        kernels.cut_out(image[:, :4], alpha)
    with pytest.raises(ArgumentTypeError, match="alpha"):
        kernels.cut_out(image, alpha.astype(np.float32))
    assert kernels.cut_out(np.zeros((0, 5, 3), np.uint8), alpha[:0]).shape == (0, 5, 4)
