"""A file over HTTP, whole or not at all.

What has come is kept beside the target and continued. Nothing appears under the name of the target
before its length and its checksum were compared.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pyhades.errors import DownloadError
from pyhades.segmentation.catalogue.entry import digest as digest_of
from pyhades.segmentation.store.answers import NotNow
from pyhades.segmentation.store.part import Part
from pyhades.segmentation.store.progress import Progress, no_progress

__all__ = ["Progress", "download", "no_progress"]

log = logging.getLogger(__name__)

TIMEOUT = 30.0
"""Seconds without a byte."""
ATTEMPTS = 6
"""In a row that bring nothing new."""
LONGEST_PAUSE = 30.0
"""Seconds between attempts."""


def download(
    url: str,
    target: Path,
    *,
    size: int | None = None,
    checksum: tuple[str, str] | None = None,
    timeout: float = TIMEOUT,
    attempts: int = ATTEMPTS,
    pause: Callable[[float], object] = time.sleep,
    progress: Callable[[str, int | None], Progress] = no_progress,
) -> None:
    """Fetch ``url`` into ``target``, continuing what an earlier call has left.

    Parameters
    ----------
    url
        Of the scheme http or https; redirections are followed, but never from https to http.
        Proxies are taken from the environment.
    target
        Where the file appears when it is whole; a file that is there is replaced.
    size
        In bytes, where it is known.
    checksum
        ``(algorithm, digest)``, where it is known.
    timeout
        Seconds that the server may be silent.
    attempts
        How often in a row it may fail without having brought anything.
    pause
        Waits so many seconds.
    progress
        Makes what is told how much has come.

    Raises
    ------
    DownloadError
        The server cannot be reached, does not have the file, or sends another one.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    was_here = target.exists()
    with _alone(target):
        if not was_here and target.is_file() and _is_right(target, checksum):
            return  # another process has fetched it meanwhile
        shown = progress(target.name, size)
        part = Part(target.with_name(f"{target.name}.part"), url, size, timeout, shown)
        try:
            _complete(part, attempts, pause)
            if checksum is not None and not _is_right(part.path, checksum):
                # Perhaps what was continued was of another file; once more from the beginning.
                part.restart()
                _complete(part, attempts, pause)
                _check(part.path, url, checksum)
            part.path.replace(target)
        finally:
            shown.close()


def _complete(part: Part, attempts: int, pause: Callable[[float], object]) -> None:
    """Bring ``part`` to its full length."""
    if part.length:
        part.shown.update(part.length)
    failures = 0
    while True:
        if part.size is not None and part.length > part.size:
            part.restart()
        before = part.length
        if before == part.size:
            return
        try:
            part.attempt()
            return
        except NotNow as problem:
            failures = 0 if part.length > before else failures + 1
            if failures >= attempts:
                raise DownloadError(
                    f"{part.url}: {problem}; {attempts} attempts brought nothing new, what has "
                    "come is kept and continued next time"
                ) from problem
            wait = min(LONGEST_PAUSE, 0.5 * 2**failures if problem.pause is None else problem.pause)
            log.info("%s: %s; again in %.1f s", part.url, problem, wait)
            pause(wait)


def _check(part: Path, url: str, checksum: tuple[str, str]) -> None:
    algorithm, digest = checksum
    found = digest_of(part, algorithm)
    if found != digest:
        part.unlink()
        raise DownloadError(
            f"{url}: what came is not the published file: its {algorithm} is {found}, that of the "
            f"file is {digest}"
        )


def _is_right(path: Path, checksum: tuple[str, str] | None) -> bool:
    return checksum is not None and digest_of(path, checksum[0]) == checksum[1]


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Two processes that want the same file: the second waits for the first."""
    with target.with_name(f".{target.name}.lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
