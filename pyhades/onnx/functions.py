"""Functions that a model file defines: operators by bodies of simpler ones."""

from __future__ import annotations

from collections.abc import Iterable

from pyhades.errors import ModelError
from pyhades.onnx.opsets import canonical
from pyhades.onnx.wire import Record

Key = tuple[str, str, str]
"""Domain, name and overload."""


class Functions:
    """The functions of a file, by what a node calls them by."""

    def __init__(self, records: Iterable[Record], source: str) -> None:
        self._source = source
        self._records: dict[Key, Record] = {}
        self._running: list[Key] = []
        for record in records:
            key = canonical(record["domain"]), record["name"] or "", record["overload"] or ""
            if key in self._records:
                raise ModelError(f"{source}: function {key[1]!r} is defined twice")
            self._records[key] = record

    def find(self, domain: str, name: str, overload: str) -> Record | None:
        """The function that a node with these calls."""
        return self._records.get((domain, name, overload))

    def enter(self, function: Record, where: str) -> None:
        """Note that the body of ``function`` is being translated; ModelError if it is already."""
        key = canonical(function["domain"]), function["name"] or "", function["overload"] or ""
        if key in self._running:
            raise ModelError(f"{where}: function {key[1]!r} calls itself")
        self._running.append(key)

    def leave(self) -> None:
        """Note that the body entered last is done."""
        self._running.pop()
