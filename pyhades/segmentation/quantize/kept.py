"""What one call has found so far, in a folder, so that an interrupted one goes on from there."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pyhades.numerics.array import Array
from pyhades.segmentation.quantize.files import write_whole


class Kept:
    """Files of one call.

    Parameters
    ----------
    folder
        Where; None to keep nothing.
    key
        Of all that the findings depend on.
    """

    def __init__(self, folder: Path | None, key: str) -> None:
        self._folder, self._key = folder, key

    def path(self, what: str, suffix: str = "npz") -> Path | None:
        """The file of one kind of findings."""
        return None if self._folder is None else self._folder / f"{what}-{self._key}.{suffix}"

    def arrays(self, what: str, make: Callable[[], dict[str, Array]]) -> dict[str, Array]:
        """Arrays by name, from the file where it is there."""
        path = self.path(what)
        if path is not None and path.is_file():
            with contextlib.suppress(OSError, ValueError, KeyError), np.load(path) as file:
                names = [str(name) for name in file["names"]]
                return {name: file[str(index)] for index, name in enumerate(names)}
        found = make()
        if path is not None:
            numbered = {str(index): array for index, array in enumerate(found.values())}
            buffer = io.BytesIO()
            np.savez(buffer, names=np.array(list(found)), **numbered)  # type: ignore[arg-type]
            write_whole(path, [buffer.getbuffer()])
        return found

    def numbers(self, what: str) -> Numbers:
        """Numbers by name, each written when it is found."""
        return Numbers(self.path(what, "json"))


class Numbers:
    """See :meth:`Kept.numbers`."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, float] = {}
        if path is not None and path.is_file():
            with contextlib.suppress(OSError, ValueError):
                self._known = {str(k): float(v) for k, v in json.loads(path.read_bytes()).items()}

    def of(self, name: str, make: Callable[[], float]) -> float:
        """The number of that name."""
        if name not in self._known:
            self._known[name] = make()
            if self._path is not None:
                write_whole(self._path, [json.dumps(self._known).encode()])
        return self._known[name]
