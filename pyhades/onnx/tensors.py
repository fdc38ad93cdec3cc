"""TensorProto and TypeProto to NumPy arrays and IR types, including external data files."""

from __future__ import annotations

import math
import mmap
from pathlib import Path
from typing import Any

import numpy as np

from pyhades.errors import ModelError, UnsupportedOperatorError
from pyhades.ir.graph import Dim, TensorType
from pyhades.ir.shapes import UNKNOWN
from pyhades.onnx.schema import BFLOAT16, DTYPE_NAMES, DTYPES
from pyhades.onnx.wire import Record

Array = np.ndarray[Any, Any]

_EXTERNAL = 1


def map_file(path: Path) -> memoryview:
    """Map a file read-only; ModelError where it cannot be read or is empty."""
    try:
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the file is empty"
        raise ModelError(f"{path}: cannot read the model: {reason}") from None


def dtype_of(number: int | None, what: str) -> np.dtype[Any]:
    """The dtype that we compute in for a TensorProto.DataType."""
    if number in DTYPES:
        return DTYPES[number]
    name = DTYPE_NAMES.get(number or 0)
    if name is None:
        raise ModelError(f"{what} has data type number {number}, which ONNX does not define")
    raise UnsupportedOperatorError(
        f"{what} has data type {name}, which pyhades does not compute with; convert the "
        "model to float32 or float16"
    )


def tensor_type(record: Record, what: str) -> TensorType | None:
    """IR type of a TypeProto; None where it says nothing."""
    for other in ("sequence", "map", "sparse_tensor", "optional"):
        if record[other] is not None:
            raise UnsupportedOperatorError(
                f"{what} is a {other.replace('_', ' ')}; export the model with plain tensors as "
                "inputs and outputs"
            )
    tensor = record["tensor"]
    if tensor is None:
        return None
    dtype = dtype_of(tensor["element"], what)
    if tensor["shape"] is None:
        return TensorType(dtype, None)
    return TensorType(dtype, tuple(_dim(dim, what) for dim in tensor["shape"]["dims"]))


def _dim(record: Record, what: str) -> Dim:
    if record["value"] is None:
        return record["parameter"] or UNKNOWN
    if record["value"] < 0:
        # Some exporters write -1 for an extent that varies.
        return UNKNOWN
    return int(record["value"])


class TensorDecoder:
    """Turns TensorProtos into arrays; large ones are read-only views of the mapped file(s).

    Parameters
    ----------
    folder
        Where external data files lie; None for a model that did not come from a file.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._files: dict[Path, memoryview] = {}

    def decode(self, tensor: Record, what: str) -> Array:
        """The array of ``tensor``; ModelError, naming ``what``, where it contradicts itself.

        raw data becomes a view, which need not be aligned; bfloat16 is widened to float32.
        """
        number, dims = tensor["data_type"], [int(dim) for dim in tensor["dims"]]
        dtype = dtype_of(number, what)
        if min(dims, default=0) < 0:
            raise ModelError(f"{what} has a negative extent: {dims}")
        count = math.prod(dims)
        stored = np.dtype(np.uint16) if number == BFLOAT16 else dtype
        if tensor["data_location"] == _EXTERNAL:
            flat = self._view(self._external(tensor, count * stored.itemsize, what), stored, what)
        elif tensor["raw_data"] is not None:
            flat = self._view(tensor["raw_data"], stored, what)
        else:
            flat = _typed_data(tensor, stored, what)
        if flat.size != count:
            raise ModelError(f"{what} has {flat.size} elements, its shape {dims} says {count}")
        if number == BFLOAT16:
            flat = (flat.astype(np.uint32) << np.uint32(16)).view(np.float32)
        try:
            return flat.reshape(dims)
        except ValueError as error:
            raise ModelError(f"{what} has shape {dims}: {error}") from None

    @staticmethod
    def _view(data: memoryview, dtype: np.dtype[Any], what: str) -> Array:
        if data.nbytes % dtype.itemsize:
            raise ModelError(f"{what} has {data.nbytes} bytes, no multiple of {dtype.itemsize}")
        if dtype == np.bool_:
            # A byte other than 0 and 1 would be an invalid bool.
            return np.asarray(np.frombuffer(data, np.uint8) != 0)
        return np.frombuffer(data, dtype)

    def _external(self, tensor: Record, size: int, what: str) -> memoryview:
        entries = {entry["key"]: entry["value"] for entry in tensor["external_data"]}
        location = entries.get("location") or ""
        data = self._file(location, what)
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
        if self._folder is None:
            raise ModelError(
                f"{what} lies in the external file {location!r}; load the model by its path"
            )
        folder = self._folder.resolve()
        # A model must not make us read files elsewhere: no absolute path, no "..", no symlink out.
        try:
            path = (folder / location).resolve()
        except (OSError, ValueError, RuntimeError):
            path = folder
        if not location or not path.is_relative_to(folder) or path == folder:
            raise ModelError(f"{what} lies in {location!r}, which is not inside {folder}")
        if path not in self._files:
            self._files[path] = map_file(path)
        return self._files[path]


def _typed_data(tensor: Record, dtype: np.dtype[Any], what: str) -> Array:
    """The elements of a tensor that does not use raw_data."""
    if dtype == np.float32:
        return np.asarray(tensor["float_data"], dtype)
    if dtype == np.float64:
        return np.asarray(tensor["double_data"], dtype)
    name = "int32_data"
    if dtype == np.int64:
        name = "int64_data"
    elif dtype in (np.dtype(np.uint32), np.dtype(np.uint64)):
        name = "uint64_data"
    wide = np.asarray(tensor[name], np.int64)
    if dtype == np.float16:
        return wide.astype(np.uint16).view(np.float16)
    if dtype == np.bool_:
        return np.asarray(wide != 0)
    return wide.astype(dtype, copy=False)
