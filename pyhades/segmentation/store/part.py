"""What has come of a file, and one attempt after the other to bring the rest."""

from __future__ import annotations

import http.client
import os
import urllib.error
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pyhades.errors import DownloadError
from pyhades.segmentation.store.answers import (
    NotNow,
    announced_length,
    check_offer,
    explained,
    requested,
    where_it_begins,
)
from pyhades.segmentation.store.progress import Progress

CHUNK = 1 << 18
LARGEST = 16 << 30
"""Bytes of a file whose size nobody has published."""


@dataclass(frozen=True)
class Part:
    """A file that is on its way.

    Attributes
    ----------
    path
        Where the bytes lie that have come.
    url
        Where they come from.
    size
        Of the whole file in bytes, where it is known.
    timeout
        Seconds that the server may be silent.
    shown
        Is told how much has come.
    """

    path: Path
    url: str
    size: int | None
    timeout: float
    shown: Progress

    @property
    def length(self) -> int:
        """Bytes that have come."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def restart(self) -> None:
        """Forget what has come."""
        if self.path.is_file():
            self.shown.update(-self.path.stat().st_size)
            self.path.unlink()

    def attempt(self) -> None:
        """Bring what is missing, in one request.

        Raises
        ------
        NotNow
            It may go better next time; what has come is kept.
        DownloadError
            It will not.
        """
        try:
            announced = self._continued()
        except urllib.error.HTTPError as error:
            with error:
                self._settle(error)
            return
        except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
            raise NotNow(f"the connection broke ({error or type(error).__name__})") from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, FileNotFoundError | ValueError):
                raise DownloadError(f"{self.url}: {error.reason}") from error
            raise NotNow(f"the server cannot be reached ({error.reason})") from error
        expected = announced if self.size is None else self.size
        if expected is not None and self.length != expected:
            raise NotNow(f"the server ended after {self.length} of {expected} bytes")

    def _continued(self) -> int | None:
        """Write what the server sends, and say how long it calls the file."""
        with requested(self.url, self.length, self.timeout) as response:
            start = where_it_begins(response, self.url, self.length)
            check_offer(response, self.url, start, self.size, self.path.parent)
            if not start:
                self.restart()
            with self.path.open("r+b" if start else "wb") as file:
                file.seek(start)
                file.truncate()
                self._copy(response, file)
                file.flush()
                os.fsync(file.fileno())
            return announced_length(response, start)

    def _copy(self, response: Any, file: IO[bytes]) -> None:
        most = LARGEST if self.size is None else self.size
        while chunk := response.read1(CHUNK):
            if file.tell() + len(chunk) > most:
                raise DownloadError(f"{self.url}: the server sends more than {most} bytes")
            file.write(chunk)
            self.shown.update(len(chunk))

    def _settle(self, error: urllib.error.HTTPError) -> None:
        """Raise what a status code means, unless it means that nothing is missing."""
        if error.code != 416:
            raise explained(error, self.url)
        # Nothing lies behind what we have: it is whole, or of another file.
        if self.size is not None or not self.path.is_file():
            self.restart()
            raise NotNow("the server has no bytes behind those that are here")
