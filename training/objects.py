"""Made things for the training scenes: vessels, furniture, vehicles, tools, clothes."""

from __future__ import annotations

import numpy as np

from training.canvas import Layer
from training.outlines import (
    blob,
    box,
    curve,
    ellipse,
    limb,
    polygon,
    profile,
    turn,
)
from training.textures import clamp, colour, contrasting, rgb

_WHITE = np.ones(3, np.float32)
_DARK = rgb(0.06, 0.06, 0.07)


def _gleam(layer: Layer, x: float, top: float, bottom: float) -> None:
    """Paint a vertical highlight as on glass and glaze."""
    width = layer.rng.uniform(0.01, 0.05)
    layer.fill(
        limb([(x, top), (x, bottom)], [width, width]),
        rgb(0.95, 0.95, 0.92) * layer.rng.uniform(0.7, 1),
    )


def bottle(layer: Layer) -> None:
    """Paint bottles, jars, vases and cans, some of glass that lets the background through."""
    rng = layer.rng
    paint = colour(rng)
    radius, neck = rng.uniform(0.2, 0.45), rng.uniform(0.06, 0.3)
    shoulder = rng.uniform(-0.5, 0.1)
    body = profile(
        [-0.95, -0.8, shoulder - 0.1, shoulder + 0.15, 0.6, 0.92, 0.96],
        [neck, neck, neck * 1.1, radius, radius * rng.uniform(0.7, 1.2), radius * 0.95, 0.05],
    )
    layer.surface(body, paint, rng.uniform(0.5, 1.0), 0.15)
    if rng.random() < 0.15:
        layer.fill(body, paint, rng.uniform(0.35, 0.8))
    if rng.random() < 0.7:
        upper = rng.uniform(0.2, 0.4)
        label = box(-radius * 0.92, upper, radius * 0.92, upper + rng.uniform(0.2, 0.4))
        layer.surface(label, contrasting(rng, paint), 0.2)
        for row in range(int(rng.integers(0, 4))):
            extent = radius * rng.uniform(0.2, 0.7)
            layer.fill(
                box(-extent, upper + 0.05 + 0.07 * row, extent, upper + 0.08 + 0.07 * row), _DARK
            )
    if rng.random() < 0.7:
        layer.fill(box(-neck * 1.1, -1.0, neck * 1.1, -0.85), colour(rng))
    if rng.random() < 0.6:
        _gleam(layer, -radius * 0.55, shoulder + 0.25, 0.75)


def mug(layer: Layer) -> None:
    """Paint a cup, pot or jug with a handle that encloses a hole."""
    rng = layer.rng
    paint = colour(rng)
    radius, taper = rng.uniform(0.4, 0.6), rng.uniform(0.6, 1.1)
    loop = curve(
        [
            (radius * 0.9, -0.35),
            (radius + 0.4, -0.35),
            (radius + 0.42, 0.2),
            (radius * 0.85 * taper, 0.4),
        ]
    )
    layer.line(loop, rng.uniform(0.09, 0.15), paint * np.float32(rng.uniform(0.6, 1)))
    body = profile(
        [-0.6, -0.4, 0.3, 0.62, 0.7], [radius, radius, radius * taper, radius * taper * 0.9, 0.02]
    )
    layer.surface(body, paint, 0.9)
    layer.fill(ellipse(0, -0.6, radius, 0.14), paint * np.float32(0.9))
    layer.fill(ellipse(0, -0.58, radius * 0.88, 0.11), colour(rng) * np.float32(0.5))
    if rng.random() < 0.4:
        layer.surface(blob(rng, 0, 0, radius * 0.5, 0.25), contrasting(rng, paint), 0.2)
    if rng.random() < 0.4:
        layer.surface(ellipse(0, 0.75, radius * 1.6, 0.14), colour(rng), 0.3)


def shoe(layer: Layer) -> None:
    """Paint a shoe or boot from the side."""
    rng = layer.rng
    paint, sole = colour(rng), colour(rng)
    shaft = rng.uniform(-0.9, -0.2)
    upper = [
        (-0.8, shaft),
        (-0.25, shaft + 0.05),
        (-0.1, -0.05),
        (0.5, 0.1),
        (0.9, 0.3),
        (0.92, 0.5),
        (-0.82, 0.5),
        (-0.85, 0.1),
    ]
    layer.surface(curve(upper, closed=True), paint, 0.8)
    heel = rng.uniform(0.02, 0.3)
    layer.fill(
        np.array(
            [
                (-0.86, 0.44),
                (0.95, 0.44),
                (0.95, 0.56),
                (-0.3, 0.56),
                (-0.4, 0.56 + heel),
                (-0.85, 0.56 + heel),
            ]
        ),
        sole,
    )
    for row in range(int(rng.integers(0, 5))):
        x, y = -0.15 + 0.13 * row, -0.02 + 0.04 * row
        layer.line(
            np.array([(x - 0.12, y + 0.02), (x + 0.1, y + 0.1)]),
            0.03,
            _WHITE * np.float32(rng.uniform(0.5, 1)),
        )
    layer.surface(blob(rng, -0.3, 0.25, 0.3, 0.14, 0.2), contrasting(rng, paint), 0.2)


def carton(layer: Layer) -> None:
    """Paint a box, book, phone or framed picture in rough perspective."""
    rng = layer.rng
    paint = colour(rng)
    w, h, dx, dy = (
        rng.uniform(0.3, 0.8),
        rng.uniform(0.3, 0.9),
        rng.uniform(-0.4, 0.4),
        rng.uniform(0.02, 0.35),
    )
    front = np.array([(-w, -h + dy), (w, -h + dy * rng.uniform(0.7, 1)), (w, h), (-w, h)])
    layer.fill(
        np.array([(-w, -h + dy), (-w + dx, -h), (w + dx, -h), (w, -h + dy)]),
        clamp(paint * np.float32(1.3)),
    )
    side = w if dx > 0 else -w
    layer.fill(
        np.array([(side, -h + dy), (side + dx, -h), (side + dx, h - dy), (side, h)]),
        paint * np.float32(0.6),
    )
    layer.surface(front, paint, 0.2)
    if rng.random() < 0.6:
        inner = box(-w * 0.85, -h * 0.8 + dy, w * 0.85, h * 0.85)
        layer.surface(inner, contrasting(rng, paint), 0.1)
        for row in range(int(rng.integers(0, 6))):
            extent = w * rng.uniform(0.2, 0.7)
            y = -h * 0.6 + dy + row * h * 0.25
            layer.fill(box(-w * 0.7, y, -w * 0.7 + 2 * extent, y + h * 0.1), colour(rng))


def chair(layer: Layer) -> None:
    """Paint chairs, stools and tables: thin legs and slats with the background between them."""
    rng = layer.rng
    paint = colour(rng)
    w, seat, thick = rng.uniform(0.3, 0.6), rng.uniform(-0.1, 0.25), rng.uniform(0.035, 0.08)
    spread = rng.uniform(0, 0.15)
    for x in (-w, w, -w * 0.55, w * 0.6):
        foot = 0.95 if abs(x) == w else 0.8
        shade = paint * np.float32(rng.uniform(0.5, 0.9))
        layer.fill(limb([(x * 0.95, seat), (x * (1 + spread), foot)], [thick, thick * 0.8]), shade)
    if rng.random() < 0.7:
        top = rng.uniform(-0.95, -0.6)
        for x in (-w * 0.9, w * 0.9):
            layer.fill(limb([(x, seat), (x, top)], [thick, thick]), paint)
        if rng.random() < 0.5:
            for x in np.linspace(-w * 0.9, w * 0.9, int(rng.integers(3, 8))):
                layer.fill(
                    limb([(x, seat), (x, top)], [thick * 0.5, thick * 0.5]),
                    paint * np.float32(0.85),
                )
            layer.fill(limb([(-w * 0.95, top), (w * 0.95, top)], [thick * 1.4, thick * 1.4]), paint)
        else:
            back = ellipse(
                0, (top + seat) / 2 - 0.1, w, (seat - top) / 2 - 0.08, power=rng.uniform(2, 6)
            )
            layer.surface(back, paint, 0.5)
    layer.surface(
        ellipse(0, seat, w * rng.uniform(1, 1.3), rng.uniform(0.06, 0.16), power=4),
        colour(rng),
        0.5,
    )


def lamp(layer: Layer) -> None:
    """Paint a lamp, an umbrella, a mushroom: a shade on a thin stem."""
    rng = layer.rng
    layer.line(
        curve([(0, 0.9), (rng.normal(0, 0.05), 0.2), (0, -0.5)]),
        rng.uniform(0.02, 0.12),
        colour(rng),
    )
    if rng.random() < 0.7:
        layer.surface(ellipse(0, 0.9, rng.uniform(0.15, 0.4), 0.08), colour(rng), 0.5)
    top, bottom = rng.uniform(0.05, 0.4), rng.uniform(0.35, 0.8)
    layer.surface(
        profile([-0.9, -0.85, -0.35, -0.2], [top * 0.7, top, bottom * 0.9, bottom]),
        colour(rng),
        0.6,
    )


def bag(layer: Layer) -> None:
    """Paint a bag, basket or padlock: a body under a loop."""
    rng = layer.rng
    paint = colour(rng)
    w, top = rng.uniform(0.45, 0.75), rng.uniform(-0.3, 0)
    grip = w * rng.uniform(0.4, 0.8)
    layer.line(
        curve(
            [
                (-grip, top + 0.05),
                (-grip * 0.9, top - 0.5),
                (0, top - 0.7),
                (grip * 0.9, top - 0.5),
                (grip, top + 0.05),
            ]
        ),
        rng.uniform(0.04, 0.12),
        paint * np.float32(rng.uniform(0.5, 1)),
    )
    body = profile(
        [top, top + 0.1, 0.5, 0.8, 0.85], [w * 0.85, w * 0.9, w, w * rng.uniform(0.7, 1), w * 0.6]
    )
    layer.surface(body, paint, 0.8)
    if rng.random() < 0.6:
        layer.surface(box(-w * 0.5, top + 0.3, w * 0.5, 0.6), contrasting(rng, paint, 0.15), 0.3)
    layer.fill(ellipse(0, top + 0.2, 0.07, 0.05), colour(rng))


def ring(layer: Layer) -> None:
    """Paint rings, tyres, wreaths, watches, doughnuts: a large hole."""
    rng = layer.rng
    paint = colour(rng)
    outer, squash = rng.uniform(0.6, 0.95), rng.uniform(0.5, 1)
    inner = outer * rng.uniform(0.3, 0.8)
    layer.surface(ellipse(0, 0, outer, outer * squash), paint, 0.8)
    for angle in rng.uniform(0, 2 * np.pi, int(rng.integers(0, 12))):
        middle = (outer + inner) / 2
        x, y = middle * np.cos(angle), middle * np.sin(angle) * squash
        layer.fill(blob(rng, x, y, 0.13, 0.13), colour(rng))
    layer.erase(ellipse(0, 0, inner, inner * squash))
    if rng.random() < 0.25:
        for angle in rng.uniform(0, np.pi, int(rng.integers(2, 6))):
            arm = np.array([np.cos(angle), np.sin(angle) * squash]) * inner * 1.02
            layer.line(np.stack([-arm, arm]), 0.03, paint)


def vehicle(layer: Layer) -> None:
    """Paint a car, van or toy on wheels."""
    rng = layer.rng
    paint = colour(rng)
    hood, roof = rng.uniform(-0.15, 0.1), rng.uniform(-0.6, -0.3)
    front, back = rng.uniform(-0.5, -0.2), rng.uniform(0.3, 0.85)
    body = [
        (-0.95, 0.35),
        (-0.95, hood + 0.1),
        (front - 0.15, hood),
        (front + 0.1, roof),
        (back - 0.15, roof),
        (back + 0.05, hood),
        (0.95, hood + 0.08),
        (0.96, 0.35),
    ]
    layer.surface(curve(body, closed=True, steps=5), paint, 0.8, 0.15)
    window = [
        (front, hood),
        (front + 0.15, roof + 0.08),
        (back - 0.2, roof + 0.08),
        (back - 0.05, hood),
    ]
    layer.fill(np.array(window), rgb(0.1, 0.13, 0.17) * rng.uniform(0.5, 4))
    pillar = rng.uniform(front + 0.2, back - 0.2)
    layer.fill(box(pillar, roof + 0.05, pillar + 0.05, hood + 0.02), paint * np.float32(0.8))
    wheel = rng.uniform(0.15, 0.24)
    for x in (-0.58, 0.58):
        layer.fill(ellipse(x, 0.38, wheel, wheel), _DARK)
        layer.surface(ellipse(x, 0.38, wheel * 0.6, wheel * 0.6), rgb(0.6, 0.6, 0.62), 0.6)
    for x, tint in ((-0.92, (1, 0.95, 0.75)), (0.92, (0.7, 0.05, 0.05))):
        layer.fill(ellipse(x, hood + 0.18, 0.05, 0.06), rgb(*tint))


def bicycle(layer: Layer) -> None:
    """Paint two wheels with spokes and a frame of thin tubes."""
    rng = layer.rng
    paint, radius, thin = colour(rng), rng.uniform(0.32, 0.42), rng.uniform(0.02, 0.04)
    for x in (-0.55, 0.55):
        wheel = ellipse(x, 0.35, radius, radius)
        layer.line(np.concatenate([wheel, wheel[:2]]), thin * 1.4, _DARK)
        for angle in np.linspace(0, np.pi, int(rng.integers(3, 9)), endpoint=False):
            hub, arm = np.array([x, 0.35]), radius * np.array([np.cos(angle), np.sin(angle)])
            layer.line(np.array([hub - arm, hub + arm]), 0.008, _WHITE * np.float32(0.6))
    nodes = {
        "rear": (-0.55, 0.35),
        "pedal": (-0.05, 0.38),
        "seat": (-0.2, -0.25),
        "bar": (0.4, -0.3),
        "hub": (0.55, 0.35),
    }
    for start, end in (
        ("rear", "pedal"),
        ("rear", "seat"),
        ("pedal", "seat"),
        ("pedal", "bar"),
        ("seat", "bar"),
        ("bar", "hub"),
    ):
        layer.line(np.array([nodes[start], nodes[end]]), thin * 1.5, paint)
    layer.fill(ellipse(-0.2, -0.3, 0.14, 0.05), _DARK)
    layer.line(curve([(0.25, -0.42), (0.4, -0.4), (0.52, -0.36)]), thin * 1.5, _DARK)


def fruit(layer: Layer) -> None:
    """Paint fruit, balls, buns, pebbles: one or a heap of round things."""
    rng = layer.rng
    paint = colour(rng)
    for _ in range(int(rng.choice([1, 1, 2, 3, 5]))):
        x, y, radius = rng.normal(0, 0.3), rng.normal(0.2, 0.2), rng.uniform(0.25, 0.55)
        shade = paint if rng.random() < 0.6 else colour(rng)
        layer.surface(
            blob(rng, x, y, radius, radius * rng.uniform(0.8, 1.1), 0.06),
            shade,
            rng.uniform(0.6, 1.2),
        )
        if rng.random() < 0.5:
            layer.line(curve([(x, y - radius * 0.9), (x + 0.05, y - radius * 1.2)]), 0.03, _DARK)
        if rng.random() < 0.5:
            layer.fill(
                ellipse(x - radius * 0.35, y - radius * 0.4, radius * 0.14, radius * 0.1),
                _WHITE * np.float32(0.95),
            )


def meal(layer: Layer) -> None:
    """Paint a plate or board with things on it."""
    rng = layer.rng
    tilt = rng.uniform(0.35, 1)
    plate = colour(rng) if rng.random() < 0.5 else _WHITE * np.float32(rng.uniform(0.7, 0.97))
    layer.surface(
        ellipse(0, 0, 0.95, 0.95 * tilt, power=rng.choice([2.0, 2.0, 6.0])), plate, 0.4, 0.1
    )
    layer.surface(ellipse(0, 0, 0.7, 0.7 * tilt), plate * np.float32(rng.uniform(0.8, 1)), 0.3, 0.1)
    for _ in range(int(rng.integers(2, 9))):
        x, y = rng.normal(0, 0.27), rng.normal(0, 0.27) * tilt
        layer.surface(
            blob(rng, x, y, rng.uniform(0.1, 0.4), rng.uniform(0.1, 0.35) * tilt), colour(rng), 0.9
        )


def tool(layer: Layer) -> None:
    """Paint long thin things: cutlery, brushes, guitars, rackets, keys."""
    rng = layer.rng
    paint, handle = colour(rng), colour(rng)
    thin = rng.uniform(0.02, 0.08)
    layer.surface(limb([(0, 1), (0, -0.2)], [thin * rng.uniform(0.8, 2), thin]), handle, 0.7)
    kind = rng.integers(4)
    if kind == 0:
        for x in np.linspace(-0.15, 0.15, int(rng.integers(2, 5))):
            layer.line(curve([(0, -0.2), (x, -0.4), (x, -0.9)]), thin, paint)
    elif kind == 1:
        head = blob(rng, 0, -0.5, rng.uniform(0.15, 0.5), 0.45, 0.15)
        layer.surface(head, paint, 0.8)
        if rng.random() < 0.4:
            layer.erase(ellipse(0, -0.5, 0.12, 0.18))
    elif kind == 2:
        outline = ellipse(0, -0.55, 0.35, 0.42)
        layer.line(np.concatenate([outline, outline[:2]]), 0.06, paint)
        for x in np.linspace(-0.3, 0.3, 8):
            reach = 0.42 * np.sqrt(max(0.0, 1 - (x / 0.35) ** 2))
            layer.line(np.array([(x, -0.55 - reach), (x, -0.55 + reach)]), 0.006, _WHITE)
    else:
        layer.surface(box(-rng.uniform(0.1, 0.5), -0.7, rng.uniform(0.1, 0.5), -0.2), paint, 0.6)


def garment(layer: Layer) -> None:
    """Paint a shirt, dress or coat laid out flat."""
    rng = layer.rng
    paint = colour(rng)
    w, hem, sleeve = rng.uniform(0.3, 0.45), rng.uniform(0.3, 0.65), rng.uniform(0.1, 0.8)
    shape = [
        (-0.15, -0.8),
        (-w, -0.7),
        (-w - 0.35, -0.7 + sleeve),
        (-w - 0.15, -0.55 + sleeve),
        (-w, -0.35),
        (-hem, 0.9),
    ]
    mirrored = [(-x, y) for x, y in reversed(shape)]
    layer.surface(turn(np.array([*shape, *mirrored]), rng.normal(0, 0.1)), paint, 0.6)
    layer.fill(ellipse(0, -0.8, 0.15, 0.1), paint * np.float32(0.5))
    if rng.random() < 0.5:
        layer.surface(
            polygon(rng, 0, -0.1, 0.25, int(rng.integers(3, 9))), contrasting(rng, paint), 0.1
        )
