"""Procedural colours and textures, the surfaces of the training scenes.

Everything here is a pure function of a ``numpy.random.Generator``. Images are float32 arrays
``[height, width, 3]`` and fields are float32 ``[height, width]``, both in [0, 1].
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]
Size = tuple[int, int]  # height, width
Rng = np.random.Generator


def clamp(values: NDArray[Any], low: float = 0.0) -> Array:
    """Limit values to [`low`, 1], as float32."""
    limited: Array = np.clip(values, low, 1).astype(np.float32, copy=False)
    return limited


def rgb(red: float, green: float, blue: float) -> Array:
    """Name a colour."""
    return np.array([red, green, blue], np.float32)


SKIN_TONES = np.array(
    [
        (0.96, 0.84, 0.75),
        (0.90, 0.72, 0.59),
        (0.80, 0.60, 0.46),
        (0.64, 0.44, 0.31),
        (0.48, 0.32, 0.23),
        (0.32, 0.21, 0.16),
    ],
    np.float32,
)
HAIR_TONES = np.array(
    [
        (0.06, 0.05, 0.05),
        (0.17, 0.11, 0.08),
        (0.33, 0.21, 0.13),
        (0.62, 0.45, 0.26),
        (0.85, 0.74, 0.52),
        (0.52, 0.24, 0.12),
        (0.62, 0.61, 0.60),
        (0.88, 0.88, 0.87),
    ],
    np.float32,
)


def resize_field(field: Array, size: Size, kernel: Image.Resampling) -> Array:
    """Resample a float field ``[h, w]`` to `size` with one of Pillow's kernels."""
    image = Image.fromarray(np.ascontiguousarray(field, np.float32))
    return np.asarray(image.resize((size[1], size[0]), kernel), np.float32)


def soften(field: Array, radius: float) -> Array:
    """Blur a field cheaply by shrinking it `radius` times and enlarging it smoothly."""
    height, width = field.shape
    small = (max(3, round(height / radius)), max(3, round(width / radius)))
    shrunk = resize_field(field, small, Image.Resampling.BILINEAR)
    return resize_field(shrunk, (height, width), Image.Resampling.BICUBIC)


def pick_tone(rng: Rng, tones: Array) -> Array:
    """Blend two neighbouring entries of a table of tones, with a little scatter."""
    index = int(rng.integers(len(tones) - 1))
    mixed = tones[index] + (tones[index + 1] - tones[index]) * np.float32(rng.random())
    return clamp(mixed + rng.normal(0, 0.02, 3), 0.02)


def colour(rng: Rng) -> Array:
    """Draw a colour: muted earths, greys, saturated paints, or skies and leaves."""
    kind = rng.random()
    if kind < 0.35:
        hsv = (rng.uniform(0, 0.16), rng.uniform(0.1, 0.6), rng.uniform(0.1, 0.9))
    elif kind < 0.60:
        hsv = (rng.random(), rng.uniform(0, 0.12), rng.beta(0.8, 0.8))
    elif kind < 0.82:
        hsv = (rng.random(), rng.uniform(0.5, 1), rng.uniform(0.25, 1))
    else:
        hsv = (rng.uniform(0.22, 0.68), rng.uniform(0.15, 0.7), rng.uniform(0.15, 0.95))
    return np.array(colorsys.hsv_to_rgb(*hsv), np.float32)


def contrasting(rng: Rng, other: Array, least: float = 0.25) -> Array:
    """Draw a colour at least about `least` away from `other` in some channel."""
    drawn = colour(rng)
    for _ in range(4):
        if float(np.abs(drawn - other).max()) >= least:
            break
        drawn = colour(rng)
    return drawn


def noise(
    rng: Rng, size: Size, cells: float = 4, octaves: int = 3, persistence: float = 0.5
) -> Array:
    """Sum fractal value noise with about `cells` lattice cells across the image."""
    total = np.zeros(size, np.float32)
    weight, weights = 1.0, 0.0
    for _ in range(octaves):
        lattice = (max(2, round(cells)), max(2, round(cells * size[1] / size[0])))
        values = rng.random(lattice, np.float32)
        total += weight * resize_field(values, size, Image.Resampling.BICUBIC)
        weights += weight
        weight *= persistence
        cells = min(cells * 2, size[0])
    return clamp(total / weights * 1.6 - 0.3)


def grid(size: Size) -> tuple[Array, Array]:
    """Coordinates (x, y) with y running over [0, 1] and x in the same unit."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32) / np.float32(size[0])
    return x, y


def _rotated(rng: Rng, size: Size, wobble: float = 0.03) -> tuple[Array, Array]:
    """Rotated coordinates, bent a little so that lines are not straight."""
    x, y = grid(size)
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    bend = wobble * rng.random() * (noise(rng, size, 3, 1) - 0.5)
    u = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)) + bend
    v = y * np.float32(np.cos(angle)) - x * np.float32(np.sin(angle)) + bend
    return u, v


def _wave(phase: Array, duty: float, edge: float = 12.0) -> Array:
    """Make a periodic band of the given duty cycle with anti-aliased flanks."""
    triangle = np.abs(phase - np.floor(phase) - 0.5) * 2
    return clamp((triangle - (1 - duty)) * edge + 0.5)


def _clouds(rng: Rng, size: Size) -> Array:
    return noise(rng, size, rng.uniform(2, 12), 4, rng.uniform(0.4, 0.8))


def _grain(rng: Rng, size: Size) -> Array:
    return noise(rng, size, rng.uniform(30, 90), 2, 0.7)


def _stripes(rng: Rng, size: Size) -> Array:
    u, _ = _rotated(rng, size, 0.15)
    return _wave(u * np.float32(np.exp(rng.uniform(0.7, 3.4))), rng.uniform(0.2, 0.8))


def _checks(rng: Rng, size: Size) -> Array:
    u, v = _rotated(rng, size, 0.05)
    frequency = np.float32(np.exp(rng.uniform(0.9, 3.0)))
    first, second = _wave(u * frequency, 0.5), _wave(v * frequency, 0.5)
    return clamp(np.abs(first - second) if rng.random() < 0.5 else (first + second) / 2)


def _dots(rng: Rng, size: Size) -> Array:
    u, v = _rotated(rng, size, 0.05)
    frequency = np.float32(np.exp(rng.uniform(1.2, 3.0)))
    du, dv = (u * frequency) % 1 - 0.5, (v * frequency) % 1 - 0.5
    return clamp((rng.uniform(0.15, 0.42) - np.hypot(du, dv)) * 10 + 0.5)


def _wood(rng: Rng, size: Size) -> Array:
    u, v = _rotated(rng, size, 0.02)
    rings = u * rng.uniform(3, 9) + noise(rng, size, 2, 2) * rng.uniform(0.5, 3)
    grain = 0.25 * noise(rng, size, 60, 1) * np.sin(v * 3).astype(np.float32) ** 2
    return clamp(np.abs(rings % 1 - 0.5) * 1.6 + grain)


def _weave(rng: Rng, size: Size) -> Array:
    u, v = _rotated(rng, size, 0.02)
    frequency = np.float32(rng.uniform(90, 260))
    woven = np.sin(u * frequency) * np.sin(v * frequency)
    return clamp(0.5 + 0.35 * woven + 0.4 * (noise(rng, size, 4, 2) - 0.5))


def _folds(rng: Rng, size: Size) -> Array:
    """Drapery: soft ridges, as in curtains and clothes."""
    u, _ = _rotated(rng, size, 0.5)
    phase = u * rng.uniform(8, 40) + noise(rng, size, 3, 2) * rng.uniform(0, 8)
    return (0.5 + 0.5 * np.sin(phase)).astype(np.float32)


def _marble(rng: Rng, size: Size) -> Array:
    field = noise(rng, size, rng.uniform(2, 6), 4, 0.6)
    return clamp(1 - np.abs(field - 0.5) * rng.uniform(4, 14))


def _gradient(rng: Rng, size: Size) -> Array:
    u, _ = _rotated(rng, size, 0.2)
    return clamp((u - u.min()) / (np.ptp(u) + 1e-6))


def _blocks(rng: Rng, size: Size) -> Array:
    """Bricks, tiles, book spines, windows: rectangles of random brightness with joints."""
    rows = int(rng.integers(2, 14))
    columns = max(2, int(rows * rng.uniform(0.4, 3)))
    y = np.arange(size[0]) * rows / size[0] + rng.random()
    x = np.arange(size[1]) * columns / size[1]
    row = y.astype(int)
    x = x[None, :] + (row[:, None] % 2) * rng.choice([0.0, 0.5])
    values = rng.random((rows + 2, columns + 3), np.float32)
    field = values[row[:, None], x.astype(int)] * rng.uniform(0.1, 0.9)
    joint = (y % 1 < 0.08)[:, None] | (x % 1 < 0.05)
    return np.where(joint, np.float32(rng.random()), field).astype(np.float32)


def _speckle(rng: Rng, size: Size) -> Array:
    return clamp((noise(rng, size, rng.uniform(10, 60), 2) - rng.uniform(0.4, 0.7)) * 6)


PATTERNS: tuple[tuple[Callable[[Rng, Size], Array], float], ...] = (
    (_clouds, 5), (_grain, 3), (_stripes, 2), (_checks, 1.2), (_dots, 0.8), (_wood, 1.2),
    (_weave, 1), (_folds, 2.5), (_marble, 1), (_gradient, 3), (_blocks, 1.5), (_speckle, 1.5),
)  # fmt: skip
_WEIGHTS = np.array([weight for _, weight in PATTERNS])
_CUMULATIVE = np.cumsum(_WEIGHTS / _WEIGHTS.sum())


def pattern(rng: Rng, size: Size) -> Array:
    """Draw one of the patterns of `PATTERNS` as a field."""
    chosen = int(np.searchsorted(_CUMULATIVE, rng.random(), side="right"))
    return PATTERNS[min(chosen, len(PATTERNS) - 1)][0](rng, size)


def texture(
    rng: Rng, size: Size, base: Array | None = None, contrast: float | None = None
) -> Array:
    """Paint a surface: a base colour, a second one by a pattern, and some fine noise.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : tuple of int
        Height and width in pixels.
    base : array of 3 floats, optional
        The main colour; drawn when absent.
    contrast : float, optional
        Weight of the second colour, 0 (plain) to 1; drawn when absent.

    Returns
    -------
    numpy.ndarray
        float32 ``[height, width, 3]`` in [0, 1].
    """
    first = colour(rng) if base is None else base
    if contrast is None:
        contrast = float(rng.beta(0.9, 1.6))
    second = colour(rng) if rng.random() < 0.4 else first * np.float32(rng.uniform(0.2, 1.8))
    field = pattern(rng, size)
    if rng.random() < 0.3:
        field = field * noise(rng, size, 3, 2)
    painted = first + (second - first) * (np.float32(contrast) * field)[..., None]
    if rng.random() < 0.6:
        mottle = (noise(rng, size, rng.uniform(4, 40), 2, 0.7) - 0.5) * np.float32(
            rng.uniform(0, 0.3)
        )
        painted = painted * (1 + mottle)[..., None]
    return clamp(painted)
