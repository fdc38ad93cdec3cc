"""People for the training scenes: portraits and full figures built from simple parts."""

from __future__ import annotations

import numpy as np

from training.canvas import Layer
from training.outlines import (
    Points,
    blob,
    box,
    curve,
    ellipse,
    leaf,
    limb,
    profile,
    strand,
    turn,
)
from training.textures import (
    HAIR_TONES,
    SKIN_TONES,
    Array,
    Rng,
    clamp,
    colour,
    contrasting,
    pick_tone,
    rgb,
)


def _cloth(rng: Rng) -> Array:
    """Clothes are dark or pale more often than they are colourful."""
    if rng.random() < 0.35:
        return clamp(np.array([0.06, 0.07, 0.1]) + rng.random() * 0.15)
    return colour(rng)


def _hair_color(rng: Rng) -> Array:
    return pick_tone(rng, HAIR_TONES) if rng.random() < 0.93 else colour(rng)


def _tuft(
    layer: Layer, outline: Points, paint: Array, count: int, length: float, width: float
) -> None:
    """Let single strands stand off an outline, as hair and fur do."""
    rng = layer.rng
    centre = outline.mean(0)
    for index in rng.integers(0, len(outline), count):
        x, y = outline[index]
        outward = np.arctan2(y - centre[1], x - centre[0]) + rng.normal(0, 0.5)
        shade = paint * np.float32(rng.uniform(0.6, 1.4))
        layer.line(strand(rng, x, y, outward, length * rng.uniform(0.3, 1.3)), width, shade)


def _face(layer: Layer, x: float, y: float, rx: float, ry: float, skin: Array) -> None:
    """Eyes, brows, nose, mouth, ears; sometimes glasses or a beard."""
    rng = layer.rng
    gaze = rng.uniform(-0.3, 0.3) * rx
    dark = skin * np.float32(0.35)
    shadow = skin * np.float32(rng.uniform(0.65, 0.85))
    if rng.random() < 0.15:
        layer.surface(ellipse(x, y + 0.55 * ry, 0.8 * rx, 0.45 * ry), _hair_color(rng), 0.3, 0.5)
    for side in (-1, 1):
        eye_x, eye_y = x + gaze + side * 0.42 * rx, y - 0.08 * ry
        layer.fill(ellipse(eye_x, eye_y, 0.24 * rx, 0.13 * ry), shadow)
        layer.fill(ellipse(eye_x, eye_y, 0.17 * rx, 0.07 * ry), rgb(0.9, 0.9, 0.88))
        layer.fill(ellipse(eye_x, eye_y, 0.07 * rx, 0.07 * ry), dark * np.float32(0.4))
        brow = curve(
            [
                (eye_x - 0.22 * rx, eye_y - 0.2 * ry),
                (eye_x, eye_y - 0.27 * ry),
                (eye_x + 0.22 * rx, eye_y - 0.2 * ry),
            ]
        )
        layer.line(brow, 0.06 * rx, dark)
        if rng.random() < 0.3:
            layer.fill(
                ellipse(eye_x, y + 0.3 * ry, 0.2 * rx, 0.14 * ry),
                skin * rgb(1.08, 0.9, 0.88),
            )
    tip = (x + gaze * 1.3, y + 0.25 * ry)
    layer.line(
        curve([(x + gaze, y - 0.05 * ry), tip, (tip[0] - 0.1 * rx, tip[1])]), 0.07 * rx, shadow
    )
    lips = skin * rgb(0.85, 0.5, 0.5)
    layer.fill(
        ellipse(x + gaze, y + 0.52 * ry, rng.uniform(0.2, 0.4) * rx, rng.uniform(0.04, 0.1) * ry),
        lips,
    )
    if rng.random() < 0.2:
        frame = colour(rng) * np.float32(0.4)
        for side in (-1, 1):
            ring = ellipse(
                x + gaze + side * 0.42 * rx, y - 0.08 * ry, 0.32 * rx, 0.22 * ry, power=2.8
            )
            layer.line(np.concatenate([ring, ring[:2]]), 0.06 * rx, frame)
        layer.line(
            np.array([(x + gaze - 0.1 * rx, y - 0.1 * ry), (x + gaze + 0.1 * rx, y - 0.1 * ry)]),
            0.06 * rx,
            frame,
        )


def _headwear(layer: Layer, x: float, y: float, rx: float, ry: float) -> None:
    rng = layer.rng
    paint = _cloth(rng)
    kind = rng.integers(4)
    top = y - 0.55 * ry
    if kind == 0:  # brimmed hat
        layer.surface(
            ellipse(x, top, rng.uniform(1.4, 2.1) * rx, 0.22 * ry, rng.normal(0, 0.1)), paint, 0.4
        )
        layer.surface(ellipse(x, top - 0.35 * ry, 0.95 * rx, 0.55 * ry, power=3), paint, 0.6)
        layer.fill(
            box(x - 0.92 * rx, top - 0.2 * ry, x + 0.92 * rx, top - 0.03 * ry),
            contrasting(rng, paint),
        )
    elif kind == 1:  # peaked cap, also of uniforms
        crown = ellipse(x, top - 0.3 * ry, rng.uniform(1.05, 1.4) * rx, 0.45 * ry, power=2.6)
        layer.surface(crown, paint, 0.5)
        layer.fill(
            ellipse(x + rng.uniform(-0.5, 0.5) * rx, top + 0.1 * ry, 0.95 * rx, 0.16 * ry),
            paint * np.float32(0.5),
        )
        layer.fill(ellipse(x, top - 0.25 * ry, 0.2 * rx, 0.2 * ry), contrasting(rng, paint, 0.4))
    elif kind == 2:  # woollen cap
        layer.surface(ellipse(x, top - 0.05 * ry, 1.08 * rx, 0.6 * ry, power=2.4), paint, 0.5)
    else:  # headscarf or hood
        layer.line(
            curve(
                [
                    (x - rx, y + 0.3 * ry),
                    (x - 0.9 * rx, y - 0.6 * ry),
                    (x, y - 1.1 * ry),
                    (x + 0.9 * rx, y - 0.6 * ry),
                    (x + rx, y + 0.3 * ry),
                ]
            ),
            0.4 * rx,
            paint,
        )


def _head(
    layer: Layer, x: float, y: float, rx: float, ry: float, skin: Array, detailed: bool
) -> None:
    """Hair behind, face, hair in front, perhaps something on top."""
    rng = layer.rng
    hair = _hair_color(rng)
    long_hair = rng.random() < 0.45
    bald = rng.random() < 0.1
    if not bald:
        drop = rng.uniform(0.2, 1.3) if long_hair else 0.0
        back = blob(
            rng,
            x,
            y - 0.15 * ry + drop * ry * 0.5,
            rx * rng.uniform(1.05, 1.5),
            ry * (1.08 + drop * 0.5),
            0.12,
        )
        layer.surface(back, hair, 0.4, 0.4)
        if rng.random() < 0.6:
            _tuft(layer, back, hair, int(rng.integers(20, 120)), 0.5 * rx, 0.02 * rx)
    if detailed:
        for side in (-1, 1):
            layer.fill(
                ellipse(x + side * rx, y + 0.05 * ry, 0.14 * rx, 0.2 * ry), skin * np.float32(0.85)
            )
    layer.surface(
        ellipse(x, y, rx, ry, power=rng.uniform(1.9, 2.4)), skin, rng.uniform(0.3, 0.9), 0.15
    )
    if detailed:
        _face(layer, x, y, rx, ry, skin)
    if not bald:
        fringe = curve(
            [
                (x - 1.02 * rx, y - 0.1 * ry),
                (x - 0.95 * rx, y - 0.75 * ry),
                (x, y - 1.12 * ry),
                (x + 0.95 * rx, y - 0.75 * ry),
                (x + 1.02 * rx, y - 0.1 * ry),
                (x + 0.7 * rx, y - 0.5 * ry),
                (x + rng.uniform(-0.5, 0.5) * rx, y - 0.65 * ry),
                (x - 0.7 * rx, y - 0.5 * ry),
            ],
            closed=True,
        )
        layer.fill(fringe, hair * np.float32(rng.uniform(0.85, 1.2)))
    if rng.random() < 0.25:
        _headwear(layer, x, y, rx, ry)


def _trimmings(layer: Layer, shoulder: float, paint: Array) -> None:
    """Collar, lapels, tie, buttons, badges and ribbons on a chest."""
    rng = layer.rng
    accent = contrasting(rng, paint, 0.3)
    if rng.random() < 0.6:
        depth = rng.uniform(0.15, 0.6)
        layer.fill(
            np.array([(-0.17, shoulder - 0.1), (0.17, shoulder - 0.1), (0, shoulder + depth)]),
            accent,
        )
        if rng.random() < 0.5:
            width = rng.uniform(0.03, 0.07)
            knot = [
                (-width, shoulder - 0.02),
                (width, shoulder - 0.02),
                (width * 1.3, shoulder + depth),
                (0, shoulder + depth * 1.2),
            ]
            layer.fill(
                np.array([*knot, (-width * 1.3, shoulder + depth)]), contrasting(rng, accent, 0.4)
            )
        for side in (-1, 1):
            lapel = [
                (side * 0.18, shoulder - 0.1),
                (side * 0.33, shoulder + 0.15),
                (0, shoulder + depth + 0.1),
            ]
            layer.fill(np.array(lapel), paint * np.float32(rng.uniform(0.6, 1.3)))
    if rng.random() < 0.4:
        for row in range(int(rng.integers(2, 5))):
            layer.fill(
                ellipse(rng.normal(0, 0.01), shoulder + 0.45 + 0.22 * row, 0.025, 0.025), accent
            )
    if rng.random() < 0.3:
        left, top = rng.choice([-0.42, 0.2]), shoulder + rng.uniform(0.25, 0.45)
        for stripe in range(int(rng.integers(1, 7))):
            x = left + 0.05 * stripe
            layer.fill(box(x, top, x + 0.045, top + rng.uniform(0.04, 0.15)), colour(rng))


def portrait(layer: Layer) -> None:
    """Paint head and shoulders, meant to be cut by the lower border."""
    rng = layer.rng
    skin, cloth = pick_tone(rng, SKIN_TONES), _cloth(rng)
    rx, ry = rng.uniform(0.24, 0.36), rng.uniform(0.34, 0.46)
    shoulder, width = rng.uniform(0.28, 0.42), rng.uniform(0.5, 0.95)
    lean = rng.normal(0, 0.06)
    neck = limb([(lean, -0.1), (0, shoulder + 0.1)], [0.6 * rx, 0.55 * rx])
    layer.surface(neck, skin * np.float32(rng.uniform(0.7, 0.95)), 0.3, 0.1)
    torso = profile(
        [shoulder - 0.06, shoulder + 0.04, shoulder + 0.25, 1.0, 1.9, 2.6],
        [0.5 * rx, width * 0.6, width, width * rng.uniform(0.85, 1.15), width, width],
    )
    layer.surface(torso, cloth, rng.uniform(0.3, 0.9))
    if rng.random() < 0.5:
        for side in (-1, 1):
            elbow = (side * width * rng.uniform(1.0, 1.4), rng.uniform(1.0, 1.4))
            arm = limb(
                [(side * width * 0.85, shoulder + 0.25), elbow, (side * rng.uniform(0, 0.8), 1.5)],
                [0.18, 0.17, 0.12],
            )
            layer.surface(arm, cloth * np.float32(rng.uniform(0.8, 1.15)), 0.6, 0.2)
    _trimmings(layer, shoulder, cloth)
    _head(layer, lean, -0.3, rx, ry, skin, detailed=True)
    if rng.random() < 0.12:  # a hand near the face
        hand = (rng.uniform(-0.5, 0.5), rng.uniform(0.1, 0.5))
        layer.surface(limb([(hand[0] * 1.8, 1.3), hand], [0.14, 0.11]), skin, 0.5, 0.1)


def _arms(layer: Layer, shoulder: float, reach: float, sleeve: Array, skin: Array) -> None:
    rng = layer.rng
    for side in (-1, 1):
        start = np.array([side * shoulder, -0.58])
        upper = rng.uniform(-0.2, 2.6) if rng.random() < 0.4 else rng.uniform(0, 0.6)
        lower = upper + rng.uniform(-1.4, 0.6)
        elbow = start + reach * np.array([side * np.sin(upper), np.cos(upper)])
        hand = elbow + reach * np.array([side * np.sin(lower), np.cos(lower)])
        width = rng.uniform(0.05, 0.08)
        if rng.random() < 0.6:
            layer.fill(limb([start, elbow, hand], [width, width, width * 0.8]), sleeve)
        else:
            layer.fill(
                limb(
                    [elbow * 0.3 + start * 0.7, elbow, hand],
                    [width * 0.85, width * 0.8, width * 0.7],
                ),
                skin,
            )
            layer.fill(limb([start, elbow * 0.5 + start * 0.5], [width * 1.15, width]), sleeve)
        layer.fill(ellipse(hand[0], hand[1], 0.055, 0.055), skin)
        if rng.random() < 0.12:
            belonging = blob(
                rng, hand[0], hand[1] + 0.1, rng.uniform(0.08, 0.2), rng.uniform(0.08, 0.2), 0.1
            )
            layer.surface(belonging, colour(rng))


def figure(layer: Layer) -> None:
    """Paint a whole person: standing, walking, jumping or sitting on nothing."""
    rng = layer.rng
    skin, top, bottom = pick_tone(rng, SKIN_TONES), _cloth(rng), _cloth(rng)
    shoulder, hip = rng.uniform(0.17, 0.27), rng.uniform(0.12, 0.2)
    spread = abs(rng.normal(0.1, 0.35)) if rng.random() < 0.4 else rng.uniform(0, 0.15)
    length = rng.uniform(0.42, 0.5)
    behind = rng.random() < 0.5
    if behind:
        _arms(layer, shoulder, rng.uniform(0.27, 0.34), top * np.float32(0.9), skin)
    shoe = colour(rng) * np.float32(0.6)
    for side in (-1, 1):
        start = np.array([side * hip * 0.6, 0.08])
        thigh = side * spread + rng.normal(0, 0.12)
        shin = thigh * rng.uniform(-0.2, 1.0)
        knee = start + length * np.array([np.sin(thigh), np.cos(thigh)])
        foot = knee + length * np.array([np.sin(shin), np.cos(shin)])
        bare = rng.random() < 0.25
        layer.surface(
            limb([start, knee, foot], [0.115, 0.085, 0.055]), skin if bare else bottom, 0.6, 0.2
        )
        layer.fill(ellipse(foot[0] + rng.choice([-0.04, 0.04]), foot[1] + 0.03, 0.1, 0.05), shoe)
    if rng.random() < 0.25:
        hem = rng.uniform(0.3, 0.9)
        skirt = profile(
            [-0.05, 0.1, hem * 0.6, hem], [hip * 0.8, hip, hip * 1.4, hip * rng.uniform(1.1, 2.6)]
        )
        layer.surface(skirt, bottom, 0.7)
    torso = profile(
        [-0.68, -0.6, -0.3, -0.05, 0.18],
        [0.08, shoulder, shoulder * rng.uniform(0.8, 1), hip * 0.95, hip * 1.1],
    )
    layer.surface(torso, top, 0.6)
    if not behind:
        _arms(layer, shoulder, rng.uniform(0.27, 0.34), top * np.float32(0.9), skin)
    layer.fill(limb([(0, -0.8), (0, -0.62)], [0.055, 0.06]), skin * np.float32(0.8))
    size = rng.uniform(0.1, 0.135)
    _head(layer, rng.normal(0, 0.02), -0.85, size, size * 1.3, skin, detailed=layer.frame.unit > 60)


def hand(layer: Layer) -> None:
    """Paint a hand with fingers, reaching in from below."""
    rng = layer.rng
    skin = pick_tone(rng, SKIN_TONES)
    layer.surface(limb([(0, 2.2), (0, 0.8), (0, 0.3)], [0.36, 0.27, 0.32]), skin, 0.5, 0.1)
    for finger in range(4):
        angle = (finger - 1.5) * rng.uniform(0.08, 0.26) + rng.normal(0, 0.05)
        root = np.array([(finger - 1.5) * 0.2, 0.0])
        tip = root + rng.uniform(0.55, 0.8) * np.array([np.sin(angle), -np.cos(angle)])
        layer.surface(
            limb([root + np.array([0, 0.3]), root, tip], [0.12, 0.1, 0.08]), skin, 0.5, 0.1
        )
    layer.surface(
        limb([(0.25, 0.6), (0.5, 0.25), (0.62, -0.1)], [0.13, 0.11, 0.09]), skin, 0.5, 0.1
    )
    if rng.random() < 0.4:
        layer.surface(blob(rng, 0.1, -0.2, 0.5, 0.4, 0.15), colour(rng))


def group(layer: Layer) -> None:
    """Paint two or three portraits side by side."""
    frame = layer.frame
    count = int(layer.rng.integers(2, 4))
    for index in range(count):
        shift = np.array([(index - (count - 1) / 2) * 1.1, layer.rng.uniform(-0.1, 0.25)])
        layer.frame = type(frame)(frame.matrix * 0.75, frame.apply(shift[None])[0])
        portrait(layer)
    layer.frame = frame


def turned_head(layer: Layer) -> None:
    """Paint a head in profile or from behind, with plenty of hair."""
    rng = layer.rng
    skin, cloth, hair = pick_tone(rng, SKIN_TONES), _cloth(rng), _hair_color(rng)
    layer.surface(profile([0.4, 0.5, 0.8, 2.4], [0.2, 0.5, 0.75, 0.8]), cloth)
    layer.surface(limb([(0, 0), (0, 0.6)], [0.22, 0.2]), skin, 0.5, 0.1)
    if rng.random() < 0.5:
        face = [(0.05, -0.75), (-0.3, -0.62), (-0.36, -0.35), (-0.47, -0.18), (-0.36, -0.12)]
        face += [(-0.38, 0.02), (-0.3, 0.16), (0, 0.18), (0.25, -0.2)]
        layer.surface(curve(face, closed=True), skin, 0.6, 0.1)
        layer.fill(ellipse(-0.27, -0.36, 0.05, 0.03), skin * np.float32(0.2))
        layer.fill(leaf(-0.37, 0.0, 0.1, 0.14, 0.025), skin * rgb(0.8, 0.45, 0.45))
    mane = turn(blob(rng, 0.14, -0.35, 0.38, 0.45, 0.12), rng.normal(0, 0.1))
    layer.surface(mane, hair, 0.5, 0.5)
    _tuft(layer, mane, hair, int(rng.integers(20, 140)), 0.25, 0.006)
