"""What a worker does with one picture, from the bytes of a file to the bytes of another."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.segmentation.buffers import FRESH, Buffers
from pyhades.segmentation.bulk.foreground import foreground_share
from pyhades.segmentation.clock import Clock
from pyhades.segmentation.compose import Background
from pyhades.segmentation.cutout import Cutout, Output
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.png import Compression
from pyhades.segmentation.image.reading import ImageLike, load_image
from pyhades.segmentation.image.sources import read_path
from pyhades.segmentation.session import Session


@dataclass(frozen=True)
class Rendering:
    """What is made of a cut-out.

    Attributes
    ----------
    output, background, suffix, png
        As :meth:`pyhades.segmentation.Cutout.encode` takes them.
    """

    output: Output = "rgba"
    background: Background | None = None
    suffix: str = ".png"
    png: Compression = "fast"

    def encoded(self, cutout: Cutout) -> list[bytes]:
        """The content of a file, in pieces."""
        return cutout.encode_parts(self.output, self.background, suffix=self.suffix, png=self.png)


@dataclass(frozen=True)
class Rendered:
    """A picture that was cut out.

    Attributes
    ----------
    parts
        The content of a file, in pieces that follow one another.
    size
        ``(height, width)`` in pixels.
    foreground
        Mean of the matte, 0 to 1.
    doubt
        Why somebody should look at it; empty where nobody has to.
    stages
        Seconds that each stage has taken, by name, in the order of the chain.
    """

    parts: list[bytes]
    size: tuple[int, int]
    foreground: float
    doubt: str = ""
    stages: Mapping[str, float] = field(default_factory=dict)

    def timed(self, stages: Mapping[str, float]) -> Rendered:
        """The same with the seconds of its stages."""
        return replace(self, stages=stages)

    @property
    def data(self) -> bytes:
        """The content of a file as a whole."""
        return b"".join(self.parts)


Read = Callable[[Any], ImageLike]
Look = Callable[[NDArray[np.uint8]], str]


class Decoding:
    """The first half of the chain, where decoding has threads of its own.

    Parameters
    ----------
    read
        From an item to what :func:`load_image` takes: bytes, or a path.
    max_pixels
        Of a picture.
    """

    def __init__(self, read: Read, max_pixels: int, clock: Clock, buffers: Buffers = FRESH) -> None:
        self._read = read
        self._max_pixels = max_pixels
        self._clock = clock
        self._buffers = buffers

    def __call__(self, item: Any) -> LoadedImage:
        with self._clock.stage("read"):
            data = self._read(item)
            name = str(item)
            if isinstance(data, str | os.PathLike):
                name = os.fspath(data)
                data = read_path(data, self._buffers)
        with self._clock.stage("decode"):
            return load_image(data, max_pixels=self._max_pixels, name=name, buffers=self._buffers)

    def close(self) -> None:
        """Nothing is held."""


class Cutting:
    """The network's part of the chain."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, image: LoadedImage) -> Cutout:
        return self._session.cut(image)

    def close(self) -> None:
        self._session.close()


class Encoding:
    """The last part of the chain.

    Parameters
    ----------
    rendering
        What is made of a cut-out.
    look
        Says what is doubtful about a matte.
    """

    def __init__(self, rendering: Rendering, look: Look, clock: Clock) -> None:
        self._rendering = rendering
        self._look = look
        self._clock = clock

    def __call__(self, cutout: Cutout) -> Rendered:
        with self._clock.stage("encode"):
            parts = self._rendering.encoded(cutout)
        with self._clock.stage("look"):
            foreground, doubt = foreground_share(cutout.alpha), self._look(cutout.alpha)
        return Rendered(parts, cutout.image.size, foreground, doubt)

    def close(self) -> None:
        """Nothing is held."""


class Whole:
    """The chain from one end to the other, on one thread."""

    def __init__(self, *parts: Any) -> None:
        self._parts = parts

    def __call__(self, item: Any) -> Any:
        for part in self._parts:
            item = part(item)
        return item

    def close(self) -> None:
        for part in self._parts:
            part.close()


def no_doubt(alpha: NDArray[np.uint8]) -> str:
    """Every matte is fine."""
    return ""
