"""An ONNX file becomes a :class:`~pyhades.ir.graph.Graph` in the IR's newest-opset spelling."""

from __future__ import annotations

from pathlib import Path

from pyhades.errors import ModelError
from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Graph, Value
from pyhades.onnx.body import Body, ModelFile
from pyhades.onnx.elements import BFLOAT16, ELEMENTS
from pyhades.onnx.functions import Functions
from pyhades.onnx.opsets import Opsets
from pyhades.onnx.schema import MODEL
from pyhades.onnx.scope import Scope
from pyhades.onnx.source import ModelSource, open_model
from pyhades.onnx.tensors import TensorDecoder
from pyhades.onnx.wire import Record, WireReader


def load_onnx(model: ModelSource) -> Graph:
    """Read an ONNX model.

    A file is mapped, not read: constants of the graph are read-only views into it, which may be
    unaligned, so leave the file in place and unchanged while the graph is in use. What the file
    calls bfloat16 is float32 that is rounded to bfloat16 wherever the file's operators round.
    Initializers are constants even where the file also lists them as inputs.

    Parameters
    ----------
    model
        Path of the file (``~`` is the home folder), its bytes, a binary file object, or an
        ``onnx.ModelProto``. External data is found beside a path.

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
    >>> load_onnx(b"<!DOCTYPE html>")
    Traceback (most recent call last):
        ...
    pyhades.errors.ModelError: <bytes>: this is an HTML page: the download gave a web page ...
    """
    return _read(model)


def load_foreign(model: ModelSource) -> Graph:
    """Read an ONNX model that another engine runs.

    Nodes that :func:`load_onnx` refuses are kept under names with ``::``. Such a graph says how the
    network is fed and what it gives; nothing here can run it.
    """
    return _read(model, takes_foreign=True)


def _read(model: ModelSource, takes_foreign: bool = False) -> Graph:
    opened = open_model(model)
    try:
        record = WireReader(opened.data, opened.label).read(MODEL)
        if record["graph"] is None:
            raise ModelError(f"{opened.label}: there is no graph in it; this is not an ONNX model")
    except ModelError as error:
        raise opened.failure(error) from None
    return _Importer(record, opened.label, opened.path, takes_foreign).graph()


class _Importer:
    def __init__(self, model: Record, source: str, path: Path | None, takes_foreign: bool) -> None:
        self._source = source
        self._path = path
        self._model = model
        self._takes_foreign = takes_foreign

    def graph(self) -> Graph:
        """Translate the model."""
        record = self._model["graph"]
        file = ModelFile(
            self._source,
            TensorDecoder(self._path),
            Functions(self._model["functions"], self._source),
            takes_foreign=self._takes_foreign,
        )
        opsets = Opsets(self._model["opsets"], self._source)
        body = Body(file, GraphBuilder(), Scope(), opsets)
        body.add_initializers(record)
        inputs = self._add_inputs(record, body)
        body.add_nodes(record["nodes"])
        outputs = [body.output(info) for info in record["outputs"]]
        if not outputs:
            raise self._error("the graph has no outputs")
        return Graph(
            inputs,
            outputs,
            body.builder.nodes,
            name=record["name"] or "graph",
            source=None if self._path is None else self._source,
            metadata={
                entry["key"] or "": entry["value"] or "" for entry in self._model["metadata"]
            },
        )

    @staticmethod
    def _on_grid(value: Value, body: Body) -> Value:
        """What the nodes see of an input: a caller may feed float32 for bfloat16."""
        if body.file.elements.of(value) is not BFLOAT16:
            return value
        body.builder.scope(value.name)
        rounded = body.builder.one("RoundBFloat16", value)
        body.file.elements.mark(rounded, BFLOAT16)
        return rounded

    def _error(self, problem: str) -> ModelError:
        return ModelError(f"{self._source}: {problem}")

    def _add_inputs(self, record: Record, body: Body) -> list[Value]:
        inputs = []
        for info in record["inputs"]:
            name = info["name"] or ""
            initial = body.scope.local(name)
            if initial is not None and initial.is_constant:
                continue  # the initializer is the default value of this input, and we keep to it
            value = Value(name, body.declared(info, "input"))
            if value.type is None:
                raise self._error(f"input {name!r} has no type")
            body.file.elements.mark(value, ELEMENTS[info["type"]["tensor"]["element"]])
            inputs.append(value)
            body.define(name, self._on_grid(value, body), "input")
        return inputs
