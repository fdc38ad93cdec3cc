"""What the catalogue holds of a model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pyhades.segmentation.manifest import ModelManifest

Profile = Literal["reference", "rembg"]
"""Whose numbers: those of the authors, or of the tool that most people got the file from."""
PROFILES: tuple[Profile, ...] = get_args(Profile)


@dataclass(frozen=True)
class PublishedFile:
    """A file that its publisher offers, and how it is told from others.

    Checksums are those that publishers state: a sha256 where there is one, else the md5 that rembg
    checks, else none. Never one of our own making.
    """

    name: str
    """What the file is called in a folder of models."""
    url: str | None = None
    size: int | None = None
    """In bytes."""
    sha256: str | None = None
    md5: str | None = None

    @property
    def checksum(self) -> tuple[str, str] | None:
        """``(algorithm, digest)``, the stronger one."""
        if self.sha256 is not None:
            return "sha256", self.sha256
        return None if self.md5 is None else ("md5", self.md5)

    def may_be(self, path: Path) -> bool:
        """Whether the checksum of ``path`` is worth computing."""
        if self.checksum is None:
            return False
        if self.size is not None:
            return path.stat().st_size == self.size
        names = {self.name, "" if self.url is None else self.url.rpartition("/")[2]}
        return path.name in names

    def is_in(self, path: Path) -> bool:
        """Whether ``path`` holds this file, to the last bit."""
        checksum = self.checksum
        return checksum is not None and digest(path, checksum[0]) == checksum[1]


@dataclass(frozen=True)
class Entry:
    """A model: what it is for, its manifest per profile, and the files it is published in."""

    name: str
    about: str
    profiles: Mapping[Profile, ModelManifest]
    files: tuple[PublishedFile, ...] = ()

    @property
    def manifest(self) -> ModelManifest:
        """The one of the authors."""
        return self.profiles["reference"]

    def profile(self, name: Profile) -> ModelManifest:
        """A profile; that of the authors where there is no other."""
        return self.profiles.get(name, self.manifest)


def digest(path: Path, algorithm: str) -> str:
    """Checksum of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
