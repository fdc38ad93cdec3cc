"""Field numbers of the ONNX messages that we read and write (onnx.proto3, all IR versions)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np


class Kind(Enum):
    """How a field is encoded."""

    INT = "varint"
    FLOAT = "fixed32"
    DOUBLE = "fixed64"
    STRING = "utf-8"
    BYTES = "bytes"


@dataclass(frozen=True)
class Field:
    """One field of a message."""

    name: str
    kind: Kind | Message
    repeated: bool = False


@dataclass(frozen=True)
class Message:
    """A message type: its name, for errors, and its fields by number."""

    name: str
    fields: dict[int, Field] = field(hash=False)


def _one(name: str, kind: Kind | Message) -> Field:
    return Field(name, kind)


def _many(name: str, kind: Kind | Message) -> Field:
    return Field(name, kind, repeated=True)


STRING_ENTRY = Message(
    "StringStringEntryProto", {1: _one("key", Kind.STRING), 2: _one("value", Kind.STRING)}
)

TENSOR = Message(
    "TensorProto",
    {
        1: _many("dims", Kind.INT),
        2: _one("data_type", Kind.INT),
        4: _many("float_data", Kind.FLOAT),
        5: _many("int32_data", Kind.INT),
        7: _many("int64_data", Kind.INT),
        8: _one("name", Kind.STRING),
        9: _one("raw_data", Kind.BYTES),
        10: _many("double_data", Kind.DOUBLE),
        11: _many("uint64_data", Kind.INT),
        13: _many("external_data", STRING_ENTRY),
        14: _one("data_location", Kind.INT),
    },
)

DIMENSION = Message("Dimension", {1: _one("value", Kind.INT), 2: _one("parameter", Kind.STRING)})
SHAPE = Message("TensorShapeProto", {1: _many("dims", DIMENSION)})
TENSOR_TYPE = Message("TypeProto.Tensor", {1: _one("element", Kind.INT), 2: _one("shape", SHAPE)})
TYPE = Message(
    "TypeProto",
    {
        1: _one("tensor", TENSOR_TYPE),
        4: _one("sequence", Kind.BYTES),
        5: _one("map", Kind.BYTES),
        8: _one("sparse_tensor", Kind.BYTES),
        9: _one("optional", Kind.BYTES),
    },
)
VALUE_INFO = Message("ValueInfoProto", {1: _one("name", Kind.STRING), 2: _one("type", TYPE)})

# Graphs inside of attributes stay undecoded: the operators that own them are refused.
ATTRIBUTE = Message(
    "AttributeProto",
    {
        1: _one("name", Kind.STRING),
        2: _one("f", Kind.FLOAT),
        3: _one("i", Kind.INT),
        4: _one("s", Kind.BYTES),
        5: _one("t", TENSOR),
        6: _one("g", Kind.BYTES),
        7: _many("floats", Kind.FLOAT),
        8: _many("ints", Kind.INT),
        9: _many("strings", Kind.BYTES),
        20: _one("type", Kind.INT),
        21: _one("ref_attr_name", Kind.STRING),
        22: _one("sparse_tensor", Kind.BYTES),
    },
)

NODE = Message(
    "NodeProto",
    {
        1: _many("inputs", Kind.STRING),
        2: _many("outputs", Kind.STRING),
        3: _one("name", Kind.STRING),
        4: _one("op_type", Kind.STRING),
        5: _many("attributes", ATTRIBUTE),
        7: _one("domain", Kind.STRING),
    },
)

GRAPH = Message(
    "GraphProto",
    {
        1: _many("nodes", NODE),
        2: _one("name", Kind.STRING),
        5: _many("initializers", TENSOR),
        11: _many("inputs", VALUE_INFO),
        12: _many("outputs", VALUE_INFO),
        15: _many("sparse_initializers", Kind.BYTES),
    },
)

OPSET = Message(
    "OperatorSetIdProto", {1: _one("domain", Kind.STRING), 2: _one("version", Kind.INT)}
)

MODEL = Message(
    "ModelProto",
    {
        1: _one("ir_version", Kind.INT),
        2: _one("producer_name", Kind.STRING),
        3: _one("producer_version", Kind.STRING),
        7: _one("graph", GRAPH),
        8: _many("opsets", OPSET),
        14: _many("metadata", STRING_ENTRY),
        25: _many("functions", Kind.BYTES),
    },
)

ATTRIBUTE_FIELDS = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}
"""AttributeProto.type to the field that holds the value, for the types that we read."""

DTYPES: dict[int, np.dtype[np.generic]] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.uint8),
    3: np.dtype(np.int8),
    4: np.dtype(np.uint16),
    5: np.dtype(np.int16),
    6: np.dtype(np.int32),
    7: np.dtype(np.int64),
    9: np.dtype(np.bool_),
    10: np.dtype(np.float16),
    11: np.dtype(np.float64),
    12: np.dtype(np.uint32),
    13: np.dtype(np.uint64),
    16: np.dtype(np.float32),
}
"""TensorProto.DataType to the dtype that we compute in. bfloat16 (16) is widened to float32."""

BFLOAT16 = 16

DTYPE_NAMES = {
    8: "string",
    14: "complex64",
    15: "complex128",
    17: "float8e4m3fn",
    18: "float8e4m3fnuz",
    19: "float8e5m2",
    20: "float8e5m2fnuz",
    21: "uint4",
    22: "int4",
    23: "float4e2m1",
    24: "float8e8m0",
    25: "uint2",
    26: "int2",
    27: "float6e2m3",
    28: "float6e3m2",
}
"""The data types that we refuse, by their ONNX names."""


def onnx_dtype(dtype: np.dtype[np.generic]) -> int:
    """TensorProto.DataType of a NumPy dtype."""
    return next(number for number, known in DTYPES.items() if known == dtype)
