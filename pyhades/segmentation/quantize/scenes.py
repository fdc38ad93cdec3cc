"""Pictures made from nothing but a seed: something in front of something else.

They stand in for photographs where the caller has none. Networks find an object in most of them,
so that all of their layers are at work; how good the mask is does not matter here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Rng = np.random.Generator


def scene(seed: int, size: tuple[int, int] = (384, 384)) -> NDArray[np.uint8]:
    """A picture, uint8 ``[height, width, 3]``; equal seeds give equal pictures.

    Examples
    --------
    >>> scene(1, (32, 48)).shape
    (32, 48, 3)
    """
    rng = np.random.default_rng(seed)
    picture = _surface(rng, size, rng.uniform(0.2, 1.0))
    for _ in range(int(rng.integers(0, 4))):
        picture = _over(picture, _surface(rng, size, 0.5), _shape(rng, size, 0.12))
    if rng.random() < 0.6:
        picture = _blurred(picture, int(rng.integers(1, 8)) * min(size) // 192)
    for _ in range(int(rng.integers(1, 3))):
        cover = _shape(rng, size, rng.uniform(0.2, 0.4))
        shade = 1 - 0.5 * np.roll(_blurred(cover[..., None], min(size) // 24), (9, 7), (0, 1))
        picture = _over(picture * shade, _surface(rng, size, 1.0), cover)
    grain = rng.normal(0, rng.uniform(0, 0.03), picture.shape)
    exposed = picture * rng.uniform(0.6, 1.2) + grain
    levels: NDArray[np.uint8] = (np.clip(exposed, 0, 1) * 255).astype(np.uint8)
    return levels


def _noise(rng: Rng, size: tuple[int, int], cells: int) -> Plane:
    """Smooth noise in 0..1 with so many waves across."""
    coarse = rng.random((cells + 2, cells + 2)).astype(np.float32)
    y, x = (np.linspace(0, cells, extent, dtype=np.float32) for extent in size)
    return np.asarray(_linear(_linear(coarse, y).T, x).T)


def _linear(rows: Plane, at: Plane) -> Plane:
    """Rows between rows."""
    below = np.floor(at).astype(np.int64)
    weight = (at - below)[:, None]
    return np.asarray(rows[below] * (1 - weight) + rows[below + 1] * weight, np.float32)


def _surface(rng: Rng, size: tuple[int, int], detail: float) -> Plane:
    """Colours with clouds, stripes and grain, ``[h, w, 3]`` in 0..1."""
    colours, greys = rng.random((2, 3)), rng.random((2, 1))
    mixture = greys + (colours - greys) * rng.uniform(0, 0.7)
    first, second = mixture.astype(np.float32)
    weight = np.zeros(size, np.float32)
    amplitude = 1.0
    for cells in (2, 5, 13, 34, 89):
        weight += np.float32(amplitude) * (_noise(rng, size, cells) - 0.5)
        amplitude *= detail * rng.uniform(0.4, 1.0)
    if rng.random() < 0.3:
        y, x = np.mgrid[: size[0], : size[1]] / min(size)
        angle, waves = rng.uniform(0, np.pi), rng.uniform(20, 160)
        weight += np.float32(0.4) * np.sin(waves * (x * np.cos(angle) + y * np.sin(angle)))
    mixed = np.clip(weight + 0.5, 0, 1)[..., None]
    return np.asarray(first * mixed + second * (1 - mixed), np.float32)


def _shape(rng: Rng, size: tuple[int, int], radius: float) -> Plane:
    """A blob with a soft edge, now and then with a head, legs or holes, in 0..1."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32) / min(size)
    centre = rng.uniform(0.3, 0.7, 2) * np.array(size) / min(size)
    dy, dx = y - np.float32(centre[0]), x - np.float32(centre[1])
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(0.6, 1.7)
    u = (dx * np.cos(angle) + dy * np.sin(angle)) * stretch
    v = (dy * np.cos(angle) - dx * np.sin(angle)) / stretch
    turn, distance = np.arctan2(v, u), np.hypot(u, v)
    edge = np.full(size, radius, np.float32)
    for waves in range(1, 9):
        wobble = radius * rng.normal(0, 0.25) / waves
        edge += (wobble * np.sin(waves * turn + rng.uniform(0, 6.3))).astype(np.float32)
    softness = rng.uniform(0.5, 3) / min(size)
    cover = np.clip((edge - distance) / softness + 0.5, 0, 1)
    if rng.random() < 0.3:
        cover *= np.clip((_noise(rng, size, 9) - 0.25) * 20, 0, 1)
    return np.asarray(cover, np.float32)


def _over(back: Plane, front: Plane, cover: Plane) -> Plane:
    return np.asarray(back + (front - back) * cover[..., None], np.float32)


def _blurred(picture: Plane, radius: int) -> Plane:
    """A box in both directions, twice; ``[h, w, c]``."""
    if radius < 1:
        return picture
    side = 2 * radius + 1
    for axis in (0, 1, 0, 1):
        width = [(radius + 1, radius) if a == axis else (0, 0) for a in range(3)]
        sums = np.cumsum(np.pad(picture, width, mode="edge"), axis=axis, dtype=np.float64)
        ahead = np.take(sums, range(side, sums.shape[axis]), axis=axis)
        behind = np.take(sums, range(sums.shape[axis] - side), axis=axis)
        picture = np.asarray((ahead - behind) / side, np.float32)
    return picture
