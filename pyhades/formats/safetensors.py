"""The safetensors container: a JSON header and the bytes of the tensors.

Layout: uint64 length of the header, the header, then the data that its offsets count from.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from pyhades.errors import ModelError
from pyhades.formats.entry import TensorEntry, check_apart
from pyhades.formats.mapped import MappedFile

ALIGNMENT = 64
"""Of the tensors that :class:`SafetensorsWriter` writes: a cache line."""
PADDING = "__padding__."
"""Beginning of the names of what fills the gaps between them, as the format allows no gaps."""

ITEM_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64"), 8),
}
_LENGTH_BYTES = 8
_LONGEST_HEADER = 100_000_000


class SafetensorsFile:
    """A mapped safetensors file, its header checked completely.

    Attributes
    ----------
    mapping
        The file.
    tensors
        By name; padding is left out.
    metadata
        Texts from the header.

    Raises
    ------
    ModelError
        The file is no safetensors file, or is damaged; names file, tensor and remedy.
    """

    def __init__(self, path: Path) -> None:
        self.mapping = MappedFile(path)
        header, begin = self._header()
        self.metadata = self._metadata(header.pop("__metadata__", {}))
        self.tensors: dict[str, TensorEntry] = {}
        places = []
        for name, described in header.items():
            dtype, shape, first, last = self._described(name, described)
            places.append((name, first, last))
            data = self.mapping.data[begin:][first:last]
            if len(data) != last - first:
                self._fail(
                    f"tensor {name!r} ends at byte {begin + last}, the file at "
                    f"{len(self.mapping.data)}"
                )
            if not name.startswith(PADDING):
                self.tensors[name] = TensorEntry(name, path, dtype, shape, data)
        check_apart(path, places)
        described_bytes = sum(last - first for _, first, last in places)
        if described_bytes != len(self.mapping.data) - begin:
            self._fail(
                f"its tensors have {described_bytes} bytes, its data "
                f"{len(self.mapping.data) - begin}"
            )

    def _fail(self, problem: str) -> NoReturn:
        raise ModelError(
            f"{self.mapping.path}: {problem}; the file is damaged, incomplete or no safetensors "
            "file; download or convert it again"
        )

    def _header(self) -> tuple[dict[str, Any], int]:
        """The header, and where the data begins."""
        data = self.mapping.data
        if len(data) < _LENGTH_BYTES:
            self._fail(f"it has {len(data)} bytes")
        (length,) = struct.unpack("<Q", data[:_LENGTH_BYTES].tobytes())
        begin = _LENGTH_BYTES + length
        if length > _LONGEST_HEADER or begin > len(data):
            self._fail(f"its header should have {length} bytes")
        try:
            text = data[_LENGTH_BYTES:begin].tobytes().decode("utf-8")
            header = json.loads(text, object_pairs_hook=self._unique)
        except (ValueError, RecursionError) as error:
            self._fail(f"its header is no JSON ({error})")
        if not isinstance(header, dict):
            self._fail("its header is no JSON object")
        return header, begin

    def _unique(self, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        """The object of these pairs; a name that comes twice is refused."""
        result = dict(pairs)
        if len(result) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            self._fail(f"{twice!r} is described twice")
        return result

    def _metadata(self, described: Any) -> dict[str, str]:
        if not isinstance(described, dict):
            self._fail("its metadata is no JSON object")
        for key, value in described.items():
            if not isinstance(value, str):
                self._fail(f"its metadata {key!r} is no text")
        return described

    def _described(self, name: str, entry: Any) -> tuple[str, tuple[int, ...], int, int]:
        """Dtype, shape, begin and end of a tensor, after checking that they fit together."""
        try:
            dtype, shape, (first, last) = entry["dtype"], entry["shape"], entry["data_offsets"]
            numbers = [*shape, first, last]
        except (KeyError, TypeError, ValueError):
            self._fail(f"tensor {name!r} is not described by dtype, shape and two data_offsets")
        if any(type(number) is not int or number < 0 for number in numbers) or first > last:
            self._fail(f"tensor {name!r} has shape {shape} and offsets [{first}, {last}]")
        if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
            self._fail(f"tensor {name!r} has the unknown dtype {dtype!r}")
        expected = ITEM_BYTES[dtype]
        for size in shape:
            expected *= size
        if expected != last - first:
            self._fail(
                f"tensor {name!r} is {dtype} {shape}, {expected} bytes, but occupies {last - first}"
            )
        return dtype, tuple(shape), first, last


@dataclass(frozen=True)
class _Place:
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    padding: int


class SafetensorsWriter:
    """Writes a file tensor by tensor, every one on a 64-byte boundary.

    Parameters
    ----------
    file
        Open for writing in binary.
    tensors
        Name to dtype (``"F32"``, ``"U8"``, ...) and shape, in the order in which they are written.
    metadata
        Texts for the header.

    Examples
    --------
    >>> import io, numpy as np
    >>> file = io.BytesIO()
    >>> writer = SafetensorsWriter(file, {"a": ("F32", (2,))}, {"by": "me"})
    >>> writer.write("a", np.zeros(2, np.float32))
    >>> writer.finish()
    """

    def __init__(
        self,
        file: IO[bytes],
        tensors: Mapping[str, tuple[str, Sequence[int]]],
        metadata: Mapping[str, str],
    ) -> None:
        self._file = file
        self._waiting: dict[str, _Place] = {}
        header: dict[str, Any] = {"__metadata__": dict(metadata)}
        at = 0
        for name, (dtype, shape) in tensors.items():
            nbytes = ITEM_BYTES[dtype] * int(np.prod(shape, dtype=np.int64))
            padding = -nbytes % ALIGNMENT
            header[name] = _description(dtype, shape, at, nbytes)
            self._waiting[name] = _Place(dtype, tuple(shape), nbytes, padding)
            at += nbytes
            if padding:
                header[f"{PADDING}{name}"] = _description("U8", [padding], at, padding)
                at += padding
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-(len(text) + _LENGTH_BYTES) % ALIGNMENT)
        file.write(struct.pack("<Q", len(text)) + text)

    def write(self, name: str, array: NDArray[Any]) -> None:
        """Append the next tensor; bfloat16 comes as uint16."""
        expected = next(iter(self._waiting))
        place = self._waiting.pop(expected)
        assert (name, array.shape, array.nbytes) == (expected, place.shape, place.nbytes), (
            f"{name} {array.shape} instead of {expected} {place}"
        )
        self._file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        self._file.write(bytes(place.padding))

    def finish(self) -> None:
        """Bring everything to the disk; all tensors have been written."""
        assert not self._waiting, f"not written: {', '.join(self._waiting)}"
        self._file.flush()
        if hasattr(self._file, "name"):
            os.fsync(self._file.fileno())


def _description(dtype: str, shape: Sequence[int], begin: int, nbytes: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, begin + nbytes]}
