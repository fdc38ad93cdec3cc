"""Large weights out of a model file, and in again: random ones, the same for the same name."""

from __future__ import annotations

import lzma
import zlib
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

MARK = "random normal"
KINDS = {MARK: np.float32, "random half": np.float16}
SMALLEST = 256
"""Elements; smaller tensors (shapes, norms, tables) are kept as they are."""


def empty(model: onnx.ModelProto) -> None:
    """Leave mean and deviation of large float initializers, and of equal ones only one."""
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.size < SMALLEST or values.dtype != np.float32:
            continue
        if values.std() == 0:
            continue  # deflates to nothing by itself
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.doc_string = f"{MARK} {values.mean():.6g} {values.std():.6g}"


def refill(model: onnx.ModelProto) -> onnx.ModelProto:
    """The inverse of :func:`empty`, but for the values."""
    for tensor in model.graph.initializer:
        kind = next((k for k in KINDS if tensor.doc_string.startswith(k)), None)
        if kind is None:
            continue
        mean, deviation = (float(number) for number in tensor.doc_string.split()[2:4])
        rng = np.random.default_rng(zlib.crc32(tensor.name.encode()))
        values = rng.standard_normal(tuple(tensor.dims), dtype=np.float32) * deviation + mean
        tensor.CopyFrom(numpy_helper.from_array(values.astype(KINDS[kind]), tensor.name))
    return model


def write(model: onnx.ModelProto, path: Path) -> None:
    """Store a model without its weights."""
    empty(model)
    del model.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    del model.graph.value_info[:]
    path.write_bytes(lzma.compress(model.SerializeToString(), preset=9 | lzma.PRESET_EXTREME))


def read(path: Path) -> onnx.ModelProto:
    """A stored model, with weights."""
    return refill(onnx.load_model_from_string(lzma.decompress(path.read_bytes())))
