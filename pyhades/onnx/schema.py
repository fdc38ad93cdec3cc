"""Field numbers of the ONNX messages that we read and write (onnx.proto3, all IR versions)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


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

SPARSE_TENSOR = Message(
    "SparseTensorProto",
    {1: _one("values", TENSOR), 2: _one("indices", TENSOR), 3: _many("dims", Kind.INT)},
)

ATTRIBUTE = Message(
    "AttributeProto",
    {
        1: _one("name", Kind.STRING),
        2: _one("f", Kind.FLOAT),
        3: _one("i", Kind.INT),
        4: _one("s", Kind.BYTES),
        5: _one("t", TENSOR),
        7: _many("floats", Kind.FLOAT),
        8: _many("ints", Kind.INT),
        9: _many("strings", Kind.BYTES),
        20: _one("type", Kind.INT),
        21: _one("ref_attr_name", Kind.STRING),
        22: _one("sparse_tensor", SPARSE_TENSOR),
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
        8: _one("overload", Kind.STRING),
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
        15: _many("sparse_initializers", SPARSE_TENSOR),
    },
)

# A graph may be the attribute of a node of a graph.
ATTRIBUTE.fields[6] = _one("g", GRAPH)
ATTRIBUTE.fields[11] = _many("graphs", GRAPH)

OPSET = Message(
    "OperatorSetIdProto", {1: _one("domain", Kind.STRING), 2: _one("version", Kind.INT)}
)

FUNCTION = Message(
    "FunctionProto",
    {
        1: _one("name", Kind.STRING),
        4: _many("inputs", Kind.STRING),
        5: _many("outputs", Kind.STRING),
        6: _many("attributes", Kind.STRING),
        7: _many("nodes", NODE),
        9: _many("opsets", OPSET),
        10: _one("domain", Kind.STRING),
        11: _many("defaults", ATTRIBUTE),
        13: _one("overload", Kind.STRING),
    },
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
        25: _many("functions", FUNCTION),
    },
)

ATTRIBUTE_FIELDS = {
    1: "f",
    2: "i",
    3: "s",
    4: "t",
    5: "g",
    6: "floats",
    7: "ints",
    8: "strings",
    10: "graphs",
    11: "sparse_tensor",
}
"""AttributeProto.type to the field that holds the value, for the types that we read."""
