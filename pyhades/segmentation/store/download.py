"""A file over HTTP, whole or not at all.

What has come is kept beside the target and continued. Nothing appears under the name of the target
before its length and its checksum were compared.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import logging
import os
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import pyhades
from pyhades.errors import DownloadError

log = logging.getLogger(__name__)

TIMEOUT = 30.0
"""Seconds without a byte."""
ATTEMPTS = 6
"""In a row that bring nothing new."""
LONGEST_PAUSE = 30.0
"""Seconds between attempts."""
CHUNK = 1 << 18
LARGEST = 16 << 30
"""Bytes of a file whose size nobody has published."""
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
"""Status codes that may be others in a moment."""


class Progress(Protocol):
    """What shows how much has come, as tqdm does."""

    def update(self, n: int, /) -> Any:
        """So many bytes more; fewer where it begins anew."""

    def close(self) -> None:
        """The end, good or bad."""


class _Silent:
    def update(self, n: int, /) -> None:
        pass

    def close(self) -> None:
        pass


def no_progress(name: str, size: int | None) -> Progress:
    """Show nothing."""
    return _Silent()


class _NotNow(Exception):
    """An attempt failed in a way that the next may not."""

    def __init__(self, message: str, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause


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
        part = target.with_name(f"{target.name}.part")
        shown = progress(target.name, size)
        try:
            _fetch(url, part, size, timeout, attempts, pause, shown)
            if checksum is not None and not _is_right(part, checksum):
                # Perhaps what was continued was of another file; once more from the beginning.
                _restart(part, shown)
                _fetch(url, part, size, timeout, attempts, pause, shown)
                _check(part, url, checksum)
            part.replace(target)
        finally:
            shown.close()


def _fetch(
    url: str, part: Path, size: int | None, timeout: float, attempts: int,
    pause: Callable[[float], object], shown: Progress,
) -> None:  # fmt: skip
    """Bring ``part`` to its full length."""
    if part.is_file():
        shown.update(part.stat().st_size)
    failures = 0
    while True:
        before = part.stat().st_size if part.is_file() else 0
        if size is not None and before > size:
            _restart(part, shown)
            before = 0
        if size is not None and before == size:
            return
        try:
            _attempt(url, part, size, timeout, shown)
            return
        except _NotNow as problem:
            grown = part.is_file() and part.stat().st_size > before
            failures = 0 if grown else failures + 1
            if failures >= attempts:
                raise DownloadError(
                    f"{url}: {problem}; {attempts} attempts brought nothing new, what has come is "
                    "kept and continued next time"
                ) from problem
            wait = min(LONGEST_PAUSE, 0.5 * 2**failures if problem.pause is None else problem.pause)
            log.info("%s: %s; again in %.1f s", url, problem, wait)
            pause(wait)


def _attempt(url: str, part: Path, size: int | None, timeout: float, shown: Progress) -> None:
    start = part.stat().st_size if part.is_file() else 0
    try:
        with _opened(url, start, timeout) as response:
            start = _where_it_begins(response, url, start)
            _check_offer(response, url, start, size, part.parent)
            mode = "r+b" if start else "wb"
            if not start:
                _restart(part, shown)
            with part.open(mode) as file:
                file.seek(start)
                file.truncate()
                _copy(response, file, url, size, shown)
                file.flush()
                os.fsync(file.fileno())
    except urllib.error.HTTPError as error:
        with error:
            _explain(error, url, part, size, shown)
        return
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise _NotNow(f"the connection broke ({error or type(error).__name__})") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, FileNotFoundError | ValueError):
            raise DownloadError(f"{url}: {error.reason}") from error
        raise _NotNow(f"the server cannot be reached ({error.reason})") from error
    length = part.stat().st_size
    expected = size if size is not None else _announced(response, start)
    if expected is not None and length != expected:
        raise _NotNow(f"the server ended after {length} of {expected} bytes")


class _Redirections(urllib.request.HTTPRedirectHandler):
    """Follows them, but not out of an encrypted connection."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str,
        headers: http.client.HTTPMessage, newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        """Check where it goes."""
        to = urllib.parse.urlsplit(newurl).scheme
        if to != "https" and not (to == "http" and req.type == "http"):
            raise DownloadError(f"{req.full_url}: it leads to {newurl}, which is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opened(url: str, start: int, timeout: float) -> Any:
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(f"{url}: only http and https are fetched")
    headers = {"User-Agent": f"pyhades/{pyhades.__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)
    return urllib.request.build_opener(_Redirections).open(request, timeout=timeout)


def _where_it_begins(response: Any, url: str, start: int) -> int:
    """First byte of the answer: where we asked for it, or the first of the file."""
    if response.status != 206:
        return 0
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != start:
        raise DownloadError(f"{url}: the server sent another part than that from byte {start} on")
    return start


def _check_offer(response: Any, url: str, start: int, size: int | None, folder: Path) -> None:
    """Refuse what cannot be the file before any of it is written."""
    kind = response.headers.get_content_type()
    if kind in ("text/html", "application/xhtml+xml"):
        raise DownloadError(
            f"{url}: the server sent a web page instead of a file; perhaps a proxy or a login page"
        )
    announced = _announced(response, start)
    if size is not None and announced is not None and announced != size:
        raise DownloadError(
            f"{url}: the server offers {announced} bytes, the published file has {size}"
        )
    length = announced if size is None else size
    free = shutil.disk_usage(folder).free
    if length is not None and length - start > free:
        raise DownloadError(f"{folder}: {length - start} bytes are to come, {free} are free")


def _announced(response: Any, start: int) -> int | None:
    """Length of the whole file, as the answer says it."""
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


def _copy(response: Any, file: IO[bytes], url: str, size: int | None, shown: Progress) -> None:
    most = LARGEST if size is None else size
    while True:
        chunk = response.read1(CHUNK)
        if not chunk:
            return
        if file.tell() + len(chunk) > most:
            raise DownloadError(f"{url}: the server sends more than {most} bytes")
        file.write(chunk)
        shown.update(len(chunk))


def _explain(
    error: urllib.error.HTTPError, url: str, part: Path, size: int | None, shown: Progress
) -> None:
    """Turn a status code into an exception, unless it can be mended here."""
    if error.code == 416:
        # Nothing lies behind what we have: it is whole, or of another file.
        if size is not None or not part.is_file():
            _restart(part, shown)
            raise _NotNow("the server has no bytes behind those that are here")
        return
    if error.code in _AGAIN:
        after = error.headers.get("Retry-After", "")
        raise _NotNow(
            f"the server answers {error.code} {error.reason}",
            float(after) if after.isdecimal() else None,
        )
    what = {
        401: "wants a login; fetch the file in a browser and pass its path",
        403: "refuses; perhaps its licence has to be accepted on the page of the model first",
        404: "does not have the file any more",
        410: "does not have the file any more",
    }.get(error.code, f"answers {error.code} {error.reason}")
    raise DownloadError(f"{url}: the server {what} (status {error.code})")


def _restart(part: Path, shown: Progress) -> None:
    if part.is_file():
        shown.update(-part.stat().st_size)
        part.unlink()


def _check(part: Path, url: str, checksum: tuple[str, str]) -> None:
    algorithm, digest = checksum
    found = _digest(part, algorithm)
    if found != digest:
        part.unlink()
        raise DownloadError(
            f"{url}: what came is not the published file: its {algorithm} is {found}, that of the "
            f"file is {digest}"
        )


def _is_right(path: Path, checksum: tuple[str, str] | None) -> bool:
    return checksum is not None and _digest(path, checksum[0]) == checksum[1]


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Two processes that want the same file: the second waits for the first."""
    with target.with_name(f".{target.name}.lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
