"""Several pictures in one file: the frames of an animation, or pages."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from pyhades.errors import ImageError
from pyhades.segmentation.buffers import FRESH, Buffers
from pyhades.segmentation.image.loaded import Frame
from pyhades.segmentation.image.png import Pixels
from pyhades.segmentation.image.write.apng import write_apng
from pyhades.segmentation.image.write.by_pillow import write_by_pillow
from pyhades.segmentation.image.write.formats import FORMATS, WriteFormat
from pyhades.segmentation.image.write.gif import gif_frame, write_gif
from pyhades.segmentation.image.write.image import in_known_space
from pyhades.segmentation.image.write.info import Info
from pyhades.segmentation.image.write.options import WriteOptions, check_size
from pyhades.segmentation.image.write.tiff import write_tiff

log = logging.getLogger(__name__)

ONE_BY_ONE = ("PNG", "TIFF")
"""Formats that are written frame by frame."""
MOST_KEPT = 1_000_000_000
"""Pixels of all frames together, where they are needed at once."""
ONCE = 1
"""How often an animation is played that says nothing of it."""


@dataclass(frozen=True)
class WrittenFrame:
    """A frame, or page, as it goes into a file.

    Attributes
    ----------
    pixels
        As of :func:`~pyhades.segmentation.image.write.write_image`.
    info
        What else belongs to it.
    frame
        How long it is shown, and how often all of them are played.
    """

    pixels: Pixels
    info: Info
    frame: Frame


def check_frames(
    frame: Frame, kind: WriteFormat, name: str, size: tuple[int, int] = (1, 1)
) -> None:
    """ImageError where a format cannot hold the frames that a picture is one of.

    Parameters
    ----------
    frame
        One of them.
    kind
        The format.
    name
        What to call the picture.
    size
        ``(height, width)`` of a frame.

    Examples
    --------
    >>> from pyhades.segmentation.image.write import format_of
    >>> check_frames(Frame(0, 3, 40.0), format_of(".tif"), "a.gif")
    """
    if frame.count == 1:
        return
    name = name.removesuffix(f"[{frame.index}]")
    are_pages = frame.duration is None
    what = "pages" if are_pages else "frames"
    advice = f"write {_able(are_pages)}, or take the first alone (first_frame=True, --first-frame)"
    if kind.frames == "none":
        raise ImageError(f"{name}: {frame.count} {what}, and {kind.name} holds one; {advice}")
    if are_pages and kind.frames == "animation":
        raise ImageError(
            f"{name}: {frame.count} pages without durations are no animation as {kind.name} has "
            f"them; {advice}"
        )
    pixels = frame.count * size[0] * size[1]
    if kind.name not in ONE_BY_ONE and pixels > MOST_KEPT:
        raise ImageError(
            f"{name}: {frame.count} frames are {pixels:,} pixels, and {kind.name} needs them at "
            f"once, which is done up to {MOST_KEPT:,}; write PNG"
        )


def _able(are_pages: bool) -> str:
    """Names of formats that hold pages, or frames."""
    wanted = "pages" if are_pages else "animation"
    names = [each.name for each in FORMATS if each.frames == wanted and each.is_available]
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def write_frames(
    frames: Iterable[WrittenFrame],
    kind: WriteFormat,
    options: WriteOptions,
    *,
    exact: bool = False,
    threads: int | None = None,
    buffers: Buffers = FRESH,
) -> list[bytes]:
    """The content of a file, in pieces that follow one another.

    Parameters
    ----------
    frames
        Of the animation, or pages. PNG and TIFF need one at a time, and its pixels no more when the
        next is asked for; of other formats all are kept.
    kind, options, exact, threads, buffers
        See :func:`~pyhades.segmentation.image.write.write_image`.

    Raises
    ------
    ImageError
        The format cannot hold them.
    """
    coming = iter(frames)
    first = next(coming)
    size = first.pixels.shape[:2]
    check_frames(first.frame, kind, first.info.name, size)
    first = replace(first, info=first.info.fitted(size))
    checked = _checked(itertools.chain([first], coming), kind)
    if kind.name == "TIFF":
        if first.frame.duration is not None and first.frame.count > 1:
            log.warning("%s: TIFF has pages, the durations are lost", first.info.name)
        return write_tiff((each.pixels, each.info) for each in checked)
    loop = ONCE if first.frame.loop is None else first.frame.loop
    if kind.name == "PNG":
        timed = ((each.pixels, each.frame.duration or 0) for each in checked)
        return write_apng(
            timed, first.info, loop=loop, compression=options.png, buffers=buffers
        )  # fmt: skip
    return _write_kept(checked, first, kind, options, exact=exact, threads=threads)


def _checked(frames: Iterator[WrittenFrame], kind: WriteFormat) -> Iterator[WrittenFrame]:
    shape: tuple[int, ...] | None = None
    for each in frames:
        check_size(each.pixels.shape[:2], kind, each.info.name)
        if shape not in (None, each.pixels.shape) and kind.frames == "animation":
            raise ImageError(f"{each.info.name}: the frame has another size than the first")
        shape = each.pixels.shape
        info = each.info.fitted(each.pixels.shape[:2])
        yield WrittenFrame(in_known_space(each.pixels, kind, info), info, each.frame)


def _write_kept(
    frames: Iterator[WrittenFrame],
    first: WrittenFrame,
    kind: WriteFormat,
    options: WriteOptions,
    **how: Any,
) -> list[bytes]:
    """By Pillow, which wants them all."""
    durations: list[int] = []
    images: list[Image.Image] = []
    for each in frames:
        durations.append(round(each.frame.duration or 0))
        # A copy: the next may use the same memory.
        pixels = np.array(each.pixels, np.uint8)
        images.append(gif_frame(pixels) if kind.name == "GIF" else Image.fromarray(pixels))
    animation: dict[str, Any] = {"duration": durations}
    if kind.name != "GIF":
        animation["loop"] = ONCE if first.frame.loop is None else first.frame.loop
    elif first.frame.loop is not None:
        animation["loop"] = first.frame.loop
    if kind.name == "GIF":
        return write_gif(images, **animation)
    return write_by_pillow(images, kind, first.info, options, **how, **animation)
