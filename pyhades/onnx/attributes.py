"""AttributeProto to Python values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyhades.errors import ModelError, UnsupportedOperatorError
from pyhades.onnx.elements import ELEMENTS, Element
from pyhades.onnx.schema import ATTRIBUTE_FIELDS
from pyhades.onnx.tensors import TensorDecoder
from pyhades.onnx.wire import Record

_REFUSED = {9: "tensors", 12: "sparse tensors", 13: "a type", 14: "types"}
_ZEROS = {"f": 0.0, "i": 0, "s": b""}
"""proto3 leaves zeros out of the file."""


class AttributeDecoder:
    """Decodes the attributes of the nodes of one graph, or of one call of a function.

    Parameters
    ----------
    tensors
        What reads the tensors of the file.
    graph
        Makes of a GraphProto what a translator gets for it.
    bound
        Attributes of the call that the nodes of a function may refer to; None outside of one.
    """

    def __init__(
        self,
        tensors: TensorDecoder,
        graph: Callable[[Record, str], Any],
        bound: Mapping[str, Any] | None = None,
    ) -> None:
        self._tensors = tensors
        self._graph = graph
        self._bound = bound

    def decode_all(self, records: Iterable[Record], where: str) -> dict[str, Any]:
        """Attributes by name; one that refers to what a call leaves out is left out, too."""
        values = {}
        for record in records:
            name, reference = record["name"] or "", record["ref_attr_name"]
            if not reference:
                values[name] = self.decode(record, where)
            elif self._bound is None:
                raise ModelError(
                    f"{where}: attribute {name!r} refers to {reference!r} of a function, but this "
                    "node is in none"
                )
            elif reference in self._bound:
                values[name] = self._bound[reference]
        return values

    @staticmethod
    def elements(records: Iterable[Record]) -> dict[str, Element]:
        """Element types of the tensors among attributes, by name."""
        tensors = {record["name"] or "": record["t"] for record in records}
        return {name: ELEMENTS[t["data_type"]] for name, t in tensors.items() if t is not None}

    def decode(self, record: Record, where: str) -> Any:
        """int, float, str, list of those, array, or what stands for a graph."""
        what = f"{where}: attribute {record['name']!r}"
        number = record["type"] or _guess_type(record)
        if number in _REFUSED:
            raise UnsupportedOperatorError(
                f"{what} is {_REFUSED[number]}, which pyhades does not read"
            )
        if number not in ATTRIBUTE_FIELDS:
            raise ModelError(f"{what} has type number {number}, which is unknown")
        field = ATTRIBUTE_FIELDS[number]
        value = _ZEROS.get(field) if record[field] is None else record[field]
        if value is None:
            raise ModelError(f"{what} has no value")
        return self._value(field, value, what)

    def _value(self, field: str, value: Any, what: str) -> Any:
        match field:
            case "s":
                return _text(value, what)
            case "strings":
                return [_text(item, what) for item in value]
            case "t":
                return self._tensors.decode(value, what)
            case "sparse_tensor":
                return self._tensors.decode_sparse(value, what)
            case "g":
                return self._graph(value, what)
            case "graphs":
                return [self._graph(item, what) for item in value]
            case "floats" | "ints":
                return list(value)
        return value


def _text(value: memoryview, what: str) -> str:
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        raise ModelError(f"{what} is not UTF-8") from None


def _guess_type(record: Record) -> int:
    """Files of IR version 1 leave the type out; the field that is set gives it away."""
    for number, field in ATTRIBUTE_FIELDS.items():
        value = record[field]
        if value is not None and not (isinstance(value, list) and not value):
            return number
    return 2
