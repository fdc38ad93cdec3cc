"""Pictures whose true matte is known, as they are made here: hair, leaves, holes, soft contours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from pyhades import kernels

SMOOTH = 3
"""Things are drawn so many times as large, and reduced."""


@dataclass(frozen=True)
class Scene:
    """A picture with its matte.

    Attributes
    ----------
    name
        What it shows.
    rgb
        uint8 ``[height, width, 3]``.
    alpha
        The true matte, uint8 ``[height, width]``.
    """

    name: str
    rgb: np.ndarray
    alpha: np.ndarray

    def seen_by_network(self, side: int) -> np.ndarray:
        """The matte as a network that works at ``side`` pixels would at best give it."""
        height, width = self.alpha.shape
        factor = side / max(height, width)
        size = max(1, round(width * factor)), max(1, round(height * factor))
        small = Image.fromarray(self.alpha).resize(size, Image.Resampling.BOX)
        plane = np.asarray(small, np.float32) / 255
        return kernels.upscale_mask(plane, self.alpha.shape)


def scenes(size: tuple[int, int]) -> list[Scene]:
    """One of each kind; ``size`` is (height, width)."""
    kinds = {"hair": _hair, "leaves": _leaves, "ring": _ring, "blur": _blurred}
    return [
        _composed(name, draw(np.random.default_rng(seed), size), seed, size)
        for seed, (name, draw) in enumerate(kinds.items())
    ]


def _composed(name: str, alpha: np.ndarray, seed: int, size: tuple[int, int]) -> Scene:
    rng = np.random.default_rng(100 + seed)
    front, behind = _surface(rng, size, (0.15, 0.1, 0.1)), _surface(rng, size, (0.6, 0.65, 0.7))
    cover = alpha[..., None].astype(np.float32) / 255
    picture = front * cover + behind * (1 - cover) + rng.normal(0, 0.01, (*size, 3))
    return Scene(name, (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8), alpha)


def _surface(rng: np.random.Generator, size: tuple[int, int], colour) -> np.ndarray:
    """A colour with clouds of several sizes; float32 ``[h, w, 3]``."""
    surface = np.broadcast_to(np.asarray(colour, np.float32), (*size, 3)).copy()
    for cells in (3, 9, 27, 81):
        coarse = rng.random((cells, cells, 3)).astype(np.float32) - 0.5
        for channel in range(3):
            plane = Image.fromarray(coarse[..., channel])
            cloud = plane.resize(size[::-1], Image.Resampling.BICUBIC)
            surface[..., channel] += np.asarray(cloud) * 0.12
    return surface


def _drawn(size: tuple[int, int], draw) -> np.ndarray:
    height, width = size
    canvas = Image.new("L", (width * SMOOTH, height * SMOOTH))
    draw(ImageDraw.Draw(canvas), width * SMOOTH, height * SMOOTH)
    return np.asarray(canvas.reduce(SMOOTH))


def _hair(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    def draw(pen, width, height):
        radius = 0.25 * min(width, height)
        x, y = width / 2, height / 2
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        thin = max(1, min(width, height) // 400)
        for turn in rng.uniform(0, 2 * np.pi, 260):
            far = radius * rng.uniform(1.1, 1.6)
            bend = turn + rng.uniform(-0.4, 0.4)
            steps = np.linspace(0.9 * radius, far, 12)
            angles = np.linspace(turn, bend, 12)
            line = [
                (x + r * np.cos(a), y + r * np.sin(a)) for r, a in zip(steps, angles, strict=True)
            ]
            pen.line(line, fill=255, width=thin * int(rng.integers(1, 4)))

    return _drawn(size, draw)


def _leaves(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    def draw(pen, width, height):
        unit = min(width, height)
        for _ in range(60):
            x, y = rng.uniform(0.25, 0.75, 2) * (width, height)
            turn, long, wide = rng.uniform(0, np.pi), unit * rng.uniform(0.05, 0.14), unit * 0.012
            along, across = np.array([np.cos(turn), np.sin(turn)]), None
            across = np.array([-along[1], along[0]])
            tips = [along * long, across * wide, -along * long, -across * wide]
            pen.polygon([tuple(np.array([x, y]) + tip) for tip in tips], fill=255)

    return _drawn(size, draw)


def _ring(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    def draw(pen, width, height):
        unit = min(width, height)
        x, y = width / 2, height / 2
        for radius, fill in ((0.35, 255), (0.2, 0)):
            pen.ellipse(
                (x - radius * unit, y - radius * unit, x + radius * unit, y + radius * unit),
                fill=fill,
            )

    return _drawn(size, draw)


def _blurred(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A contour that is out of focus."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    unit = min(size)
    turn = np.arctan2(y - size[0] / 2, x - size[1] / 2)
    edge = unit * (0.3 + 0.03 * np.sin(5 * turn) + 0.02 * np.sin(11 * turn))
    distance = np.hypot(y - size[0] / 2, x - size[1] / 2)
    softness = unit * 0.02
    return (np.clip((edge - distance) / softness + 0.5, 0, 1) * 255 + 0.5).astype(np.uint8)
