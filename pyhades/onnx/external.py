"""Files, mapped: the model, and the external data that it names."""

from __future__ import annotations

import mmap
import os
import stat
from pathlib import Path

from pyhades.errors import ModelError
from pyhades.formats.pointer import LFS_POINTER
from pyhades.onnx.strangers import stranger
from pyhades.onnx.wire import Record


def map_file(path: Path) -> memoryview:
    """Map a file read-only; ModelError where it cannot be read or is empty."""
    try:
        kind = path.stat()
        # Opening a pipe would wait for its writer, so it is not opened.
        if stat.S_ISREG(kind.st_mode) and kind.st_size:
            with path.open("rb") as file:
                return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
    else:
        empty = "the file is empty; the download may have failed"
        reason = empty if stat.S_ISREG(kind.st_mode) else "it is no regular file"
    raise ModelError(f"{path}: cannot read the model: {reason}") from None


class ExternalFiles:
    """External data of a model, which must lie beside it.

    A file must not make us read files elsewhere: no absolute path, no ``..`` that leads out, no
    link that leads out. The cache of the Hugging Face hub keeps a folder of links to files that lie
    together under other names; so where the model itself is a link, data may also be a link to
    where the model really lies.

    Parameters
    ----------
    model
        Path of the model; None for a model that did not come from a file.
    """

    def __init__(self, model: Path | None) -> None:
        self._model = model
        self._files: dict[Path, memoryview] = {}

    def view(self, tensor: Record, size: int, what: str) -> memoryview:
        """The ``size`` bytes of a tensor that is stored outside; ModelError where it has others."""
        entries = {entry["key"]: entry["value"] for entry in tensor["external_data"]}
        location = entries.get("location") or ""
        data = self._file(location, what)
        if bytes(data[: len(LFS_POINTER)]) == LFS_POINTER:
            raise ModelError(f"{what} lies in {location!r}, which is {stranger(data)}")
        try:
            offset = int(entries.get("offset") or 0)
            length = int(entries.get("length") or size)
        except ValueError:
            raise ModelError(f"{what} has an external offset or length that is no number") from None
        if offset < 0 or length != size or offset + length > len(data):
            raise ModelError(
                f"{what} wants {size} bytes: {length} at offset {offset} of {location!r}, which "
                f"has {len(data)}"
            )
        return data[offset : offset + length]

    def _file(self, location: str, what: str) -> memoryview:
        if self._model is None:
            raise ModelError(
                f"{what} lies in the external file {location!r}; load the model by its path"
            )
        path = self._resolve(self._model, location)
        if path is None:
            folder = self._model.parent.resolve()
            raise ModelError(f"{what} lies in {location!r}, which is not inside {folder}")
        if path not in self._files:
            self._files[path] = map_file(path)
        return self._files[path]

    @staticmethod
    def _resolve(model: Path, location: str) -> Path | None:
        """Where ``location`` really lies; None where that is out of bounds."""
        named = Path(os.path.normpath(location)) if location else Path()
        if named.is_absolute() or named == Path() or ".." in named.parts:
            return None
        try:
            path = (model.parent / named).resolve()
            homes = [model.parent.resolve(), model.resolve().parent]
        except (OSError, ValueError, RuntimeError):
            return None
        return path if any(path.is_relative_to(home) and path != home for home in homes) else None
