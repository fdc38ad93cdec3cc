"""What is made of a cut-out for a file, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pyhades.errors import ImageError
from pyhades.segmentation.animation import Animation, load_whole
from pyhades.segmentation.buffers import FRESH, Buffers
from pyhades.segmentation.compose import Background
from pyhades.segmentation.cutout import Cutout, Output, encode_frames
from pyhades.segmentation.finish import Finish
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.reading import ImageLike
from pyhades.segmentation.image.write import (
    WriteOptions,
    check_frames,
    check_size,
    format_of,
)


@dataclass(frozen=True)
class Rendering:
    """What is made of a cut-out.

    Attributes
    ----------
    output, background, suffix
        As :meth:`pyhades.segmentation.Cutout.encode` takes them.
    options
        How it is written.
    first_frame
        Take the first of several frames or pages; else all of them are cut out.
    finish
        Steps before it is written.
    """

    output: Output = "rgba"
    background: Background | None = None
    suffix: str = ".png"
    options: WriteOptions = field(default_factory=WriteOptions)
    first_frame: bool = False
    finish: Finish | None = None

    def check(self, image: LoadedImage) -> None:
        """ImageError for a picture that its format cannot hold, before it is cut out."""
        kind = format_of(self.suffix)
        if self.finish is None or self.finish.keeps_size:
            check_size(image.size, kind, image.name)
        if image.frame is not None and not self.first_frame:
            check_frames(image.frame, kind, image.name, image.size)
            self._check_sizes_of_frames(image)

    def _check_sizes_of_frames(self, image: LoadedImage) -> None:
        """Cropping makes frames of different sizes, which only pages may have."""
        crops = self.finish is not None and self.finish.crop and self.finish.canvas is None
        if crops and image.frame is not None and image.frame.duration is not None:
            raise ImageError(
                f"{image.name}: cropped frames of an animation would differ in size; add a canvas"
            )

    def load(
        self,
        image: ImageLike,
        *,
        max_pixels: int,
        name: str | None = None,
        buffers: Buffers = FRESH,
    ) -> LoadedImage | Animation:
        """A picture, or all of a file's, that can be written as it is to be."""
        loaded = load_whole(
            image, first_frame=self.first_frame, max_pixels=max_pixels, name=name, buffers=buffers
        )
        self.check(loaded.first if isinstance(loaded, Animation) else loaded)
        return loaded

    def encoded(self, cutout: Cutout) -> list[bytes]:
        """The content of a file, in pieces."""
        cutout = cutout.finish(self.finish)
        return cutout.encode_parts(
            self.output, self.background, suffix=self.suffix, options=self.options
        )

    def encoded_frames(self, cutouts: Iterable[Cutout]) -> list[bytes]:
        """The content of a file that holds them all, in pieces."""
        finished = (cutout.finish(self.finish) for cutout in cutouts)
        return encode_frames(
            finished, self.output, self.background, suffix=self.suffix, options=self.options
        )


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
    engine
        What made the matte; of a file with several frames, all that made one.
    """

    parts: list[bytes]
    size: tuple[int, int]
    foreground: float
    doubt: str = ""
    stages: Mapping[str, float] = field(default_factory=dict)
    engine: str = ""

    def timed(self, stages: Mapping[str, float]) -> Rendered:
        """The same with the seconds of its stages."""
        return replace(self, stages=stages)

    @property
    def data(self) -> bytes:
        """The content of a file as a whole."""
        return b"".join(self.parts)
