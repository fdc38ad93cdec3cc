"""Outlines of shapes: functions that return closed polygons ``[n, 2]`` of (x, y) points.

Coordinates are those of a subject's own square: x to the right and y down, both about [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Knots = Sequence[tuple[float, float]] | Sequence[Points] | Points
Rng = np.random.Generator


def turn(points: Points, angle: float, about: tuple[float, float] = (0.0, 0.0)) -> Points:
    """Rotate points by `angle` radians about a centre."""
    cos, sin = np.cos(angle), np.sin(angle)
    centre = np.asarray(about, np.float64)
    turned: Points = (points - centre) @ np.array([[cos, sin], [-sin, cos]]) + centre
    return turned


def ellipse(
    x: float, y: float, rx: float, ry: float, angle: float = 0.0, power: float = 2.0
) -> Points:
    """Trace a superellipse; `power` 2 is an ellipse, larger ones approach a box."""
    theta = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    cos, sin = np.cos(theta), np.sin(theta)
    exponent = 2.0 / power
    px = x + rx * np.sign(cos) * np.abs(cos) ** exponent
    py = y + ry * np.sign(sin) * np.abs(sin) ** exponent
    points = np.stack([px, py], 1)
    return turn(points, angle, (x, y)) if angle else points


def box(x0: float, y0: float, x1: float, y1: float) -> Points:
    """Trace an upright rectangle."""
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float64)


def blob(
    rng: Rng, x: float, y: float, rx: float, ry: float, roughness: float = 0.25, lobes: int = 6
) -> Points:
    """Trace a smooth closed random curve around (x, y)."""
    theta = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    order = np.arange(2, 2 + lobes)[:, None]
    amplitude = rng.normal(0, roughness, (lobes, 1)) / order**0.8
    waves = amplitude * np.cos(order * theta + rng.uniform(0, 2 * np.pi, (lobes, 1)))
    radius = np.maximum(1 + waves.sum(0), 0.15)
    return np.stack([x + rx * radius * np.cos(theta), y + ry * radius * np.sin(theta)], 1)


def polygon(rng: Rng, x: float, y: float, radius: float, corners: int) -> Points:
    """Trace a star-shaped random polygon with straight sides."""
    theta = np.sort(rng.uniform(0, 2 * np.pi, corners)) * 0.4
    theta += np.linspace(0, 2 * np.pi, corners, endpoint=False) * 0.6
    length = radius * rng.uniform(0.55, 1.1, corners)
    return np.stack([x + length * np.cos(theta), y + length * np.sin(theta)], 1)


def curve(knots: Knots, steps: int = 8, closed: bool = False) -> Points:
    """Trace a Catmull-Rom spline through the knots."""
    nodes = np.asarray(knots, np.float64)
    if closed:
        padded = np.concatenate([nodes[-1:], nodes, nodes[:2]])
    else:
        padded = np.concatenate([2 * nodes[:1] - nodes[1:2], nodes, 2 * nodes[-1:] - nodes[-2:-1]])
    p0, p1, p2, p3 = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    spline = 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    points = spline.reshape(-1, 2)
    return points if closed else np.concatenate([points, nodes[-1:]])


def limb(knots: Knots, widths: Sequence[float]) -> Points:
    """Trace a tapered tube along a spline, with round ends; `widths` are radii at the knots."""
    spine = curve(knots)
    radii = np.interp(np.linspace(0, 1, len(spine)), np.linspace(0, 1, len(widths)), widths)
    tangent = np.gradient(spine, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], 1) * radii[:, None]
    left, right = spine + normal, (spine - normal)[::-1]
    return np.concatenate([left, _cap(spine[-1], normal[-1]), right, _cap(spine[0], -normal[0])])


def _cap(centre: Points, start: Points) -> Points:
    """Half a turn of a circle that closes the end of a limb."""
    angles = -np.linspace(0, np.pi, 8)[1:-1]
    cos, sin = np.cos(angles), np.sin(angles)
    x, y = start
    arc: Points = centre + np.stack([x * cos - y * sin, x * sin + y * cos], 1)
    return arc


def profile(heights: Sequence[float], half_widths: Sequence[float], x: float = 0.0) -> Points:
    """Trace a body of revolution seen from the side: bottles, vases, torsos, hats."""
    right = curve(np.stack([x + np.asarray(half_widths), np.asarray(heights)], 1))
    left = right[::-1] * np.array([-1.0, 1.0]) + np.array([2 * x, 0.0])
    return np.concatenate([right, left])


def leaf(
    x: float, y: float, angle: float, length: float, width: float, bend: float = 0.0
) -> Points:
    """Trace a pointed leaf or petal that starts at (x, y)."""
    t = np.linspace(0, 1, 9)
    half = width * np.sin(np.pi * t**0.8)
    sag = bend * t**2 * length
    upper = np.stack([t * length, sag + half], 1)
    lower = np.stack([t * length, sag - half], 1)[::-1]
    outline: Points = turn(np.concatenate([upper, lower]), angle) + np.array([x, y])
    return outline


def strand(rng: Rng, x: float, y: float, angle: float, length: float, curl: float = 0.3) -> Points:
    """Trace an open curve, such as one lock of hair or a whisker."""
    t = np.linspace(0, 1, 6)
    headings = angle + np.cumsum(rng.normal(0, curl, 6)) * t
    step = length / 6 * np.stack([np.cos(headings), np.sin(headings)], 1)
    return np.array([x, y]) + np.cumsum(step, 0)
