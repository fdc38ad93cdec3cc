"""From the pictures of a caller to the images that it gets, one or many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image

from pyhades.segmentation.bulk.overlap import overlap
from pyhades.segmentation.compose import Background, BackgroundLike
from pyhades.segmentation.cutout import Cutout, Output, output_of
from pyhades.segmentation.finish import Finish
from pyhades.segmentation.image.arrays import ValueRange
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.image.reading import ChannelOrder, load_image
from pyhades.segmentation.inputs import AnyImage


@dataclass(frozen=True)
class Loading:
    """How pictures are read, in the words of :func:`load_image`."""

    max_pixels: int
    channel_order: ChannelOrder = "rgb"
    value_range: ValueRange | None = None

    def __call__(self, image: AnyImage) -> LoadedImage:
        """A picture; one that was loaded before is taken as it is."""
        if isinstance(image, LoadedImage):
            return image
        return load_image(
            image, channel_order=self.channel_order, value_range=self.value_range,
            max_pixels=self.max_pixels,
        )  # fmt: skip


@dataclass(frozen=True)
class Showing:
    """What is made of a cut-out: the cut-out itself, its mask, or a composite."""

    output: Output
    background: Background | None
    finish: Finish | None

    @classmethod
    def of(
        cls, output: Output, background: BackgroundLike | None, finish: Finish | None
    ) -> Showing:
        """ArgumentError where these do not go together."""
        output_of(output, background, finish)
        return cls(output, None if background is None else Background(background), finish)

    def __call__(self, cutout: Cutout) -> Image.Image:
        """The image to return."""
        return cutout.finish(self.finish).to_pil(self.output, self.background)


def results_of(
    images: Iterator[AnyImage],
    load: Loading,
    cut: Callable[[LoadedImage], Cutout],
    show: Showing,
    *,
    ahead: int,
) -> Iterator[Image.Image | Exception]:
    """Images in the order of what they are made of; exceptions in the places of failures.

    ``ahead`` pictures are decoded before and finished behind the one that is cut.
    """
    return (result for _, result in overlap(images, load, cut, show, ahead=ahead))


def or_raise(results: Iterator[Image.Image | Exception]) -> Iterator[Image.Image]:
    """The same up to the first exception, which is raised."""
    for result in results:
        if isinstance(result, Exception):
            raise result
        yield result
