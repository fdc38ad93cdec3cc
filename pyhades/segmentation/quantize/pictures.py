"""Calibration pictures: the caller's, or those that ship and that code makes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades.errors import ArgumentError
from pyhades.segmentation.image.reading import ImageLike, load_image
from pyhades.segmentation.plausibility import SAMPLES
from pyhades.segmentation.quantize.scenes import scene
from pyhades.segmentation.verification.verify import pictures_in

MADE = 96
"""Pictures where the caller gives none: half of them parts of photographs that ship."""
JUDGED = 120
"""Scenes for judging masks where the caller gives no pictures: no ranges are found on them, and of
that half of them in which the network is most undecided the masks are compared.

Parts of photographs are not among them: networks are sure of what they show, and hardly any is
lost.
"""
_FIRST_JUDGED = 10_001
MOST = 300
"""Pictures of a folder that are looked at, evenly spread over it."""


@dataclass(frozen=True)
class Picture:
    """One picture that can be loaded again and again.

    Attributes
    ----------
    name
        For messages and tables.
    image
        What :func:`~pyhades.segmentation.image.reading.load_image` takes; None for one that code
        makes of its number.
    number
        Of a picture that code makes.
    judged
        Whether it is there for judging alone.
    """

    name: str
    image: ImageLike | None = None
    number: int = 0
    judged: bool = False

    def load(self) -> ImageLike:
        """The picture."""
        return made_picture(self.number) if self.image is None else self.image

    def digest(self) -> str:
        """Of what the picture is, in hexadecimal."""
        h = hashlib.sha256()
        if self.image is None:
            h.update(f"made {self.number}".encode())
        elif isinstance(self.image, str | os.PathLike):
            h.update(Path(self.image).read_bytes())
        else:
            h.update(np.ascontiguousarray(load_image(self.image).rgb).data)
        return h.hexdigest()


def made_pictures(count: int = MADE, judged: int = JUDGED) -> list[Picture]:
    """Pictures that need no files of the caller's: for ranges, and for judging."""
    known = [Picture(f"made {number}", None, number) for number in range(count)]
    last = _FIRST_JUDGED + 2 * judged
    others = [Picture(f"scene {n}", None, n, judged=True) for n in range(_FIRST_JUDGED, last, 2)]
    return known + others


def made_picture(number: int) -> NDArray[np.uint8]:
    """Every second one is a part of a photograph, the others are scenes."""
    if number % 2:
        return scene(number)
    rng = np.random.default_rng(number)
    photograph = Image.open(SAMPLES[number // 2 % len(SAMPLES)]).convert("RGB")
    width, height = photograph.size
    side = rng.uniform(0.55, 1.0)
    w, h = (int(extent * side) for extent in (width, height))
    x, y = int(rng.uniform(0, width - w + 1)), int(rng.uniform(0, height - h + 1))
    if number < 2 * len(SAMPLES):
        return np.asarray(photograph)  # each of them once as it is
    part = np.asarray(photograph.crop((x, y, x + w, y + h)), np.float32) / 255
    part = np.clip(part ** rng.uniform(0.6, 1.6) * rng.uniform(0.7, 1.15, 3), 0, 1)
    part = part[:, ::-1] if rng.random() < 0.5 else part
    levels: NDArray[np.uint8] = np.ascontiguousarray(part * 255).astype(np.uint8)
    return levels


def given_pictures(
    images: str | os.PathLike[str] | Sequence[ImageLike], most: int = MOST
) -> list[Picture]:
    """The pictures of a folder, or a list of images; ``most`` of them, evenly spread.

    Raises
    ------
    ArgumentError
        There are none.
    """
    if isinstance(images, str | os.PathLike):
        folder = Path(images).expanduser()
        if not folder.is_dir():
            raise ArgumentError(f"images={os.fspath(folder)!r}: expected a folder of pictures")
        found: list[ImageLike] = list(pictures_in(folder))
    else:
        found = list(images)
    if not found:
        raise ArgumentError("images=[]: calibration needs at least one picture")
    chosen = [found[i] for i in np.unique(np.linspace(0, len(found) - 1, most).astype(int))]
    return list(_named(chosen))


def _named(images: Sequence[ImageLike]) -> Iterator[Picture]:
    for index, image in enumerate(images):
        is_path = isinstance(image, str | os.PathLike)
        yield Picture(Path(image).name if is_path else f"picture {index}", image)  # type: ignore[arg-type]


def digest_of(pictures: Sequence[Picture]) -> str:
    """Of all pictures in their order, in hexadecimal."""
    h = hashlib.sha256()
    for picture in pictures:
        h.update(picture.digest().encode())
    return h.hexdigest()


def split(pictures: Sequence[Picture]) -> tuple[list[Picture], list[Picture]]:
    """For calibration and for judging, which none is used for both of but where there are few.

    Every fifth is held out, or those that are there for judging; one or two are used for both.
    """
    held = [picture for picture in pictures if picture.judged]
    if held:
        return [picture for picture in pictures if not picture.judged], held
    if len(pictures) < 3:
        return list(pictures), list(pictures)
    held = list(pictures[3::5]) or [pictures[-1]]
    return [p for p in pictures if p not in held], held


def spread(pictures: Sequence[Picture], most: int) -> list[Picture]:
    """At most so many of them, evenly spread."""
    count = len(pictures)
    return [pictures[i * count // most] for i in range(most)] if count > most else list(pictures)
