"""Animals and plants for the training scenes."""

from __future__ import annotations

import numpy as np

from training.canvas import Layer
from training.outlines import (
    Points,
    blob,
    curve,
    ellipse,
    leaf,
    limb,
    polygon,
    profile,
    strand,
)
from training.textures import HAIR_TONES, Array, Rng, clamp, colour, pick_tone, rgb

_DARK = rgb(0.05, 0.04, 0.04)


def _coat(rng: Rng) -> Array:
    return pick_tone(rng, HAIR_TONES) if rng.random() < 0.75 else colour(rng)


def _fur(layer: Layer, outline: Points, paint: Array) -> None:
    """Short hairs along an outline."""
    rng = layer.rng
    if rng.random() < 0.4:
        return
    centre, length = outline.mean(0), rng.uniform(0.03, 0.12)
    for index in rng.integers(0, len(outline), 150):
        x, y = outline[index]
        outward = np.arctan2(y - centre[1], x - centre[0]) + rng.normal(0, 0.6)
        layer.line(
            strand(rng, x, y, outward, length, 0.2),
            0.008,
            paint * np.float32(rng.uniform(0.7, 1.3)),
        )


def _eyes(layer: Layer, x: float, y: float, gap: float, radius: float) -> None:
    iris = colour(layer.rng)
    for side in (-1, 1):
        layer.fill(ellipse(x + side * gap, y, radius, radius), iris)
        layer.fill(ellipse(x + side * gap, y, radius * 0.6, radius * 0.8), _DARK)
        layer.fill(
            ellipse(x + side * gap - radius * 0.3, y - radius * 0.3, radius * 0.2, radius * 0.2),
            np.ones(3, np.float32),
        )


def quadruped(layer: Layer) -> None:
    """Paint dog, horse, cow, cat from the side."""
    rng = layer.rng
    coat = _coat(rng)
    length, girth, leg = rng.uniform(0.4, 0.65), rng.uniform(0.16, 0.32), rng.uniform(0.35, 0.75)
    width = rng.uniform(0.05, 0.09)
    for x in (-length * 0.8, length * 0.75, -length * 0.6, length * 0.92):
        foot = x + rng.normal(0, 0.12)
        knots = [
            (x, 0.05),
            (x + rng.normal(0, 0.06), leg * 0.55),
            (foot, leg),
            (foot - 0.07, leg + 0.02),
        ]
        layer.surface(
            limb(knots, [width * 1.8, width, width * 0.8, width * 0.8]),
            coat * np.float32(rng.uniform(0.7, 1)),
            0.5,
            0.2,
        )
    tail = [
        (length, -0.1),
        (length + 0.2, rng.uniform(-0.4, 0.3)),
        (length + rng.uniform(0.1, 0.4), rng.uniform(-0.5, 0.5)),
    ]
    layer.fill(limb(tail, [width * 0.8, width * 0.6, width * 0.3]), coat * np.float32(0.9))
    body = limb(
        [(-length, -0.05), (0, rng.uniform(-0.08, 0.02)), (length, -0.03)],
        [girth, girth * rng.uniform(0.8, 1.1), girth],
    )
    layer.surface(body, coat, 0.8)
    _fur(layer, body, coat)
    head = (-length - rng.uniform(0.12, 0.4), rng.uniform(-0.65, -0.15))
    layer.surface(limb([(-length * 0.9, -0.1), head], [girth * 0.8, girth * 0.55]), coat, 0.5, 0.2)
    skull = girth * rng.uniform(0.6, 0.9)
    for side in (0.2, 0.9):
        ear = leaf(
            head[0] + skull * side,
            head[1] - skull * 0.4,
            rng.uniform(-2.2, 1.2),
            skull * rng.uniform(0.8, 1.6),
            skull * 0.3,
        )
        layer.fill(ear, coat * np.float32(0.75))
    muzzle = (head[0] - skull * rng.uniform(0.9, 1.8), head[1] + skull * rng.uniform(0.1, 0.6))
    layer.surface(limb([head, muzzle], [skull, skull * 0.5]), coat, 0.7, 0.3)
    layer.fill(ellipse(muzzle[0] - skull * 0.35, muzzle[1], skull * 0.2, skull * 0.2), _DARK)
    layer.fill(
        ellipse(head[0] - skull * 0.3, head[1] - skull * 0.2, skull * 0.14, skull * 0.14), _DARK
    )


def pet(layer: Layer) -> None:
    """Paint a sitting cat, dog, bear or rabbit seen from the front; often only the head."""
    rng = layer.rng
    coat = _coat(rng)
    belly = clamp(coat * np.float32(rng.uniform(0.8, 1.6)))
    body = blob(rng, 0, 0.55, rng.uniform(0.4, 0.6), rng.uniform(0.5, 0.75), 0.08)
    if rng.random() < 0.6:
        layer.fill(
            limb([(0.3, 0.9), (0.8, 0.8), (0.9, rng.uniform(0, 0.6))], [0.1, 0.09, 0.05]),
            coat * np.float32(0.85),
        )
    layer.surface(body, coat, 0.7)
    _fur(layer, body, coat)
    layer.surface(ellipse(0, 0.6, 0.25, 0.4), belly, 0.4)
    for side in (-1, 1):
        layer.surface(limb([(side * 0.2, 0.5), (side * 0.22, 1.1)], [0.13, 0.1]), coat, 0.6, 0.2)
    rx, ry = rng.uniform(0.34, 0.5), rng.uniform(0.32, 0.46)
    ear_kind, ear_length = rng.integers(3), rng.uniform(0.25, 0.75)
    for side in (-1, 1):
        root = (side * rx * 0.65, -0.3 - ry * 0.55)
        if ear_kind == 0:
            layer.fill(ellipse(root[0] * 1.1, root[1], 0.17, 0.17), coat * np.float32(0.8))
        else:
            hanging = ear_kind == 2
            angle = np.pi / 2 - side * 0.5 if hanging else -np.pi / 2 + side * rng.uniform(0.1, 0.5)
            layer.fill(
                leaf(root[0], root[1] + 0.12, angle, ear_length, 0.14), coat * np.float32(0.8)
            )
            layer.fill(
                leaf(root[0], root[1] + 0.12, angle, ear_length * 0.7, 0.07),
                clamp(coat * rgb(1.5, 1.1, 1.1)),
            )
    head = blob(rng, 0, -0.3, rx, ry, 0.05)
    layer.surface(head, coat, 0.7)
    _fur(layer, head, coat)
    layer.surface(ellipse(0, -0.15, rx * 0.5, ry * 0.4), belly, 0.5, 0.2)
    _eyes(layer, 0, -0.38, rx * 0.45, rng.uniform(0.05, 0.1))
    layer.fill(ellipse(0, -0.2, 0.08, 0.055), _DARK)
    if rng.random() < 0.5:
        for side in (-1, 1):
            for slope in (-0.15, 0, 0.15):
                layer.line(
                    curve([(side * 0.12, -0.15), (side * 0.6, -0.17 + slope)]),
                    0.008,
                    rgb(0.9, 0.9, 0.9),
                )


def bird(layer: Layer) -> None:
    """Paint a perched or standing bird."""
    rng = layer.rng
    plumage, second = colour(rng), colour(rng)
    tilt = rng.uniform(0.2, 1.1)
    back = np.array([np.cos(tilt), np.sin(tilt)])
    for offset in (-0.06, 0.08):
        layer.line(
            curve([(offset, 0.2), (offset + 0.03, 0.6), (offset - 0.02, 0.85)]),
            0.03,
            second * np.float32(0.6),
        )
    layer.fill(
        leaf(back[0] * 0.3, back[1] * 0.3, tilt, rng.uniform(0.5, 0.9), 0.12),
        plumage * np.float32(0.7),
    )
    body = limb([-0.35 * back, 0.3 * back], [rng.uniform(0.2, 0.3), rng.uniform(0.15, 0.3)])
    layer.surface(body, plumage, 0.7)
    layer.surface(
        leaf(-0.25 * back[0], -0.25 * back[1], tilt + rng.normal(0, 0.15), 0.85, 0.2), second, 0.4
    )
    head = -0.5 * back + np.array([-0.03, -0.12])
    radius = rng.uniform(0.14, 0.22)
    beak = head + np.array([-radius * rng.uniform(1.4, 2.4), rng.uniform(0, 0.1)])
    layer.fill(
        np.array([head + np.array([0, -0.08]), beak, head + np.array([0, 0.09])]),
        rgb(0.9, 0.6, 0.15) * rng.uniform(0.3, 1.1),
    )
    layer.surface(ellipse(head[0], head[1], radius, radius), plumage, 0.6)
    layer.fill(ellipse(head[0] - 0.06, head[1] - 0.03, 0.035, 0.035), _DARK)


def fish(layer: Layer) -> None:
    """Paint fish, and, with other proportions, whales and slugs."""
    rng = layer.rng
    paint = colour(rng)
    height = rng.uniform(0.2, 0.5)
    layer.fill(leaf(0.1, -height * 0.6, -0.6, 0.5, 0.15), paint * np.float32(0.7))
    for lift in (-1, 1):
        layer.fill(leaf(0.6, 0, lift * rng.uniform(0.4, 0.8), 0.45, 0.13), paint * np.float32(0.8))
    spine = [(-0.75, 0), (-0.2, rng.normal(0, 0.05)), (0.4, rng.normal(0, 0.08)), (0.75, 0)]
    layer.surface(limb(spine, [height * 0.5, height, height * 0.6, 0.06]), paint, 0.8)
    layer.fill(leaf(-0.2, 0.05, 0.5, 0.3, 0.08), colour(rng))
    layer.fill(ellipse(-0.7, -0.06, 0.06, 0.06), np.ones(3, np.float32))
    layer.fill(ellipse(-0.7, -0.06, 0.035, 0.035), _DARK)


def insect(layer: Layer) -> None:
    """Paint butterflies, bees and beetles: wings, a body, thin legs and feelers."""
    rng = layer.rng
    wing, body = colour(rng), colour(rng) * np.float32(0.5)
    for side in (-1, 1):
        for _ in range(3):
            hip, toe = (
                (side * 0.08, rng.uniform(-0.3, 0.3)),
                (side * rng.uniform(0.4, 0.8), rng.uniform(-0.6, 0.8)),
            )
            layer.line(curve([hip, ((hip[0] + toe[0]) / 2, hip[1] - 0.15), toe]), 0.02, body)
        layer.line(curve([(0, -0.5), (side * 0.15, -0.75), (side * 0.3, -0.9)]), 0.015, body)
    if rng.random() < 0.7:
        upper, lower = rng.uniform(0.2, 0.8), rng.uniform(-0.9, -0.2)
        for side in (-1, 1):
            for angle, length in ((-upper, rng.uniform(0.7, 1)), (-lower, rng.uniform(0.5, 0.8))):
                heading = angle if side > 0 else np.pi - angle
                layer.surface(leaf(0, -0.1, heading, length, length * 0.35), wing, 0.3)
    layer.surface(limb([(0, -0.45), (0, 0), (0, 0.55)], [0.1, 0.13, 0.08]), body, 0.7)


def potted_plant(layer: Layer) -> None:
    """Paint a pot with stems and many thin leaves."""
    rng = layer.rng
    green = rgb(rng.uniform(0.1, 0.5), rng.uniform(0.3, 0.75), rng.uniform(0.05, 0.4))
    if rng.random() < 0.75:
        top = rng.uniform(0.15, 0.28)
        pot = profile([0.35, 0.45, 0.95], [top, top, top * rng.uniform(0.5, 1.0)])
        layer.surface(pot, colour(rng), 0.7)
    slender = rng.uniform(0.04, 0.2)
    for _ in range(int(rng.integers(6, 34))):
        heading = -np.pi / 2 + rng.normal(0, 0.65)
        start = np.array([rng.normal(0, 0.07), 0.4])
        stem = strand(rng, start[0], start[1], heading, rng.uniform(0.4, 1.3), 0.15)
        shade = green * np.float32(rng.uniform(0.5, 1.4))
        layer.line(stem, 0.02, shade * np.float32(0.8))
        for x, y in stem[int(rng.integers(0, 5)) :]:
            layer.fill(
                leaf(
                    x,
                    y,
                    heading + rng.normal(0, 0.8),
                    rng.uniform(0.15, 0.5),
                    slender,
                    rng.normal(0, 0.2),
                ),
                shade,
            )


def flower(layer: Layer) -> None:
    """Paint one or several blossoms on stems."""
    rng = layer.rng
    petal, heart = colour(rng), colour(rng)
    green = rgb(0.2, rng.uniform(0.35, 0.6), 0.15)
    for _ in range(int(rng.integers(1, 4))):
        x, y, radius = rng.normal(0, 0.35), rng.uniform(-0.6, -0.1), rng.uniform(0.25, 0.6)
        layer.line(curve([(x, y), (x * 0.6 + rng.normal(0, 0.1), 0.4), (0, 1.2)]), 0.04, green)
        layer.fill(
            leaf(x * 0.5, 0.5, rng.uniform(-2.5, -0.5), 0.5, 0.12),
            green * np.float32(rng.uniform(0.7, 1.3)),
        )
        count = int(rng.integers(5, 18))
        for angle in np.linspace(0, 2 * np.pi, count, endpoint=False) + rng.normal(0, 0.1, count):
            shade = petal * np.float32(rng.uniform(0.8, 1.1))
            layer.fill(leaf(x, y, angle, radius, radius * rng.uniform(0.12, 0.3)), shade)
        layer.surface(ellipse(x, y, radius * 0.3, radius * 0.3), heart, 0.6)


def tree(layer: Layer) -> None:
    """Paint a trunk and a crown of leafy clumps, with sky between them."""
    rng = layer.rng
    green = rgb(rng.uniform(0.1, 0.7), rng.uniform(0.25, 0.6), rng.uniform(0.05, 0.3))
    layer.surface(
        limb([(0, 1), (rng.normal(0, 0.05), 0.2), (0, -0.4)], [0.11, 0.08, 0.03]),
        pick_tone(rng, HAIR_TONES[:4]),
        0.5,
    )
    for _ in range(int(rng.integers(4, 14))):
        x, y = rng.normal(0, 0.32), rng.uniform(-0.85, 0.1)
        layer.line(curve([(0, 0.2), (x * 0.5, (y + 0.2) / 2), (x, y)]), 0.03, rgb(0.2, 0.14, 0.1))
        clump = blob(rng, x, y, rng.uniform(0.15, 0.35), rng.uniform(0.12, 0.3), 0.3, 12)
        layer.surface(clump, green * np.float32(rng.uniform(0.6, 1.3)), 0.6, 0.8)
    for _ in range(int(rng.integers(0, 40))):
        x, y = rng.normal(0, 0.45), rng.normal(-0.35, 0.35)
        layer.fill(
            polygon(rng, x, y, rng.uniform(0.03, 0.08), 5),
            green * np.float32(rng.uniform(0.5, 1.4)),
        )
