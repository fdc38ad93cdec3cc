"""What a worker does with one picture, from the bytes of a file to the bytes of another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyhades.segmentation.animation import Animation
from pyhades.segmentation.buffers import FRESH, Buffers
from pyhades.segmentation.bulk.foreground import foreground_share
from pyhades.segmentation.bulk.rendering import Rendered, Rendering
from pyhades.segmentation.clock import Clock
from pyhades.segmentation.cutout import Cutout
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.reading import ImageLike
from pyhades.segmentation.image.sources import read_path
from pyhades.segmentation.session import Session

if TYPE_CHECKING:
    from pyhades.segmentation.remover import Remover


__all__ = [
    "Cutting",
    "Decoding",
    "Encoding",
    "Rendered",
    "Rendering",
    "Whole",
    "no_doubt",
    "render",
]

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
    rendering
        What is made of it, if that can be.
    """

    def __init__(
        self,
        read: Read,
        max_pixels: int,
        rendering: Rendering,
        clock: Clock,
        buffers: Buffers = FRESH,
    ) -> None:
        self._read = read
        self._rendering = rendering
        self._max_pixels = max_pixels
        self._clock = clock
        self._buffers = buffers

    def __call__(self, item: Any) -> LoadedImage | Animation:
        with self._clock.stage("read"):
            data = self._read(item)
            # Content is no name: writing it out would take longer than decoding it.
            has_name = not isinstance(item, bytes | bytearray | memoryview | np.ndarray)
            name = str(item) if has_name else None
            if isinstance(data, str | os.PathLike):
                name = os.fspath(data)
                data = read_path(data, self._buffers)
        with self._clock.stage("decode"):
            return self._rendering.load(
                data, max_pixels=self._max_pixels, name=name, buffers=self._buffers
            )

    def close(self) -> None:
        """Nothing is held."""


class Cutting:
    """The network's part of the chain.

    Parameters
    ----------
    session
        Cuts out.
    encoding
        The last part of the chain. It is called from here for the frames of an animation, which
        come and go one by one.
    """

    def __init__(self, session: Session, encoding: Encoding) -> None:
        self._session = session
        self._encoding = encoding

    def __call__(self, image: LoadedImage | Animation) -> Cutout | Rendered:
        if isinstance(image, Animation):
            return self._encoding.frames(self._session.cut_frames(image))
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

    def __call__(self, cutout: Cutout | Rendered) -> Rendered:
        if isinstance(cutout, Rendered):
            return cutout
        with self._clock.stage("encode"):
            parts = self._rendering.encoded(cutout)
        with self._clock.stage("look"):
            foreground, doubt = foreground_share(cutout.alpha), self._look(cutout.alpha)
        return Rendered(parts, cutout.image.size, foreground, doubt, engine=cutout.engine)

    def frames(self, cutouts: Iterable[Cutout]) -> Rendered:
        """A file of them all; the first doubt about any of them is that about the file."""
        size, foreground, doubts = (0, 0), [0.0], [""]
        engines: dict[str, None] = {}

        def noted() -> Iterator[Cutout]:
            nonlocal size
            foreground.clear()
            for cutout in cutouts:
                size = cutout.image.size
                foreground.append(foreground_share(cutout.alpha))
                engines[cutout.engine] = None
                doubts.append(self._look(cutout.alpha))
                yield cutout

        parts = self._rendering.encoded_frames(noted())
        doubt = next(filter(None, doubts), "")
        mean = sum(foreground) / len(foreground)
        return Rendered(parts, size, mean, doubt, engine=" and ".join(engines))

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


def render(
    remover: Remover, image: ImageLike, rendering: Rendering, *, name: str | None = None
) -> Rendered:
    """One picture, or a file with several frames or pages, as a file.

    Parameters
    ----------
    remover
        Cuts out.
    image
        A path, bytes, a file, or whatever else :func:`load_image` takes.
    rendering
        What is made of it.
    name
        What to call it in messages.

    Examples
    --------
    >>> import pyhades
    >>> with pyhades.Remover() as remover:
    ...     render(remover, np.zeros((40, 60, 3), np.uint8), Rendering()).data[1:4]
    b'PNG'
    """
    loaded = rendering.load(image, max_pixels=remover.max_pixels, name=name)
    encoding = Encoding(rendering, no_doubt, Clock())
    if isinstance(loaded, Animation):
        return encoding.frames(remover.cut_frames(loaded))
    return encoding(remover.cut(loaded))


def no_doubt(alpha: NDArray[np.uint8]) -> str:
    """Every matte is fine."""
    return ""
