"""What a caller says about the cache, in one object that is checked once."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyhades.arguments import check_count, check_flag, one_of
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.cache.policies import DEFAULT_POLICY, PolicyName

MOST_DISK = 16 << 30
"""Bytes that a cache takes on a disk unless told otherwise."""
SHARE_OF_DISK = 0.25
"""Of what is free there and what it has already, that it takes at most unless told otherwise."""
LEAST_DISK = 1 << 20
"""Less is of no use."""


@dataclass(frozen=True, kw_only=True)
class CacheOptions:
    """The keywords of :class:`pyhades.LLM` that are about keys and values.

    Raises
    ------
    ArgumentError
        A value means nothing, or has no effect without another.
    ArgumentTypeError
        A value has the wrong type.

    Examples
    --------
    >>> CacheOptions(cache_dir="kept", cache_bytes=1 << 30).room_on_disk == 1 << 30
    True
    """

    kv_format: KvFormat = "bf16"
    kv_memory: int | None = None
    prefix_cache: bool = True
    cache_dir: str | os.PathLike[str] | None = None
    cache_bytes: int | None = None
    cache_memory: int = 0
    cache_policy: PolicyName = DEFAULT_POLICY

    def __post_init__(self) -> None:
        one_of("kv_format", self.kv_format, KvFormat)
        one_of("cache_policy", self.cache_policy, PolicyName)
        check_flag("prefix_cache", self.prefix_cache)
        if self.kv_memory is not None:
            check_count("kv_memory", self.kv_memory)
        check_count("cache_memory", self.cache_memory, least=0)
        if self.cache_dir is not None:
            if not isinstance(self.cache_dir, str | os.PathLike):
                raise ArgumentTypeError(f"cache_dir={self.cache_dir!r} is no path of a folder")
            if not os.fspath(self.cache_dir):
                raise ArgumentError("cache_dir is empty; name a folder, or leave it out")
        if self.cache_bytes is not None:
            check_count("cache_bytes", self.cache_bytes, least=LEAST_DISK)
            if self.cache_dir is None:
                raise ArgumentError(
                    f"cache_bytes={self.cache_bytes} is room on a disk; say where, with cache_dir"
                )
        if self.has_levels and not self.prefix_cache:
            raise ArgumentError(
                "prefix_cache=False keeps nothing of what was read; leave out cache_dir and "
                "cache_memory, or keep it"
            )

    @property
    def has_levels(self) -> bool:
        """Whether there is a level below the blocks in memory."""
        return self.cache_dir is not None or self.cache_memory > 0

    @property
    def folder(self) -> Path:
        """Where records outlive the process; only where there is a ``cache_dir``."""
        assert self.cache_dir is not None
        return Path(self.cache_dir).expanduser().absolute()

    @property
    def room_on_disk(self) -> int:
        """Bytes that the folder may take.

        By default 16 GiB, but at most a quarter of what is free there and what it takes already.
        """
        if self.cache_bytes is not None:
            return self.cache_bytes
        place = self.folder
        free = shutil.disk_usage(_existing(place)).free
        return max(min(MOST_DISK, int((free + _taken(place)) * SHARE_OF_DISK)), LEAST_DISK)

    def as_keywords(self) -> dict[str, Any]:
        """The keywords of which another is made."""
        return asdict(self)


def _existing(place: Path) -> Path:
    """A folder, or the nearest one above it that there is."""
    return next(folder for folder in (place, *place.parents) if folder.exists())


def _taken(place: Path) -> int:
    """Bytes of all files below a folder."""
    sizes = (_size(Path(root, name)) for root, _, names in os.walk(place) for name in names)
    return sum(sizes)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # another process has removed it meanwhile
        return 0
