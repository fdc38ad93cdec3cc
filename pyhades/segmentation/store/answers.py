"""What a server says to a request for the rest of a file, and whether it can be the file."""

from __future__ import annotations

import http.client
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import IO, Any

import pyhades
from pyhades.errors import DownloadError

_AGAIN = {408, 425, 429, 500, 502, 503, 504}
"""Status codes that may be others in a moment."""


class NotNow(Exception):
    """An attempt failed in a way that the next may not; ``pause`` as the server wishes it."""

    def __init__(self, message: str, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause


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


def requested(url: str, start: int, timeout: float) -> Any:
    """The answer to a request for the bytes from ``start`` on."""
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(f"{url}: only http and https are fetched")
    headers = {"User-Agent": f"pyhades/{pyhades.__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)
    return urllib.request.build_opener(_Redirections).open(request, timeout=timeout)


def where_it_begins(response: Any, url: str, start: int) -> int:
    """First byte of the answer: where we asked for it, or the first of the file."""
    if response.status != 206:
        return 0
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != start:
        raise DownloadError(f"{url}: the server sent another part than that from byte {start} on")
    return start


def check_offer(response: Any, url: str, start: int, size: int | None, folder: Path) -> None:
    """Refuse what cannot be the file before any of it is written."""
    kind = response.headers.get_content_type()
    if kind in ("text/html", "application/xhtml+xml"):
        raise DownloadError(
            f"{url}: the server sent a web page instead of a file; perhaps a proxy or a login page"
        )
    announced = announced_length(response, start)
    if size is not None and announced is not None and announced != size:
        raise DownloadError(
            f"{url}: the server offers {announced} bytes, the published file has {size}"
        )
    length = announced if size is None else size
    free = shutil.disk_usage(folder).free
    if length is not None and length - start > free:
        raise DownloadError(f"{folder}: {length - start} bytes are to come, {free} are free")


def announced_length(response: Any, start: int) -> int | None:
    """Length of the whole file, as the answer says it."""
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdecimal() else None


def explained(error: urllib.error.HTTPError, url: str) -> Exception:
    """What a status code means: :class:`NotNow` where it may be another in a moment."""
    if error.code in _AGAIN:
        after = error.headers.get("Retry-After", "")
        return NotNow(
            f"the server answers {error.code} {error.reason}",
            float(after) if after.isdecimal() else None,
        )
    what = {
        401: "wants a login; fetch the file in a browser and pass its path",
        403: "refuses; perhaps its licence has to be accepted on the page of the model first",
        404: "does not have the file any more",
        410: "does not have the file any more",
    }.get(error.code, f"answers {error.code} {error.reason}")
    return DownloadError(f"{url}: the server {what} (status {error.code})")
