"""Backgrounds for the training scenes; each returns float32 ``[height, width, 3]`` in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.canvas import Frame, Layer
from training.outlines import blob, box, curve, ellipse, leaf, limb, polygon, strand
from training.textures import Array, Rng, Size, clamp, colour, grid, noise, rgb, texture


def backdrop(rng: Rng, size: Size) -> Array:
    """Paint a studio sweep: one colour, a gradient, a spot of light."""
    first = colour(rng) if rng.random() < 0.6 else rgb(1, 1, 1) * np.float32(rng.beta(1.5, 0.6))
    second = first * np.float32(rng.uniform(0.5, 1.2))
    x, y = grid(size)
    angle = rng.uniform(0, 2 * np.pi)
    ramp = (x - 0.5) * np.float32(np.cos(angle)) + (y - 0.5) * np.float32(np.sin(angle)) + 0.5
    spot = np.exp(
        -((x - rng.uniform(0, 1)) ** 2 + (y - rng.uniform(0, 1)) ** 2)
        * np.float32(rng.uniform(2, 8))
    )
    field = clamp(ramp if rng.random() < 0.5 else spot)[..., None]
    return clamp(first + (second - first) * field)


def surface(rng: Rng, size: Size) -> Array:
    """Paint a wall, a cloth, a floor seen straight on."""
    return texture(rng, size)


def landscape(rng: Rng, size: Size) -> Array:
    """Sky, a few ridges that darken towards the viewer, ground."""
    horizon = rng.uniform(0.2, 0.8)
    blue = rgb(rng.uniform(0.3, 0.9), rng.uniform(0.5, 0.9), rng.uniform(0.6, 1)) * np.float32(
        rng.uniform(0.4, 1)
    )
    _, y = grid(size)
    haze = clamp(y / np.float32(horizon))[..., None]
    picture = blue + (np.float32(0.95) - blue) * haze * np.float32(rng.uniform(0, 0.9))
    if rng.random() < 0.6:
        clouds = clamp(noise(rng, size, rng.uniform(2, 6), 4) * 2 - rng.uniform(0.6, 1.3))
        picture = picture + (np.float32(rng.uniform(0.5, 1)) - picture) * clouds[..., None]
    for _ in range(int(rng.integers(1, 4))):
        ridge = horizon + rng.uniform(0.02, 0.3) * (
            noise(rng, (2, size[1]), rng.uniform(0.05, 0.4), 4)[:1] - 0.6
        )
        picture = np.where((y > ridge)[..., None], texture(rng, size), picture)
        horizon += rng.uniform(0.02, 0.2)
    return clamp(picture)


def interior(rng: Rng, size: Size) -> Array:
    """Paint a wall and a floor or table top, with frames, shelves, windows and skirting."""
    picture = texture(rng, size, contrast=rng.uniform(0, 0.5))
    edge = int(size[0] * rng.uniform(0.45, 0.95))
    picture[edge:] = texture(rng, size, contrast=rng.uniform(0, 0.6))[edge:]
    layer = _whole(rng, size)
    for _ in range(int(rng.integers(0, 6))):
        x, y = rng.uniform(-1.4, 1.2), rng.uniform(-1, 0.6)
        w, h = rng.uniform(0.15, 0.9), rng.uniform(0.15, 0.9)
        paint = colour(rng)
        layer.fill(box(x - 0.03, y - 0.03, x + w + 0.03, y + h + 0.03), paint * np.float32(0.6))
        if rng.random() < 0.5:
            layer.surface(box(x, y, x + w, y + h), paint, 0.0)
        else:
            layer.fill(box(x, y, x + w, y + h), paint)
    if rng.random() < 0.4:
        line = edge / size[0] * 2 - 1
        layer.fill(box(-3, line - 0.06, 3, line), colour(rng))
    return _over(picture, layer)


def shelves(rng: Rng, size: Size) -> Array:
    """Rows of books, boxes or windows."""
    picture = texture(rng, size, contrast=0.2)
    layer = _whole(rng, size)
    rows = int(rng.integers(2, 6))
    for row in range(rows):
        floor = -1 + 2 * (row + 1) / rows
        x = -2.0
        while x < 2:
            width, height = rng.uniform(0.04, 0.2), rng.uniform(0.5, 0.92) * 2 / rows
            layer.fill(box(x, floor - height, x + width * 0.95, floor - 0.04), colour(rng))
            x += width + (rng.random() < 0.1) * rng.uniform(0, 0.3)
    return _over(picture, layer)


def drapes(rng: Rng, size: Size) -> Array:
    """Curtains and flags: broad bands of plain colours, bent by folds."""
    x, y = grid(size)
    bend = rng.uniform(0, 0.25) * (noise(rng, size, 3, 2) - 0.5) + rng.uniform(-0.6, 0.6) * (
        x if rng.random() < 0.5 else y
    )
    along = (x if rng.random() < 0.5 else y) + bend
    palette = np.stack([colour(rng) for _ in range(int(rng.integers(2, 5)))])
    band = np.floor(along * rng.uniform(2, 14)).astype(int) % len(palette)
    folds = 0.75 + 0.35 * np.sin(x * rng.uniform(5, 30) + 6 * noise(rng, size, 3, 1))
    picture = palette[band] * folds[..., None]
    if rng.random() < 0.4:
        corner = (x < rng.uniform(0.2, 0.6)) & (y < rng.uniform(0.2, 0.7))
        picture = np.where(corner[..., None], texture(rng, size), picture)
    return clamp(picture)


def bokeh(rng: Rng, size: Size) -> Array:
    """Discs of light on a dark blur."""
    picture = texture(rng, size) * np.float32(rng.uniform(0.2, 0.7))
    x, y = grid(size)
    for _ in range(int(rng.integers(8, 40))):
        radius = rng.uniform(0.02, 0.12)
        distance = np.hypot(x - rng.uniform(0, size[1] / size[0]), y - rng.random())
        disc = clamp((radius - distance) * 40 + 0.5) * np.float32(rng.uniform(0.1, 0.7))
        picture += disc[..., None] * colour(rng)
    return clamp(picture)


def foliage(rng: Rng, size: Size) -> Array:
    """Leaves, grass or twigs all over."""
    green = rgb(rng.uniform(0.1, 0.6), rng.uniform(0.25, 0.6), rng.uniform(0.05, 0.35))
    picture = texture(rng, size, green * np.float32(0.5))
    layer = _whole(rng, size)
    length, slender = rng.uniform(0.1, 0.7), rng.uniform(0.05, 0.4)
    trend, scatter = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 3)
    for _ in range(int(rng.integers(50, 160))):
        angle = trend + rng.normal(0, scatter)
        shade = clamp(green * np.float32(rng.uniform(0.3, 1.7)) + rng.normal(0, 0.04, 3))
        layer.fill(
            leaf(
                rng.uniform(-1.6, 1.6),
                rng.uniform(-1.2, 1.2),
                angle,
                length,
                length * slender * 0.4,
            ),
            shade,
        )
    return _over(picture, layer)


def city(rng: Rng, size: Size) -> Array:
    """Blocks of houses with windows, a street."""
    picture = backdrop(rng, size)
    layer = _whole(rng, size)
    ground = rng.uniform(0.2, 0.9)
    for _ in range(int(rng.integers(3, 9))):
        x, top, width = rng.uniform(-1.8, 1.4), rng.uniform(-1, 0.2), rng.uniform(0.3, 1)
        layer.surface(box(x, top, x + width, ground), colour(rng), 0.0)
        across, down = int(rng.integers(2, 7)), int(rng.integers(2, 7))
        pane = colour(rng) * np.float32(rng.uniform(0.2, 1.2))
        for i in range(across * down):
            wx, wy = (
                x + width * (i % across + 0.25) / across,
                top + (ground - top) * (i // across + 0.25) / down,
            )
            layer.fill(
                box(wx, wy, wx + width * 0.5 / across, wy + (ground - top) * 0.5 / down), pane
            )
    layer.fill(box(-3, ground, 3, 2), rgb(1, 1, 1) * np.float32(rng.uniform(0.15, 0.6)))
    return _over(picture, layer)


def clutter(rng: Rng, size: Size) -> Array:
    """Many small or cropped shapes, none of which is the subject."""
    picture = texture(rng, size)
    layer = _whole(rng, size)
    reach = rng.uniform(0.05, 0.35)
    for _ in range(int(rng.integers(8, 45))):
        x, y = rng.uniform(-1.6, 1.6), rng.uniform(-1.2, 1.2)
        kind, radius, paint = rng.integers(5), rng.uniform(0.4, 1) * reach, colour(rng)
        if kind == 0:
            layer.fill(polygon(rng, x, y, radius, int(rng.integers(3, 9))), paint)
        elif kind == 1:
            layer.fill(blob(rng, x, y, radius, radius, 0.2), paint)
        elif kind == 2:
            layer.fill(
                ellipse(
                    x,
                    y,
                    radius,
                    radius * rng.uniform(0.3, 1),
                    rng.uniform(0, 3),
                    rng.uniform(1.5, 6),
                ),
                paint,
            )
        elif kind == 3:
            layer.line(
                strand(rng, x, y, rng.uniform(0, 6), radius * 5, 0.3),
                rng.uniform(0.01, 0.05),
                paint,
            )
        else:
            layer.fill(
                limb(
                    [(x, y), (x + rng.normal(0, radius), y + rng.normal(0, radius))],
                    [radius * 0.4] * 2,
                ),
                paint,
            )
    if rng.random() < 0.3:
        layer.line(curve(rng.uniform(-1.3, 1.3, (4, 2))), 0.03, colour(rng))
    return _over(picture, layer)


SCENERIES: tuple[tuple[Callable[[Rng, Size], Array], float], ...] = (
    (backdrop, 3), (surface, 3), (landscape, 3), (interior, 4), (shelves, 1), (drapes, 1.5),
    (bokeh, 1), (foliage, 1.5), (city, 1.2), (clutter, 2),
)  # fmt: skip


def scenery(rng: Rng, size: Size) -> Array:
    """Draw a background of a random kind, sometimes a blend of two."""
    weights = np.array([weight for _, weight in SCENERIES])
    first, second = rng.choice(len(SCENERIES), 2, p=weights / weights.sum())
    picture = SCENERIES[first][0](rng, size)
    if rng.random() < 0.12:
        other = SCENERIES[second][0](rng, size)
        mask = clamp(noise(rng, size, 2, 2) * 6 - 3)[..., None]
        picture = picture + (other - picture) * mask
    return clamp(picture)


def _whole(rng: Rng, size: Size) -> Layer:
    """Paint a layer whose square spans the height of the picture."""
    return Layer(rng, size, Frame.place(size, (0.5, 0.5), 0.5 * size[0] / min(size)))


def _over(picture: Array, layer: Layer) -> Array:
    premultiplied, alpha = layer.finish()
    return premultiplied + picture * (1 - alpha)[..., None]
