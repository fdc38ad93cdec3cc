"""A layer to paint one subject on, and the frame that places it in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from training.outlines import Points
from training.textures import Array, Rng, Size, clamp, soften, texture

OVERSAMPLING = 2


@dataclass(frozen=True)
class Frame:
    """Affine map from a subject's square ([-1, 1] both ways, y down) to pixels."""

    matrix: Points
    offset: Points

    @classmethod
    def place(
        cls,
        size: Size,
        centre: tuple[float, float],
        scale: float,
        squash: float = 1.0,
        angle: float = 0.0,
    ) -> Frame:
        """Put the square's origin at `centre` (fractions of width and height).

        `scale` is the half-height of the square in units of the smaller side of the picture and
        `squash` its width over its height; a negative one mirrors.
        """
        unit = scale * min(size)
        cos, sin = np.cos(angle), np.sin(angle)
        rotation = np.array([[cos, -sin], [sin, cos]])
        matrix = np.diag([squash, 1.0]) @ rotation * unit
        return cls(matrix, np.array([centre[0] * size[1], centre[1] * size[0]]))

    def apply(self, points: Points) -> Points:
        """Map points ``[n, 2]`` to pixels."""
        return points @ self.matrix.T + self.offset

    @property
    def unit(self) -> float:
        """Pixels per unit of the subject's square."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))


def relief(rng: Rng, mask: Array, radius: float, strength: float) -> Array:
    """Shade a flat shape as if it bulged: a factor around 1 from the slope of its blurred mask."""
    height = soften(mask, max(radius, 1.5))
    slope_y, slope_x = np.gradient(height)
    angle = rng.uniform(0, 2 * np.pi)
    lit = slope_x * np.float32(np.cos(angle)) + slope_y * np.float32(np.sin(angle))
    rounding = (height - 0.75) * np.float32(0.5)
    return np.clip(1 + strength * (lit * np.float32(radius * 1.5) + rounding), 0.15, 1.9)


class Layer:
    """Paints parts back to front with anti-aliasing; collects colour and coverage.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every random choice made while painting.
    size : tuple of int
        Height and width of the picture in pixels.
    frame : Frame
        Where the subject's square lies.
    """

    def __init__(self, rng: Rng, size: Size, frame: Frame) -> None:
        self.rng = rng
        self.size = size
        self.frame = frame
        extent = (size[1] * OVERSAMPLING, size[0] * OVERSAMPLING)
        self._colour = Image.new("RGB", extent)
        self._cover = Image.new("L", extent)
        self._draw_colour = ImageDraw.Draw(self._colour)
        self._draw_cover = ImageDraw.Draw(self._cover)

    def fill(self, points: Points, paint: Array, opacity: float = 1.0) -> None:
        """Fill a polygon with one colour; the opacity is that of the subject, not of the paint."""
        flat = self._flatten(points)
        self._draw_colour.polygon(flat, fill=_rgb(paint))
        self._draw_cover.polygon(flat, fill=round(255 * opacity))

    def surface(
        self, points: Points, paint: Array, volume: float = 0.5, contrast: float | None = None
    ) -> None:
        """Fill a polygon with a texture in the given colour, shaded as a bulging body."""
        flat = self._flatten(points)
        area = self._bounds(flat)
        if area is None:
            return
        left, top, right, bottom = area
        extent = (right - left, bottom - top)
        stencil = Image.new("L", extent)
        ImageDraw.Draw(stencil).polygon([(x - left, y - top) for x, y in flat], fill=255)
        mask = np.asarray(stencil.reduce(OVERSAMPLING), np.float32) / np.float32(255)
        painted = texture(self.rng, (mask.shape[0], mask.shape[1]), paint, contrast)
        radius = float(np.sqrt(mask.sum())) * self.rng.uniform(0.15, 0.4)
        shade = relief(self.rng, mask, radius, volume)
        painted = np.clip(painted * shade[..., None] * 255, 0, 255).astype(np.uint8)
        enlarged = Image.fromarray(painted).resize(extent, Image.Resampling.BILINEAR)
        self._colour.paste(enlarged, (left, top), stencil)
        self._cover.paste(255, (left, top), stencil)

    def line(self, points: Points, width: float, paint: Array) -> None:
        """Draw an open curve; `width` in units of the subject's square, at least half a pixel."""
        flat = self._flatten(points)
        thickness = max(1, round(width * self.frame.unit * OVERSAMPLING))
        self._draw_colour.line(flat, fill=_rgb(paint), width=thickness, joint="curve")
        self._draw_cover.line(flat, fill=255, width=thickness, joint="curve")

    def erase(self, points: Points) -> None:
        """Cut a hole through everything painted so far."""
        self._draw_cover.polygon(self._flatten(points), fill=0)

    def finish(self) -> tuple[Array, Array]:
        """Return premultiplied colour ``[h, w, 3]`` and coverage ``[h, w]``, float32 in [0, 1]."""
        picture = self._colour.convert("RGBA")
        picture.putalpha(self._cover)
        small = picture.convert("RGBa").resize((self.size[1], self.size[0]), Image.Resampling.BOX)
        pixels = np.frombuffer(small.tobytes(), np.uint8).reshape(*self.size, 4)
        scaled = pixels.astype(np.float32) / np.float32(255)
        return scaled[..., :3], scaled[..., 3]

    def _bounds(self, flat: list[tuple[float, float]]) -> tuple[int, int, int, int] | None:
        """Box of a polygon within the picture, of whole pixels before oversampling."""
        pixels = np.asarray(flat) / OVERSAMPLING
        left, top = np.maximum(np.floor(pixels.min(0)) - 4, 0).astype(int)
        right, bottom = np.minimum(np.ceil(pixels.max(0)) + 4, self.size[::-1]).astype(int)
        if right - left < 4 or bottom - top < 4:
            return None
        corners = np.array([left, top, right, bottom]) * OVERSAMPLING
        return int(corners[0]), int(corners[1]), int(corners[2]), int(corners[3])

    def _flatten(self, points: Points) -> list[tuple[float, float]]:
        pixels = self.frame.apply(np.asarray(points, np.float64)) * OVERSAMPLING
        return [(float(x), float(y)) for x, y in pixels]


def _rgb(paint: Array) -> tuple[int, int, int]:
    red, green, blue = (clamp(np.asarray(paint)) * 255).astype(int)
    return int(red), int(green), int(blue)
