"""Nodes of a file become nodes of the IR: those of its graph, of graphs within it, of functions."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyhades.errors import ModelError, PyhadesError, ShapeError, UnsupportedOperatorError
from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Dim, Node, TensorType, Value
from pyhades.ir.inference import CONFUSED, type_of
from pyhades.ir.shapes import UNKNOWN
from pyhades.onnx.attributes import AttributeDecoder
from pyhades.onnx.elements import ELEMENTS, ElementTable
from pyhades.onnx.functions import Functions
from pyhades.onnx.opsets import Opsets, canonical
from pyhades.onnx.order import sorted_nodes
from pyhades.onnx.results import settle
from pyhades.onnx.scope import Scope
from pyhades.onnx.subgraph import Subgraph
from pyhades.onnx.tensors import TensorDecoder, tensor_type
from pyhades.onnx.translate import (
    OnnxNode,
    Translator,
    supported_domains,
    supported_operators,
    translator,
)
from pyhades.onnx.wire import Record

_DOMAINS = {
    "com.microsoft.nchwc": "onnxruntime wrote the file for one kind of CPU, in whose order the "
    "weights are (8 or 16 channels at a time, which the file does not say); save it with "
    "ORT_ENABLE_EXTENDED, or take the original",
    "com.ms.internal.nhwc": "onnxruntime wrote the file for one of its devices; save it for the "
    "CPU with ORT_ENABLE_EXTENDED, or take the original",
}
"""What to do about domains that are refused."""

_MOST_NODES = 1 << 18
"""Nodes with all functions and loops written out; a few kilobytes could ask for 2^100."""


@dataclass
class ModelFile:
    """What all the graphs of one file share while it is read."""

    source: str
    tensors: TensorDecoder
    functions: Functions
    elements: ElementTable = field(default_factory=ElementTable)
    named: set[Value] = field(default_factory=set)
    """Values that bear a name of the file already."""
    nodes: int = 0
    takes_foreign: bool = False
    """Whether nodes that cannot be translated are kept as they are, for others to run."""

    def count(self, nodes: int) -> None:
        """Refuse files that unfold to more nodes than any network has."""
        self.nodes += nodes
        if self.nodes > _MOST_NODES:
            raise ModelError(
                f"{self.source}: more than {_MOST_NODES} nodes with functions and loops written out"
            )


class Body:
    """Translates the nodes of one graph or function into a builder.

    Parameters
    ----------
    file
        What the graphs of the file share.
    builder
        Where the nodes go.
    scope
        What names mean.
    opsets
        Versions of the domains.
    prefix
        Goes before names, which are unique within one graph of the file only.
    bound
        Within a function, the attributes of its call.
    """

    def __init__(
        self,
        file: ModelFile,
        builder: GraphBuilder,
        scope: Scope,
        opsets: Opsets,
        *,
        prefix: str = "",
        bound: Mapping[str, Any] | None = None,
    ) -> None:
        self.file = file
        self.builder = builder
        self.scope = scope
        self._opsets = opsets
        self._prefix = prefix
        self._bound = bound
        self._made: set[Value] = set()
        self._attributes = AttributeDecoder(file.tensors, self._subgraph, bound)

    def within(self, builder: GraphBuilder, scope: Scope, prefix: str) -> Body:
        """A body for a graph in an attribute of one of these nodes."""
        return Body(self.file, builder, scope, self._opsets, prefix=prefix, bound=self._bound)

    def _subgraph(self, record: Record, what: str) -> Subgraph:
        return Subgraph(record, self, what)

    def error(self, problem: str) -> ModelError:
        """An error about the file."""
        return ModelError(f"{self.file.source}: {problem}")

    def _taken(self, what: str, name: str) -> ModelError:
        return self.error(
            f"{what} {name!r} has a name that is taken: the file is invalid, and other readers "
            "refuse it too; write it anew with names of its own for every value"
        )

    def define(self, name: str, value: Value, what: str) -> None:
        """Give ``value`` a name of the file; ModelError where it is empty or taken."""
        if not name:
            raise self.error(f"{what} has no name")
        if not self.scope.define(name, value):
            raise self._taken(what, name)
        self.file.named.add(value)

    def add_initializers(self, record: Record) -> None:
        """Constants of a GraphProto, dense and sparse. Of several with one name the last counts."""
        last = {tensor["name"]: tensor for tensor in record["initializers"]}
        for tensor in last.values():
            self._add_initializer(tensor["name"], tensor, sparse=None)
        for sparse in record["sparse_initializers"]:
            values = sparse["values"]
            self._add_initializer(None if values is None else values["name"], values, sparse)

    def _add_initializer(self, name: str | None, tensor: Record, sparse: Record | None) -> None:
        name = name or ""
        what = f"{self.file.source}: initializer {name!r}"
        tensors = self.file.tensors
        data = (
            tensors.decode(tensor, what) if sparse is None else tensors.decode_sparse(sparse, what)
        )
        value = Value(self._prefix + name, type_of(data), data)
        self.file.elements.mark(value, ELEMENTS[tensor["data_type"]])
        self.define(name, value, "initializer")

    def add_nodes(self, records: Sequence[Record]) -> None:
        """Translate nodes, in whichever order the file has them."""
        self._check_outputs(records)
        order, cycle = sorted_nodes(records)
        if cycle:
            names = " -> ".join(_label(i, records[i]) for i in [*cycle, cycle[0]])
            raise self.error(f"the nodes {names} read each other's results in a cycle")
        for index in order:
            self._add_node(index, records[index])

    def _check_outputs(self, records: Sequence[Record]) -> None:
        """Refuse names that are made twice, which would be confusing to sort."""
        seen: set[str] = set()
        for index, record in enumerate(records):
            for name in record["outputs"]:
                if name in seen or self.scope.has(name):
                    raise self._taken(f"node {_label(index, record)}: output", name)
                if name:
                    seen.add(name)

    def output(self, info: Record) -> Value:
        """The value that a ValueInfoProto names as an output, with what it knows of its type."""
        name = info["name"] or ""
        try:
            value = self.scope.find(name)
        except KeyError:
            value = None
        if value is None:
            raise self.error(f"graph output {name!r} is made by no node")
        declared = self.declared(info, "output")
        if declared is None or value.type is None:
            value.type = value.type or declared
        elif value.type.dtype != declared.dtype:
            raise ShapeError(
                f"{self.file.source}: output {name!r} is declared {declared} but computed "
                f"{value.type}"
            )
        elif not value.is_constant:
            value.type = TensorType(declared.dtype, _known_extents(value.type, declared))
        return value

    def declared(self, info: Record, what: str) -> TensorType | None:
        """The type that a ValueInfoProto declares."""
        if info["type"] is None:
            return None
        return tensor_type(info["type"], f"{self.file.source}: {what} {info['name']!r}")

    def _add_node(self, index: int, record: Record) -> None:
        if not self.file.takes_foreign:
            self._add_own(index, record)
            return
        try:
            self._add_own(index, record)
        except PyhadesError:
            self._add_foreign(record)

    def _add_foreign(self, record: Record) -> None:
        """A node that nobody here can run, and of whose results nothing is known."""
        domain = canonical(record["domain"])
        op = f"{domain}::{record['op_type']}" if domain else f"::{record['op_type']}"
        inputs = [self._read(name, op) for name in record["inputs"]]
        results = {name: Value(self._prefix + name) for name in record["outputs"] if name}
        self.builder.nodes.append(
            Node(op, inputs, list(results.values()), {}, record["name"] or "")
        )
        for name, value in results.items():
            self.define(name, value, "output")

    def _add_own(self, index: int, record: Record) -> None:
        op, domain = record["op_type"] or "", canonical(record["domain"])
        where = f"{self.file.source}: node {_label(index, record)} ({op})"
        function = self.file.functions.find(record)
        # The nodes of a function count before there are too many of them.
        self.file.count(1 if function is None else self.file.functions.size(record, where))
        opset = self._opsets.version(domain) if function is None else 0
        translate = self._translator(op, domain, opset, where) if function is None else None
        outputs = list(record["outputs"])
        while outputs and not outputs[-1]:
            outputs.pop()
        if not outputs:
            raise ModelError(f"{where} has no output")
        node = OnnxNode(
            op,
            record["name"] or "",
            [self._read(name, where) for name in record["inputs"]],
            outputs,
            self._attributes.decode_all(record["attributes"], where),
            opset,
            where,
            domain,
            self.file.elements,
            self._attributes.elements(record["attributes"]),
        )
        scope = self.builder.scope(self._prefix + (record["name"] or outputs[0]))
        make = self._caller(function) if function is not None else translate
        assert make is not None
        self._name_results(self._translate(make, node), node)
        self.builder.scope(scope)

    def _translate(self, translate: Translator, node: OnnxNode) -> list[Value]:
        where = node.where
        try:
            return settle(node, translate(node, self.builder), self.builder)
        except PyhadesError as error:
            text = str(error)
            if not text.startswith(where):
                text = f"{where}: {text.removeprefix(f'{self.file.source}: ')}"
            raise type(error)(text) from None
        except (*CONFUSED, AssertionError, RecursionError) as error:
            raise ModelError(
                f"{where}: its attributes or inputs do not fit the operator "
                f"({type(error).__name__}: {error})"
            ) from error

    def _caller(self, function: Record) -> Translator:
        """What translates calls of a function: its nodes, written out."""
        return lambda node, _: self._call(function, node)

    def _call(self, function: Record, node: OnnxNode) -> list[Value]:
        names, given = function["inputs"], node.inputs
        if len(given) > len(names) or len(node.output_names) > len(function["outputs"]):
            raise ModelError(
                f"{node.where}: the function takes {len(names)} inputs and makes "
                f"{len(function['outputs'])} outputs, the node has {len(given)} and "
                f"{len(node.output_names)}"
            )
        scope = Scope()
        for index, name in enumerate(names):
            scope.define(name, given[index] if index < len(given) else None)
        defaults = self._attributes.decode_all(function["defaults"], node.where)
        body = Body(
            self.file,
            self.builder,
            scope,
            Opsets(function["opsets"], self.file.source, self._opsets),
            prefix=f"{self.builder.fresh(node.op)}/",
            bound=defaults | node.attributes,
        )
        body.add_nodes(function["nodes"])
        made = function["outputs"][: len(node.output_names)]
        return body.handed_out([body._output_of_call(name, node.where) for name in made])

    def handed_out(self, outputs: list[Value]) -> list[Value]:
        """Outputs for the graph around, which may give those that were made here its own names."""
        self.file.named.difference_update(self._made.intersection(outputs))
        return outputs

    def _output_of_call(self, name: str, where: str) -> Value:
        value = self._read(name, where)
        if value is None:
            raise ModelError(f"{where}: output {name!r} of the function is not there")
        return value

    @staticmethod
    def _translator(op: str, domain: str, opset: int, where: str) -> Translator:
        if domain not in supported_domains():
            remedy = _DOMAINS.get(domain, "export the model with standard ONNX operators only")
            raise UnsupportedOperatorError(
                f"{where}: operators of domain {domain!r} are not supported; {remedy}"
            )
        try:
            translate = translator(op, opset, domain)
        except ModelError as error:
            raise ModelError(f"{where}: {error}") from None
        if translate is None:
            similar = difflib.get_close_matches(op, supported_operators(domain), 1)
            hint = f" (did you mean {similar[0]}?)" if similar else ""
            whose = f" of domain {domain!r}" if domain else ""
            raise UnsupportedOperatorError(
                f"{where}: pyhades has no such operator{whose}{hint}; export the model without it"
            )
        return translate

    def _read(self, name: str, where: str) -> Value | None:
        if not name:
            return None
        try:
            return self.scope.find(name)
        except KeyError:
            raise ModelError(f"{where} reads {name!r}, which nothing makes") from None

    def _name_results(self, results: list[Value], node: OnnxNode) -> None:
        if len(results) < len(node.output_names):
            raise ModelError(
                f"{node.where}: it makes {len(results)} outputs, {len(node.output_names)} are named"
            )
        # What nobody named, nobody reads.
        for value, name in zip(results, node.output_names, strict=False):
            if not name:
                continue  # an output in the middle that the file leaves out
            if value in self.file.named:
                # A value of another name, passed on: only a node of its own can have this one.
                kind = self.file.elements.of(value)
                value = self.builder.one("Identity", value)
                if kind is not None:
                    self.file.elements.mark(value, kind)
            value.name = self._prefix + name
            self._made.add(value)
            self.define(name, value, "output")


def _label(index: int, record: Record) -> str:
    return repr(record["name"] or f"#{index}")


def _known_extents(computed: TensorType, declared: TensorType) -> tuple[Dim, ...] | None:
    """What was computed, and where nothing was, what the file declares."""
    if computed.shape is None or declared.shape is None:
        return declared.shape if computed.shape is None else computed.shape
    if len(computed.shape) != len(declared.shape):
        return computed.shape
    pairs = zip(computed.shape, declared.shape, strict=True)
    return tuple(said if have == UNKNOWN else have for have, said in pairs)
