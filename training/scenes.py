"""Training scenes composed from nothing but a seed: a picture and the alpha of its subject.

A scene is a background (`scenery`), blurred or not, some smaller distracting things, a cast
shadow, one or several subjects (`people`, `creatures`, `objects`,
`solids`) and a camera (`camera`).
Equal seeds give equal scenes.

Example
-------
>>> scene = compose(7, (96, 128))
>>> scene.image.shape, scene.alpha.shape
((96, 128, 3), (96, 128))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training import creatures, objects, people, solids
from training.camera import defocus, develop, expose, shift_blur
from training.canvas import Frame, Layer, relief
from training.scenery import scenery
from training.textures import Array, Rng, Size, clamp, grid, noise

Painter = Callable[[Layer], None]

BUSTS: tuple[tuple[Painter, float], ...] = (
    (people.portrait, 7), (people.turned_head, 1.5), (people.group, 1.5), (people.hand, 1),
)  # fmt: skip
WHOLES: tuple[tuple[Painter, float], ...] = (
    (people.figure, 5), (creatures.quadruped, 3), (creatures.pet, 3), (creatures.bird, 1.5),
    (creatures.fish, 0.7), (creatures.insect, 0.7), (creatures.potted_plant, 1.2),
    (creatures.flower, 1), (creatures.tree, 0.6), (objects.bottle, 1.5), (objects.mug, 1.2),
    (objects.shoe, 1.2), (objects.carton, 1.3), (objects.chair, 1.3), (objects.lamp, 0.7),
    (objects.bag, 1.2), (objects.ring, 0.8), (objects.vehicle, 1.5), (objects.bicycle, 0.7),
    (objects.fruit, 1), (objects.meal, 0.8), (objects.tool, 0.8), (objects.garment, 0.8),
    (solids.abstract, 5),
)  # fmt: skip

_NO_SUBJECT, _BUST = 0.04, 0.28  # shares of scenes without a subject and with head and shoulders


@dataclass(frozen=True)
class Scene:
    """A composed picture, uint8 ``[h, w, 3]`` RGB, and its true alpha, uint8 ``[h, w]``."""

    image: NDArray[np.uint8]
    alpha: NDArray[np.uint8]


def compose(seed: int, size: Size = (192, 192), painter: Painter | None = None) -> Scene:
    """Compose the scene of a seed.

    Parameters
    ----------
    seed : int
        Any non-negative integer.
    size : tuple of int
        Height and width in pixels.
    painter : callable, optional
        Paints this subject, once, in place of a drawn one.

    Returns
    -------
    Scene
    """
    rng = np.random.default_rng(seed)
    picture = scenery(rng, size)
    if rng.random() < 0.3:
        picture = _distract(rng, picture)
    blurred = rng.random() < 0.55
    if blurred:
        picture = defocus(picture, min(size) / 192 * float(np.exp(rng.uniform(0.4, 2.6))))
    if rng.random() < 0.3:
        picture = clamp(picture * np.float32(rng.uniform(0.3, 1.6)))
    alpha = np.zeros(size, np.float32)
    for premultiplied, cover in _subjects(rng, size, painter):
        picture = _shadow(rng, picture, cover)
        picture = premultiplied + picture * (1 - cover)[..., None]
        alpha = cover + alpha * (1 - cover)
    image = develop(rng, expose(rng, picture))
    return Scene(image, (clamp(alpha) * 255 + 0.5).astype(np.uint8))


def _draw(rng: Rng, table: tuple[tuple[Painter, float], ...]) -> Painter:
    weights = np.array([weight for _, weight in table])
    return table[int(rng.choice(len(table), p=weights / weights.sum()))][0]


def _squash(rng: Rng) -> float:
    """Width over height: photographs of any shape are stretched onto the network's square."""
    mirror = -1 if rng.random() < 0.5 else 1
    return mirror * float(np.exp(np.clip(rng.normal(0, 0.25), -0.5, 0.5)))


def _bust_frame(rng: Rng, size: Size) -> Frame:
    """Head and shoulders: the lower end of the square lies below the picture."""
    scale = rng.uniform(0.33, 0.8)
    headroom = rng.uniform(-0.05, 0.4) - 0.3 * (scale - 0.33)
    centre = (0.5 + rng.normal(0, 0.1), headroom + 0.8 * scale * min(size) / size[0])
    return Frame.place(size, centre, scale, _squash(rng), rng.normal(0, 0.07))


def _whole_frame(rng: Rng, size: Size) -> Frame:
    """Frame a complete subject near the middle, or now and then cut by a border."""
    scale = 0.5 * float(np.exp(rng.uniform(-1.0, 0.25)))
    spread = 0.2 if rng.random() < 0.2 else 0.08
    centre = (0.5 + rng.normal(0, spread), 0.52 + rng.normal(0, spread))
    upright = rng.random() < 0.8
    angle = rng.normal(0, 0.12) if upright else rng.uniform(0, 2 * np.pi)
    return Frame.place(size, centre, scale, _squash(rng), angle)


def _subjects(rng: Rng, size: Size, painter: Painter | None) -> list[tuple[Array, Array]]:
    """Layers to composite in order, premultiplied; none for a scene without a subject."""
    if painter is not None:
        cut = painter in {entry for entry, _ in BUSTS}
        frame = _bust_frame(rng, size) if cut else _whole_frame(rng, size)
        return [_paint(rng, size, painter, frame)]
    kind = rng.random()
    if kind < _NO_SUBJECT:
        return []
    if kind < _NO_SUBJECT + _BUST:
        return [_paint(rng, size, _draw(rng, BUSTS), _bust_frame(rng, size))]
    chosen = _draw(rng, WHOLES)
    if rng.random() >= 0.15:
        return [_paint(rng, size, chosen, _whole_frame(rng, size))]
    layers = []
    for _ in range(int(rng.integers(2, 4))):
        if rng.random() < 0.4:
            chosen = _draw(rng, WHOLES)
        centre = (rng.uniform(0.2, 0.8), rng.uniform(0.4, 0.65))
        frame = Frame.place(size, centre, rng.uniform(0.22, 0.38), _squash(rng), rng.normal(0, 0.1))
        layers.append(_paint(rng, size, chosen, frame))
    return layers


def _paint(rng: Rng, size: Size, painter: Painter, frame: Frame) -> tuple[Array, Array]:
    """Paint one subject, light it as a whole, and soften its edge."""
    layer = Layer(rng, size, frame)
    painter(layer)
    premultiplied, cover = layer.finish()
    if rng.random() < 0.7:
        shade = relief(rng, cover, frame.unit * rng.uniform(0.1, 0.5), rng.uniform(0.1, 0.6))
        shade = shade * (0.85 + 0.3 * noise(rng, size, 2, 1))
        premultiplied = np.minimum(premultiplied * shade[..., None], cover[..., None])
    edge = rng.random()
    if edge < 0.06:
        reach = 0.05 * frame.unit
        dx, dy = (round(float(value)) for value in rng.normal(0, reach, 2))
        return shift_blur(premultiplied, dx, dy), shift_blur(cover, dx, dy)
    if edge < 0.3:
        radius = rng.uniform(1.0, 1.8) * min(size) / 192
        return clamp(defocus(premultiplied, radius)), clamp(defocus(cover, radius))
    return premultiplied, cover


def _shadow(rng: Rng, picture: Array, cover: Array) -> Array:
    """Cast a soft shadow beside the subject or a contact shadow below it."""
    if rng.random() < 0.45:
        return picture
    height, width = cover.shape
    if rng.random() < 0.5:
        dx, dy = (round(float(value)) for value in rng.normal(0, 0.06 * min(height, width), 2))
        reach = (abs(dy), abs(dx))
        padded = np.pad(cover, ((reach[0],) * 2, (reach[1],) * 2))
        shade = padded[reach[0] - dy :, reach[1] - dx :][:height, :width]
        shade = clamp(defocus(shade, rng.uniform(2, 9) * min(height, width) / 192))
    else:
        occupied = np.nonzero(cover > 0.5)
        if not len(occupied[0]):
            return picture
        x, y = grid((height, width))
        foot, middle = occupied[0].max() / height, occupied[1].mean() / height
        reach = max(float(np.ptp(occupied[1])) / height / 2, 0.05) * rng.uniform(0.8, 1.3)
        distance = ((x - middle) / reach) ** 2 + ((y - foot) / rng.uniform(0.02, 0.1)) ** 2
        shade = np.exp(-distance).astype(np.float32)
    return picture * (1 - shade * np.float32(rng.uniform(0.15, 0.75)))[..., None]


def _distract(rng: Rng, picture: Array) -> Array:
    """Put small secondary things near the borders, out of focus; they are not the subject."""
    size = picture.shape[:2]
    for _ in range(int(rng.integers(1, 5))):
        side = rng.choice([rng.uniform(-0.05, 0.2), rng.uniform(0.8, 1.05)])
        frame = Frame.place(
            size, (side, rng.uniform(0.1, 0.9)), rng.uniform(0.08, 0.2), _squash(rng)
        )
        layer = Layer(rng, size, frame)
        _draw(rng, WHOLES)(layer)
        premultiplied, cover = layer.finish()
        picture = premultiplied + picture * (1 - cover)[..., None]
    return clamp(defocus(picture, rng.uniform(1.2, 3) * min(size) / 192))
