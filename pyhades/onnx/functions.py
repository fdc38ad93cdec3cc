"""Functions that a model file defines: operators by bodies of simpler ones."""

from __future__ import annotations

from collections.abc import Iterable

from pyhades.errors import ModelError
from pyhades.onnx.opsets import canonical
from pyhades.onnx.wire import Record

Key = tuple[str, str, str]
"""Domain, name and overload."""

_DEEPEST_CALL = 64


class Functions:
    """The functions of a file, by what a node calls them by."""

    def __init__(self, records: Iterable[Record], source: str) -> None:
        self._records: dict[Key, Record] = {}
        self._sizes: dict[Key, int] = {}
        for record in records:
            key = canonical(record["domain"]), record["name"] or "", record["overload"] or ""
            if key in self._records:
                raise ModelError(f"{source}: function {key[1]!r} is defined twice")
            self._records[key] = record

    def find(self, node: Record) -> Record | None:
        """The function that a node calls; None where it is an operator."""
        return self._records.get(_callee(node))

    def size(self, node: Record, where: str) -> int:
        """Nodes that a call amounts to with all calls within written out.

        Raises
        ------
        ModelError
            The function calls itself, or calls are nested deeper than anybody writes them.
        """
        return self._size(_callee(node), where, ())

    def _size(self, key: Key, where: str, calls: tuple[Key, ...]) -> int:
        if key in calls:
            raise ModelError(f"{where}: function {key[1]!r} calls itself")
        if len(calls) > _DEEPEST_CALL:
            raise ModelError(f"{where}: calls are nested more than {_DEEPEST_CALL} deep")
        if key not in self._sizes:
            nodes = self._records[key]["nodes"]
            called = [callee for node in nodes if (callee := _callee(node)) in self._records]
            sizes = [self._size(callee, where, (*calls, key)) for callee in called]
            self._sizes[key] = len(nodes) + sum(sizes)
        return self._sizes[key]


def _callee(node: Record) -> Key:
    return canonical(node["domain"]), node["op_type"] or "", node["overload"] or ""
