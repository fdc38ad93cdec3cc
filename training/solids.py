"""Abstract subjects for the training scenes: whatever no named thing looks like."""

from __future__ import annotations

import numpy as np

from training.canvas import Layer
from training.outlines import Points, blob, ellipse, limb, polygon
from training.textures import Array, Rng, colour


def _solid(rng: Rng, x: float, y: float, radius: float) -> Points:
    kind = rng.integers(4)
    if kind == 0:
        return blob(
            rng,
            x,
            y,
            radius,
            radius * rng.uniform(0.5, 1.2),
            rng.uniform(0.05, 0.45),
            int(rng.integers(2, 12)),
        )
    if kind == 1:
        return polygon(rng, x, y, radius, int(rng.integers(3, 12)))
    if kind == 2:
        return ellipse(
            x, y, radius, radius * rng.uniform(0.3, 1), rng.uniform(0, np.pi), rng.uniform(0.9, 8)
        )
    knots = np.array([x, y]) + rng.normal(0, radius * 0.8, (int(rng.integers(2, 6)), 2))
    return limb(knots, list(radius * rng.uniform(0.08, 0.5, 3)))


def abstract(layer: Layer) -> None:
    """Paint a union of random solids, sometimes with holes; the widest class of shapes."""
    rng = layer.rng
    paint = colour(rng)
    layer.surface(_solid(rng, 0, 0, rng.uniform(0.5, 0.9)), paint, rng.uniform(0, 1))
    for _ in range(int(rng.integers(0, 7))):
        x, y = rng.normal(0, 0.4, 2)
        shade: Array = paint if rng.random() < 0.3 else colour(rng)
        outline = _solid(rng, float(x), float(y), rng.uniform(0.1, 0.5))
        if rng.random() < 0.6:
            layer.surface(outline, shade, rng.uniform(0, 1))
        else:
            layer.fill(outline, shade)
    for _ in range(int(rng.integers(0, 3)) if rng.random() < 0.3 else 0):
        x, y = rng.normal(0, 0.3, 2)
        layer.erase(_solid(rng, float(x), float(y), rng.uniform(0.08, 0.25)))
