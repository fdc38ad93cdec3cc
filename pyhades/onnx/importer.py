"""An ONNX file becomes a :class:`~pyhades.ir.graph.Graph` in the IR's newest-opset spelling."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import IO, Any

from pyhades.errors import (
    ArgumentTypeError,
    ModelError,
    PyhadesError,
    ShapeError,
    UnsupportedOperatorError,
)
from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Dim, Graph, TensorType, Value
from pyhades.ir.inference import type_of
from pyhades.ir.shapes import UNKNOWN
from pyhades.onnx.attributes import decode_attribute
from pyhades.onnx.schema import MODEL
from pyhades.onnx.tensors import TensorDecoder, map_file, tensor_type
from pyhades.onnx.translate import (
    NEWEST_OPSET,
    OLDEST_OPSET,
    OnnxNode,
    supported_operators,
    translator,
)
from pyhades.onnx.wire import Record, WireReader

_DEFAULT_DOMAINS = ("", "ai.onnx")
_REASONS = {
    "If": "control flow; export the branch that is taken",
    "Loop": "control flow; export with the loop unrolled",
    "Scan": "control flow; export with the loop unrolled",
    "NonZero": "its output size depends on data; compute a mask instead",
    "Compress": "its output size depends on data",
    "Unique": "its output size depends on data",
    "NonMaxSuppression": "its output size depends on data; post-process outside of the model",
    "QuantizeLinear": "quantised graphs are not run yet; use the float model",
    "DequantizeLinear": "quantised graphs are not run yet; use the float model",
    "QLinearConv": "quantised graphs are not run yet; use the float model",
    "QLinearMatMul": "quantised graphs are not run yet; use the float model",
}


def load_onnx(model: str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]) -> Graph:
    """Read an ONNX model.

    A file is mapped, not read: constants of the graph are read-only views into it, which may be
    unaligned, so leave the file in place and unchanged while the graph is in use. bfloat16 weights
    and casts become float32 values. Initializers are constants even where the file also lists them
    as inputs.

    Parameters
    ----------
    model
        Path of the file, its bytes, or a binary file object. External data is found beside a path.

    Returns
    -------
    Graph
        Operators in newest-opset spelling, typed as far as the input shapes tell; ``source`` is
        the path and ``metadata`` the model's metadata_props.

    Raises
    ------
    ModelError
        The file cannot be read, is malformed, truncated or contradicts itself, or its opset is
        outside of 7 to 28.
    UnsupportedOperatorError
        It needs an operator, data type or feature that pyhades does not have.
    ShapeError
        Shapes or dtypes in the graph do not fit together.

    Examples
    --------
    >>> from pyhades.onnx import load_onnx
    >>> load_onnx(b"no model")
    Traceback (most recent call last):
        ...
    pyhades.errors.ModelError: <bytes>: malformed at byte 0: wire type 6; the file is damaged, ...
    """
    if isinstance(model, str | os.PathLike):
        path = Path(model)
        return _Importer(map_file(path), str(path), path.parent).graph()
    data = model.read() if hasattr(model, "read") else model
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ArgumentTypeError(
            f"model must be a path, bytes or a binary file, not {type(model).__name__}"
        )
    return _Importer(memoryview(data).cast("B"), "<bytes>", None).graph()


class _Importer:
    def __init__(self, buffer: memoryview, source: str, folder: Path | None) -> None:
        self._source = source
        self._from_file = folder is not None
        self._model = WireReader(buffer, source).read(MODEL)
        self._tensors = TensorDecoder(folder)
        self._values: dict[str, Value] = {}
        self._builder = GraphBuilder()

    def graph(self) -> Graph:
        """Translate the model."""
        record = self._model["graph"]
        if record is None:
            raise self._error("there is no graph in it; this is not an ONNX model")
        opset = self._opset()
        if self._model["functions"]:
            raise UnsupportedOperatorError(
                f"{self._source}: the model defines functions; inline them before loading "
                "(onnx.inliner.inline_local_functions)"
            )
        if record["sparse_initializers"]:
            raise UnsupportedOperatorError(
                f"{self._source}: sparse initializers are not supported; store them dense"
            )
        self._add_initializers(record)
        inputs = self._add_inputs(record)
        for index, node in enumerate(record["nodes"]):
            self._add_node(index, node, opset)
        return Graph(
            inputs,
            self._outputs(record),
            self._builder.nodes,
            name=record["name"] or "graph",
            source=self._source if self._from_file else None,
            metadata={
                entry["key"] or "": entry["value"] or "" for entry in self._model["metadata"]
            },
        )

    def _error(self, problem: str) -> ModelError:
        return ModelError(f"{self._source}: {problem}")

    def _opset(self) -> int:
        versions = {entry["domain"] or "": entry["version"] or 0 for entry in self._model["opsets"]}
        opset = next((versions[d] for d in _DEFAULT_DOMAINS if d in versions), None)
        if opset is None:
            raise self._error("it does not say which ONNX opset it uses")
        if not OLDEST_OPSET <= opset <= NEWEST_OPSET:
            raise self._error(
                f"opset {opset} is outside of {OLDEST_OPSET} to {NEWEST_OPSET}; convert the model "
                "(onnx.version_converter) or export it again"
            )
        return int(opset)

    def _define(self, value: Value, what: str) -> None:
        if not value.name:
            raise self._error(f"{what} has no name")
        if value.name in self._values:
            raise self._error(f"{what} {value.name!r} has a name that is taken")
        self._values[value.name] = value

    def _add_initializers(self, record: Record) -> None:
        for tensor in record["initializers"]:
            name = tensor["name"] or ""
            data = self._tensors.decode(tensor, f"{self._source}: initializer {name!r}")
            self._define(Value(name, type_of(data), data), "initializer")

    def _add_inputs(self, record: Record) -> list[Value]:
        inputs = []
        for info in record["inputs"]:
            name = info["name"] or ""
            if name in self._values and self._values[name].is_constant:
                continue  # the initializer is the default value of this input, and we keep to it
            value = Value(name, self._declared(info, "input"))
            if value.type is None:
                raise self._error(f"input {name!r} has no type")
            self._define(value, "input")
            inputs.append(value)
        return inputs

    def _declared(self, info: Record, what: str) -> TensorType | None:
        if info["type"] is None:
            return None
        return tensor_type(info["type"], f"{self._source}: {what} {info['name']!r}")

    def _add_node(self, index: int, record: Record, opset: int) -> None:
        op, label = record["op_type"] or "", record["name"] or f"#{index}"
        where = f"{self._source}: node {label!r} ({op})"
        translate = self._translator(record, op, opset, where)
        outputs = list(record["outputs"])
        while outputs and not outputs[-1]:
            outputs.pop()
        if not outputs:
            raise ModelError(f"{where} has no output")
        attributes = {
            attribute["name"]: decode_attribute(attribute, self._tensors, where)
            for attribute in record["attributes"]
        }
        inputs = [self._read(name, where) for name in record["inputs"]]
        node = OnnxNode(op, record["name"] or "", inputs, outputs, attributes, opset, where)
        self._builder.scope(record["name"] or outputs[0])
        try:
            results = translate(node, self._builder)
        except PyhadesError as error:
            text = str(error)
            raise type(error)(text if text.startswith(where) else f"{where}: {text}") from None
        self._name_results(results, outputs, where)

    def _translator(self, record: Record, op: str, opset: int, where: str) -> Any:
        domain = record["domain"] or ""
        if domain not in _DEFAULT_DOMAINS:
            raise UnsupportedOperatorError(
                f"{where}: operators of domain {domain!r} are not supported; export the model with "
                "standard ONNX operators only"
            )
        try:
            translate = translator(op, opset)
        except ModelError as error:
            raise ModelError(f"{where}: {error}") from None
        if translate is None:
            reason = _REASONS.get(op)
            if reason is None:
                similar = difflib.get_close_matches(op, supported_operators(), 1)
                hint = f" (did you mean {similar[0]}?)" if similar else ""
                reason = f"pyhades has no such operator{hint}; export the model without it"
            raise UnsupportedOperatorError(f"{where}: {reason}")
        return translate

    def _read(self, name: str, where: str) -> Value | None:
        if not name:
            return None
        if name not in self._values:
            raise ModelError(f"{where} reads {name!r}, which no earlier node makes")
        return self._values[name]

    def _name_results(self, results: list[Value], names: list[str], where: str) -> None:
        for value, name in zip(results, names, strict=True):
            if not name:
                continue  # an output in the middle that the file leaves out
            value.name = name
            self._define(value, f"{where}: output")

    def _outputs(self, record: Record) -> list[Value]:
        outputs = [self._output(info) for info in record["outputs"]]
        if not outputs:
            raise self._error("the graph has no outputs")
        return outputs

    def _output(self, info: Record) -> Value:
        name = info["name"] or ""
        value = self._values.get(name)
        if value is None:
            raise self._error(f"graph output {name!r} is made by no node")
        declared = self._declared(info, "output")
        if declared is None or value.type is None:
            value.type = value.type or declared
        elif value.type.dtype != declared.dtype:
            raise ShapeError(
                f"{self._source}: output {name!r} is declared {declared} but computed {value.type}"
            )
        else:
            value.type = TensorType(declared.dtype, _known_extents(value.type, declared))
        return value


def _known_extents(computed: TensorType, declared: TensorType) -> tuple[Dim, ...] | None:
    """What was computed, and where nothing was, what the file declares."""
    if computed.shape is None or declared.shape is None:
        return declared.shape if computed.shape is None else computed.shape
    if len(computed.shape) != len(declared.shape):
        return computed.shape
    pairs = zip(computed.shape, declared.shape, strict=True)
    return tuple(said if have == UNKNOWN else have for have, said in pairs)
