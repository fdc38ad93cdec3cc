"""Cut-outs by blur fusion, over whole images and with the same integer sums as the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

MAXIMUM_CELLS = 240
WIDE_RADIUS = 11
NARROW_RADIUS = 6


def cut_out(
    image: NDArray[np.uint8], alpha: NDArray[np.uint8], estimate_foreground: bool, keep_hidden: bool
) -> NDArray[np.uint8]:
    """RGBA of an RGB image; where alpha is soft, colours are those of the foreground alone.

    Blur fusion in two passes: averages of colours weighted by alpha and by 255 - alpha stand for
    what lies before and behind, and what the mixture of both leaves unexplained goes to the
    foreground (Forte 2021). What is hidden becomes black unless it is kept.
    """
    result = np.empty((*alpha.shape, 4), np.uint8)
    result[..., :3] = image
    result[..., 3] = alpha
    soft = (alpha > 0) & (alpha < 255)
    if estimate_foreground and soft.any():
        result[soft, :3] = _estimate(image, alpha, soft)[soft]
    if not keep_hidden:
        result[alpha == 0] = 0
    return result


def _estimate(
    image: NDArray[np.uint8], alpha: NDArray[np.uint8], soft: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    weight = (alpha.astype(np.float32) / np.float32(255))[..., None]
    wide_foreground, wide_background = _wide_averages(image, alpha)
    foreground = np.where(
        soft[..., None], _fuse(image, weight, wide_foreground, wide_background), image
    )
    background = np.where(soft[..., None], wide_background, image)
    solid = alpha.astype(np.int64)[..., None]
    narrow_foreground = _weighted_average(foreground, solid)
    narrow_background = _weighted_average(background, 255 - solid)
    return _fuse(image, weight, narrow_foreground, narrow_background)


def _fuse(image: Any, weight: Any, foreground: Any, background: Any) -> NDArray[np.uint8]:
    image, foreground, background = (a.astype(np.float32) for a in (image, foreground, background))
    residual = image - weight * foreground - (np.float32(1) - weight) * background
    fused = foreground + weight * residual + np.float32(0.5)
    colour: NDArray[np.uint8] = np.clip(fused, 0, 255).astype(np.uint8)
    return colour


def _wide_averages(image: Any, alpha: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Average colours weighted by alpha and by 255 - alpha, from samples of a grid of cells."""
    height, width = alpha.shape
    cell = -(-max(height, width) // MAXIMUM_CELLS)
    step = -(-cell // 3)
    rows, columns = (_samples(side, cell, step) for side in (height, width))
    image_samples = image[rows][:, columns].astype(np.int64)
    alpha_samples = alpha[rows][:, columns].astype(np.int64)[..., None]
    averages = []
    for weight in (alpha_samples, 255 - alpha_samples):
        terms = np.concatenate([image_samples * weight, weight], axis=2)
        sums = np.zeros((-(-height // cell), -(-width // cell), 4), np.int64)
        np.add.at(sums, (rows[:, None] // cell, columns // cell), terms)
        sums = _box_sum(_box_sum(sums, 0, WIDE_RADIUS), 1, WIDE_RADIUS).astype(np.float32)
        total = sums[..., 3:]
        colour = sums[..., :3] / np.where(total > 0, total, np.float32(1)) + np.float32(0.5)
        in_pixels = (np.arange(height)[:, None] // cell, np.arange(width) // cell)
        known = (total > 0)[in_pixels]
        averages.append(np.where(known, colour.astype(np.uint8)[in_pixels], image))
    return averages[0], averages[1]


def _samples(side: int, cell: int, step: int) -> NDArray[np.int64]:
    positions = np.arange(side)
    samples: NDArray[np.int64] = positions[positions % cell % step == 0]
    return samples


def _weighted_average(colour: Any, weight: Any) -> NDArray[np.float32]:
    terms = np.concatenate([colour * weight, weight], axis=2)
    sums = _box_sum(_box_sum(terms, 0, NARROW_RADIUS), 1, NARROW_RADIUS).astype(np.float32)
    # Only read at soft pixels, where both weights are positive.
    average: NDArray[Any] = sums[..., :3] / np.maximum(sums[..., 3:], np.float32(1))
    return average


def _box_sum(values: NDArray[np.int64], axis: int, radius: int) -> NDArray[np.int64]:
    """Sum over ``2 * radius + 1`` neighbours, as many as there are at the borders."""
    length = values.shape[axis]
    start = np.zeros_like(np.take(values, [0], axis))
    running = np.concatenate([start, np.cumsum(values, axis)], axis)
    position = np.arange(length)
    last = np.take(running, np.minimum(position + radius + 1, length), axis)
    first = np.take(running, np.maximum(position - radius, 0), axis)
    sums: NDArray[np.int64] = last - first
    return sums
