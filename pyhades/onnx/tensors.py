"""TensorProto and TypeProto to NumPy arrays and IR types, dense and sparse."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from pyhades.errors import ModelError, UnsupportedOperatorError
from pyhades.ir.graph import Dim, TensorType
from pyhades.ir.shapes import UNKNOWN
from pyhades.onnx.elements import Element, dtype_of, element
from pyhades.onnx.external import ExternalFiles
from pyhades.onnx.packed import from_bytes, from_integers, stored_bytes
from pyhades.onnx.wire import Record

Array = np.ndarray[Any, Any]

_EXTERNAL = 1
_HIGHEST_RANK = 32
_LARGEST_DENSE = 1 << 30
"""Bytes that a sparse tensor may have when it is made dense."""


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
    _check_rank(len(tensor["shape"]["dims"]), what)
    return TensorType(dtype, tuple(_dim(dim, what) for dim in tensor["shape"]["dims"]))


def _check_rank(rank: int, what: str) -> None:
    if rank > _HIGHEST_RANK:
        raise ModelError(f"{what} has rank {rank}; NumPy's arrays have {_HIGHEST_RANK} at most")


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
    model
        Path of the model, beside which external data lies; None if it did not come from a file.
    """

    def __init__(self, model: Path | None) -> None:
        self._external = ExternalFiles(model)

    def decode(self, tensor: Record, what: str) -> Array:
        """The array of ``tensor``; ModelError, naming ``what``, where it contradicts itself.

        raw data becomes a view, which need not be aligned; bfloat16 and narrower floats are widened
        to float32, integers of less than a byte to bytes.
        """
        kind, dims = element(tensor["data_type"], what), [int(dim) for dim in tensor["dims"]]
        _check_rank(len(dims), what)
        if min(dims, default=0) < 0:
            raise ModelError(f"{what} has a negative extent: {dims}")
        count = math.prod(dims)
        if tensor["data_location"] == _EXTERNAL:
            data = self._external.view(tensor, stored_bytes(kind, count), what)
            flat = from_bytes(data, kind, count, what)
        elif tensor["raw_data"] is not None:
            flat = from_bytes(tensor["raw_data"], kind, count, what)
        else:
            flat = _typed_data(tensor, kind, count)
        if flat.size != count:
            raise ModelError(f"{what} has {flat.size} elements, its shape {dims} says {count}")
        try:
            return flat.reshape(dims)
        except ValueError as error:
            raise ModelError(f"{what} has shape {dims}: {error}") from None

    def decode_sparse(self, record: Record, what: str) -> Array:
        """The dense array of a SparseTensorProto, whose indices count elements or are tuples."""
        if record["values"] is None or record["indices"] is None:
            raise ModelError(f"{what} is sparse and lacks values or indices")
        values = self.decode(record["values"], f"{what}, its values,")
        indices = self.decode(record["indices"], f"{what}, its indices,").astype(np.int64)
        dims = [int(dim) for dim in record["dims"]]
        _check_rank(len(dims), what)
        size = math.prod(dims)
        if min(dims, default=0) < 0 or values.ndim != 1:
            raise ModelError(f"{what} has dims {dims} and values of shape {list(values.shape)}")
        if size * values.itemsize > _LARGEST_DENSE:
            raise UnsupportedOperatorError(
                f"{what} is sparse and too large to be made dense: {dims}"
            )
        if indices.ndim == 2 and indices.shape == (len(values), len(dims)):
            if (indices < 0).any() or (indices >= np.array(dims, np.int64)).any():
                raise ModelError(f"{what} has indices outside of its dims {dims}")
            indices = np.ravel_multi_index(tuple(indices.T), dims) if dims else indices.reshape(-1)
        if indices.shape != values.shape:
            raise ModelError(f"{what} has {len(values)} values and indices {list(indices.shape)}")
        if len(indices) and not 0 <= indices.min() <= indices.max() < size:
            raise ModelError(f"{what} has indices outside of its dims {dims}")
        dense = np.zeros(size, values.dtype)
        dense[indices] = values
        return dense.reshape(dims)


def _typed_data(tensor: Record, kind: Element, count: int) -> Array:
    """The elements of a tensor that does not use raw_data."""
    if kind.name == "float32":
        return np.asarray(tensor["float_data"], np.float32)
    if kind.name == "float64":
        return np.asarray(tensor["double_data"], np.float64)
    name = "int32_data"
    if kind.name == "int64":
        name = "int64_data"
    elif kind.name in ("uint32", "uint64"):
        name = "uint64_data"
    return from_integers(np.asarray(tensor[name], np.int64), kind, count)
