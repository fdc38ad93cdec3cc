"""The pictures that are gone through."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from pyhades.bench.pictures.page_cache import filesystem_of
from pyhades.bench.pictures.scenes import make_pictures
from pyhades.errors import ArgumentError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm"}
LOOKED_AT = 50
"""Pictures of a set whose size is looked up."""


@dataclass(frozen=True)
class PictureSet:
    """Pictures of a folder.

    Attributes
    ----------
    name
        Of the set, in tables.
    folder
        Where it is.
    paths
        Of the pictures, in the order of their names.
    megapixels
        Mean of some of them.
    mean_bytes
        Of their files.
    filesystem
        That they lie on.
    """

    name: str
    folder: Path
    paths: tuple[Path, ...]
    megapixels: float
    mean_bytes: float
    filesystem: str

    @classmethod
    def of(cls, folder: Path) -> PictureSet:
        """The pictures of a folder and of those in it.

        Raises
        ------
        ArgumentError
            There is no such folder, or there are no pictures in it.
        """
        paths = pictures_in(folder)
        step = max(1, len(paths) // LOOKED_AT)
        sizes = [size for path in paths[::step] if (size := _megapixels(path)) is not None]
        return cls(
            name=folder.name,
            folder=folder,
            paths=tuple(paths),
            megapixels=sum(sizes) / len(sizes) if sizes else float("nan"),
            mean_bytes=sum(path.stat().st_size for path in paths) / len(paths),
            filesystem=filesystem_of(folder),
        )

    def to_dict(self) -> dict[str, Any]:
        """What a report says of it."""
        return {
            "name": self.name,
            "count": len(self.paths),
            "megapixels": round(self.megapixels, 3),
            "mean_bytes": round(self.mean_bytes),
            "filesystem": self.filesystem,
        }


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder and of those in it, in the order of their names."""
    if not folder.is_dir():
        raise ArgumentError(f"{folder}: there is no such folder")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise ArgumentError(f"{folder}: no pictures in this folder ({' '.join(sorted(SUFFIXES))})")
    return found


def made_sets(folder: Path, count: int, sizes: list[tuple[int, int]], seed: int) -> list[Path]:
    """A folder of JPEG files that code made, for each size."""
    folders = [folder / f"{width}x{height}" for width, height in sizes]
    for one, size in zip(folders, sizes, strict=True):
        make_pictures(one, count, size, seed=seed)
    return folders


def _megapixels(path: Path) -> float | None:
    """None where it cannot be read: engines will say why."""
    try:
        with Image.open(path) as picture:
            return picture.width * picture.height / 1e6
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        return None
