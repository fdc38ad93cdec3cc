"""Make graphs node by node, with types inferred as they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant, infer_node


class GraphBuilder:
    """Collects IR nodes, with types inferred as they come.

    Parameters
    ----------
    tolerant
        Take nodes whose shapes do not fit, too: those of a graph that may never run.
    """

    def __init__(self, tolerant: bool = False) -> None:
        self._tolerant = tolerant
        self.nodes: list[Node] = []
        self._count = 0
        self._scope = ""

    def scope(self, name: str) -> str:
        """Name what follows after ``name``, a node of a file or a module of a network.

        The name before is returned, to go back to.
        """
        before, self._scope = self._scope, name
        return before

    def fresh(self, hint: str) -> str:
        """A value name that is not used yet."""
        self._count += 1
        return f"{self._scope}:{hint}.{self._count}"

    def constant(self, data: Any, dtype: Any = None, hint: str = "constant") -> Value:
        """A constant value."""
        return constant(self.fresh(hint), np.asarray(data, dtype))

    def integers(self, numbers: Sequence[int]) -> Value:
        """A constant int64 vector."""
        return self.constant(list(numbers), np.int64, "integers")

    def emit(
        self,
        op: str,
        inputs: Sequence[Value | None],
        attributes: dict[str, Any] | None = None,
        outputs: int = 1,
    ) -> list[Value]:
        """Append a node and return its results; omitted trailing inputs are dropped."""
        present = list(inputs)
        while present and present[-1] is None:
            present.pop()
        results = [Value(self.fresh(op)) for _ in range(outputs)]
        node = Node(op, present, results, dict(attributes or {}), self._scope)
        infer_node(node, self._tolerant)
        self.nodes.append(node)
        return results

    def one(self, op: str, *inputs: Value | None, **attributes: Any) -> Value:
        """Append a node with one result."""
        return self.emit(op, inputs, attributes)[0]
