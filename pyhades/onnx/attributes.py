"""AttributeProto to Python values."""

from __future__ import annotations

from typing import Any

from pyhades.errors import ModelError, UnsupportedOperatorError
from pyhades.onnx.schema import ATTRIBUTE_FIELDS
from pyhades.onnx.tensors import TensorDecoder
from pyhades.onnx.wire import Record

_REFUSED = {5: "a graph", 9: "tensors", 10: "graphs", 11: "a sparse tensor", 12: "sparse tensors"}


def decode_attribute(record: Record, tensors: TensorDecoder, where: str) -> Any:
    """int, float, str, list of those, or array."""
    what = f"{where}: attribute {record['name']!r}"
    if record["ref_attr_name"]:
        raise UnsupportedOperatorError(f"{what} refers to a function's attribute")
    number = record["type"] or _guess_type(record)
    if number in _REFUSED:
        raise UnsupportedOperatorError(f"{what} is {_REFUSED[number]}, which pyhades does not run")
    if number not in ATTRIBUTE_FIELDS:
        raise ModelError(f"{what} has type number {number}, which is unknown")
    field = ATTRIBUTE_FIELDS[number]
    value = record[field]
    if value is None:
        # proto3 leaves zeros out of the file.
        value = {"f": 0.0, "i": 0, "s": b""}.get(field)
    if value is None:
        raise ModelError(f"{what} has no value")
    try:
        if field == "s":
            return bytes(value).decode()
        if field == "strings":
            return [bytes(item).decode() for item in value]
    except UnicodeDecodeError:
        raise ModelError(f"{what} is not UTF-8") from None
    if field == "t":
        return tensors.decode(value, what)
    return list(value) if field in ("floats", "ints") else value


def _guess_type(record: Record) -> int:
    """Files of IR version 1 leave the type out; the field that is set gives it away."""
    for number, field in ATTRIBUTE_FIELDS.items():
        if record[field]:
            return number
    return 5 if record["g"] is not None else 2
