"""What a camera does to a scene: focus, motion, light, colour, noise, compression."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.textures import Array, Rng, clamp, grid, noise, resize_field, soften


def defocus(picture: Array, radius: float) -> Array:
    """Blur the planes of ``[h, w, c]`` or a field ``[h, w]``; `radius` in pixels, 1 or more."""
    if picture.ndim == 2:
        return soften(picture, radius)
    return np.stack([soften(picture[..., plane], radius) for plane in range(picture.shape[2])], 2)


def shift_blur(picture: Array, dx: int, dy: int) -> Array:
    """Average along a straight path of (dx, dy) pixels, centred, as a moving subject does."""
    steps = max(abs(dx), abs(dy), 1)
    margin = ((abs(dy), abs(dy)), (abs(dx), abs(dx)), (0, 0))[: picture.ndim]
    padded = np.pad(picture, margin)
    total = np.zeros_like(picture)
    for step in range(steps + 1):
        offset = step / steps - 0.5
        y, x = abs(dy) + round(dy * offset), abs(dx) + round(dx * offset)
        total += padded[y : y + picture.shape[0], x : x + picture.shape[1]]
    return total / np.float32(steps + 1)


def expose(rng: Rng, picture: Array) -> Array:
    """Light falling unevenly, colour cast, gamma, contrast, exposure, sometimes no colour."""
    size = picture.shape[:2]
    if rng.random() < 0.35:
        light = noise(rng, size, rng.uniform(1, 3), 1) * np.float32(rng.uniform(0.2, 0.9))
        picture = picture * (1.3 - light)[..., None]
    if rng.random() < 0.2:
        x, y = grid(size)
        distance = (x - x.max() / 2) ** 2 + (y - 0.5) ** 2
        picture = picture * (1 - distance * np.float32(rng.uniform(0.3, 1.5)))[..., None]
    cast = np.exp(rng.normal(0, 0.08, 3)).astype(np.float32)
    picture = clamp(picture * cast * np.float32(np.exp(rng.normal(0.3, 0.25))))
    picture = picture ** np.float32(np.exp(rng.normal(0, 0.2)))
    contrast, black = np.float32(rng.uniform(0.6, 1.05)), np.float32(rng.uniform(0, 0.15))
    picture = picture * contrast + black * (1 - contrast)
    grey = picture.mean(2, keepdims=True)
    chroma = 0.0 if rng.random() < 0.08 else rng.uniform(0.5, 1.2)
    return clamp(grey + (picture - grey) * np.float32(chroma))


def develop(rng: Rng, picture: Array) -> NDArray[np.uint8]:
    """Softness of the lens, sensor noise, quantisation and often JPEG compression."""
    height, width = picture.shape[:2]
    if rng.random() < 0.35:
        factor = rng.uniform(1.0, 2.2)
        small = (max(8, round(height / factor)), max(8, round(width / factor)))
        planes = [resize_field(picture[..., c], small, Image.Resampling.BILINEAR) for c in range(3)]
        enlarged = [
            resize_field(plane, (height, width), Image.Resampling.BICUBIC) for plane in planes
        ]
        picture = np.stack(enlarged, 2)
    if rng.random() < 0.6:
        deviation = np.float32(rng.exponential(0.018))
        picture = picture + deviation * rng.standard_normal(picture.shape, np.float32)
    pixels = (clamp(picture) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.4:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=int(rng.integers(35, 96)))
        pixels = np.array(Image.open(buffer))
    return pixels
