"""What is in the folders of a cache, whether it is right, and how it is taken away."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pyhades.llm.cache.codec import CODECS
from pyhades.llm.cache.disk.files import (
    ABOUT,
    LOCK,
    all_bytes,
    remove_idle,
    segment_paths,
    try_lock,
)
from pyhades.llm.cache.disk.framing import NotOurs, Torn
from pyhades.llm.cache.disk.headers import Entry, Header
from pyhades.llm.cache.disk.index import Index
from pyhades.llm.cache.disk.loading import Loader
from pyhades.llm.cache.disk.models import about
from pyhades.llm.cache.disk.room import folders_below, is_of_a_model
from pyhades.llm.cache.disk.scanning import Contents, read_contents, read_record
from pyhades.llm.cache.disk.troubles import Troubles
from pyhades.llm.cache.disk.uses import USES
from pyhades.llm.cache.records import Key, Part
from pyhades.llm.models.layers import CACHE_BLOCK


@dataclass
class Stored:
    """What a model has in its folder.

    Attributes
    ----------
    facts
        See :func:`pyhades.llm.cache.disk.models.describe`.
    tokens
        Of whose blocks there are records.
    bytes
        Of all files.
    oldest, newest
        When the record was used that was not used for longest, and the one that was used last;
        seconds since the epoch. None without records.
    unread
        Segments that are not of this version, or damaged in their first bytes.
    is_open
        Whether a process uses the folder.
    """

    folder: Path
    facts: dict[str, str]
    segments: int = 0
    records: int = 0
    tokens: int = 0
    bytes: int = 0
    oldest: float | None = None
    newest: float | None = None
    unread: int = 0
    is_open: bool = False


@dataclass
class Verified:
    """What was found when everything in a folder was read.

    Attributes
    ----------
    damaged
        What is not as it was written, and where.
    torn
        Segments with bytes at their end of a write that a kill has cut short: no damage.
    unreachable
        Records of texts whose beginning is not kept.
    """

    records: int = 0
    damaged: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    unreachable: int = 0


@dataclass
class Cleared:
    """What was taken away; ``in_use``: nothing, as another process has the folder open."""

    segments: int = 0
    bytes: int = 0
    in_use: bool = False


def model_folders(cache_dir: Path) -> list[Path]:
    """The folders of models below one, or that itself."""
    return [folder for folder in folders_below(cache_dir) if is_of_a_model(folder)]


def stored(folder: Path) -> Stored:
    """What a folder holds, as its indices say."""
    index, unread = _index_of(folder)
    found = Stored(folder, about(folder), len(index.segments), len(index.places))
    found.tokens = CACHE_BLOCK * sum(key.part == Part.BLOCK for key in index.places)
    found.bytes = all_bytes(folder)
    used = [place.use.last for place in index.places.values()]
    found.oldest, found.newest = min(used, default=None), max(used, default=None)
    found.unread, found.is_open = unread, _is_open(folder)
    return found


def verify(folder: Path, report: Callable[[int], object] = lambda nbytes: None) -> Verified:
    """Read every record of a folder, and compare all checksums.

    Parameters
    ----------
    folder
        That of a model.
    report
        Is told how many bytes were read since it was last told.
    """
    found = Verified()
    names: dict[Key, Header] = {}
    for path in segment_paths(folder):
        try:
            contents = read_contents(path)
        except FileNotFoundError:
            continue  # somebody has made room
        except Torn as error:
            found.torn.append(f"{path}: {error}")
            continue
        except (NotOurs, OSError) as error:
            found.damaged.append(f"{path}: {error}")
            continue
        _note_gaps(found, path, contents)
        for entry in contents.entries:
            try:
                header = _checked(path, contents, entry)
            except FileNotFoundError:
                break
            except (NotOurs, OSError) as error:
                found.damaged.append(f"{path}: at byte {entry.offset}: {error}")
            else:
                names[header.key] = header
            report(entry.length)
    names.pop(USES, None)
    found.records = len(names)
    found.unreachable = len(names) - sum(1 for _ in _reachable(names))
    return found


def clear(folder: Path, before: float | None = None) -> Cleared:
    """Take away what a folder holds, unless a process uses it.

    Parameters
    ----------
    folder
        That of a model; it goes with its last segment.
    before
        Only segments of which nothing was used since; seconds since the epoch.
    """
    done = Cleared()
    with _alone_in(folder) as is_ours:
        if not is_ours:
            done.in_use = True
            return done
        index, _ = _index_of(folder)
        for path in segment_paths(folder):
            size = path.stat().st_size
            if _is_older(path, index, before) and remove_idle(path):
                done.segments += 1
                done.bytes += size
        if not segment_paths(folder):
            for name in (ABOUT, LOCK):
                (folder / name).unlink(missing_ok=True)
            if not any(folder.iterdir()):
                folder.rmdir()
    return done


def _index_of(folder: Path) -> tuple[Index, int]:
    """Where records lie that were found, and the number of files that are not for us."""
    loader = Loader(folder, None, Index(), Troubles(folder))
    loader.refresh()
    return loader.index, len(loader.unread)


def _note_gaps(found: Verified, path: Path, contents: Contents) -> None:
    if contents.damaged:
        found.damaged.append(
            f"{path}: {contents.damaged} stretches that should be records, or its index"
        )
    if contents.torn:
        found.torn.append(f"{path}: {contents.torn} bytes at its end")


def _checked(path: Path, contents: Contents, entry: Entry) -> Header:
    """The header of a record that is right in everything; NotOurs or OSError where it is not."""
    header, _ = read_record(path, contents.head.seed, entry.offset, entry.length)
    if header.key != entry.key:
        raise NotOurs("a record has the name of another")
    if header.codec not in CODECS and not header.is_uses:
        raise NotOurs(f"codec {header.codec!r} is not known")
    return header


def _reachable(names: dict[Key, Header]) -> Iterator[Key]:
    """Records that are found by whoever begins at the beginning of a text."""
    blocks = sorted(
        (header for key, header in names.items() if key.part == Part.BLOCK),
        key=lambda header: header.use.depth,
    )
    found: set[bytes] = set()
    for header in blocks:
        if header.use.depth <= 1 or header.parent in found:
            found.add(header.key.digest)
    for key in names:
        if key.digest in found:
            yield key


def _is_older(path: Path, index: Index, before: float | None) -> bool:
    if before is None:
        return True
    segment = index.segments.get(path.name)
    if segment is None or not segment.places:
        return path.stat().st_mtime < before
    return all(place.use.last < before for place in segment.places.values())


@contextmanager
def _alone_in(folder: Path) -> Iterator[bool]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield try_lock(descriptor)
    finally:
        os.close(descriptor)


def _is_open(folder: Path) -> bool:
    with _alone_in(folder) as is_ours:
        return not is_ours
