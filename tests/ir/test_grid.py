"""Grids of positions: what onnxruntime leaves open or does otherwise than PyTorch."""

from __future__ import annotations

import numpy as np

from pyhades.numerics.grid import affine_grid, base_grid

IDENTITY = np.float32([[[1, 0, 0], [0, 1, 0]]])


def test_a_single_pixel_lies_in_the_middle() -> None:
    assert not affine_grid(IDENTITY, (1, 1), align_corners=True).any()
    assert not affine_grid(IDENTITY, (1, 1), align_corners=False).any()


def test_the_outermost_pixels() -> None:
    corners = base_grid((2, 3), True, np.dtype(np.float64))
    np.testing.assert_array_equal(corners[[0, -1]], [[-1, -1, 1], [1, 1, 1]])
    edges = base_grid((2, 4), False, np.dtype(np.float64))
    np.testing.assert_array_equal(edges[[0, -1]], [[-0.75, -0.5, 1], [0.75, 0.5, 1]])
