"""A graph in an attribute: what a translator of If, Loop or Scan is given for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyhades.errors import ModelError
from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Graph, TensorType, Value
from pyhades.onnx.scope import Captures, Scope
from pyhades.onnx.wire import Record

if TYPE_CHECKING:
    from pyhades.onnx.body import Body


class Subgraph:
    """A graph within a graph. It sees the names of the graph around it.

    Parameters
    ----------
    record
        The GraphProto.
    around
        The body that the node with the attribute belongs to.
    where
        File, node and attribute, to begin an error message with.
    """

    def __init__(self, record: Record, around: Body, where: str) -> None:
        self._record = record
        self._around = around
        self.where = where
        self.name: str = record["name"] or "graph"
        self._input_names: list[str] = [info["name"] or "" for info in record["inputs"]]

    @property
    def input_count(self) -> int:
        """How many inputs the graph declares."""
        return len(self._input_names)

    @property
    def output_count(self) -> int:
        """How many outputs it has."""
        return len(self._record["outputs"])

    def input_types(self) -> list[TensorType | None]:
        """The declared types of its inputs; None where nothing is declared."""
        return [self._around.declared(info, "input") for info in self._record["inputs"]]

    def output_types(self) -> list[TensorType | None]:
        """The declared types of its outputs; None where nothing is declared."""
        return [self._around.declared(info, "output") for info in self._record["outputs"]]

    def inline(self, inputs: Sequence[Value]) -> list[Value]:
        """Translate the nodes into the graph around, once more for every call.

        Parameters
        ----------
        inputs
            A value for each input of the graph.

        Returns
        -------
        list of Value
            Its outputs; among them may be values that it was given.

        Raises
        ------
        ModelError
            The graph has another number of inputs, or is wrong.
        """
        if len(inputs) != len(self._input_names):
            raise ModelError(
                f"{self.where}: the graph has {len(self._input_names)} inputs, it is given "
                f"{len(inputs)}"
            )
        builder = self._around.builder
        body = self._around.within(
            builder, Scope(self._around.scope), f"{builder.fresh(self.name)}/"
        )
        for name, value in zip(self._input_names, inputs, strict=True):
            body.define(name, value, f"{self.where}: input")
        return body.handed_out(self._fill(body))

    def graph(self, types: Sequence[TensorType | None] | None = None) -> tuple[Graph, list[Value]]:
        """Translate to a graph of its own.

        Parameters
        ----------
        types
            Types of its inputs, where they are known better than the file declares them.

        Returns
        -------
        Graph
            Its inputs are those of the file and, behind them, one for each value of the graph
            around that it reads. Constants of the graph around are constants in it.
        list of Value
            Those values of the graph around, in the order of the inputs that stand for them.
        """
        scope = Captures(self._around.scope)
        body = self._around.within(GraphBuilder(tolerant=True), scope, "")
        declared = self.input_types()
        inputs = []
        for index, name in enumerate(self._input_names):
            given = None if types is None else types[index]
            value = Value(name, declared[index] if given is None else given)
            body.define(name, value, f"{self.where}: input")
            inputs.append(value)
        outputs = self._fill(body)
        graph = Graph(
            [*inputs, *scope.inputs.values()], outputs, body.builder.nodes, self.name,
            self._around.file.source,
        )  # fmt: skip
        return graph, list(scope.inputs)

    def _fill(self, body: Body) -> list[Value]:
        body.add_initializers(self._record)
        scope = body.builder.scope(self.name)
        body.add_nodes(self._record["nodes"])
        body.builder.scope(scope)
        return [body.output(info) for info in self._record["outputs"]]
