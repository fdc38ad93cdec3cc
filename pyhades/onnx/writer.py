"""Write a graph as an ONNX file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from pyhades.errors import ArgumentError
from pyhades.ir.graph import Graph, Node, TensorType, Value
from pyhades.onnx.elements import onnx_dtype
from pyhades.onnx.schema import MODEL
from pyhades.onnx.translate import as_it_is, translator
from pyhades.onnx.wire import Chunks, Record, encode

_PRODUCER = "pyhades"
_IR_VERSION_BY_OPSET = {20: 9, 21: 10, 23: 11, 24: 11, 25: 12, 26: 13}


def onnx_chunks(graph: Graph, opset: int = 18) -> Chunks:
    """The bytes of ``graph`` as an ONNX model, in pieces; constants are referenced, not copied.

    Raises
    ------
    ArgumentError
        ``opset`` does not spell an operator of the graph as the IR does, or a value has no type.
    """
    taken: set[str] = set()
    constants = [value for value in graph.values() if value.data is not None]
    record: Record = {
        "ir_version": _ir_version(opset),
        "producer_name": _PRODUCER,
        "graph": {
            "nodes": [_node(node, opset, taken) for node in graph.nodes],
            "name": graph.name,
            "initializers": [_tensor(value.data, value.name) for value in constants],
            "inputs": [_value_info(value) for value in graph.inputs],
            "outputs": [_value_info(value) for value in graph.outputs],
        },
        "opsets": [{"domain": "", "version": opset}],
        "metadata": [{"key": key, "value": value} for key, value in graph.metadata.items()],
    }
    return encode(record, MODEL)


def save_onnx(graph: Graph, path: str | os.PathLike[str], opset: int = 18) -> None:
    """Write ``graph`` to ``path``.

    Parameters
    ----------
    graph
        Inputs and outputs must be typed.
    path
        File to write or overwrite.
    opset
        The ONNX opset to declare; it must spell the operators of the graph as the IR does.

    Raises
    ------
    ArgumentError
        An operator of the graph is spelled differently in that opset.

    Examples
    --------
    >>> import tempfile, pyhades
    >>> from pyhades.networks import u2net
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_onnx(u2net(64, small=True), f"{folder}/u2netp.onnx")
    ...     pyhades.load_onnx(f"{folder}/u2netp.onnx").name
    'u2netp'
    """
    target = Path(path)
    # A file that is there may be mapped, by this very graph: it is replaced and not written into.
    part = target.with_name(f".{target.name}.{os.getpid()}.part") if target.is_file() else target
    try:
        with part.open("wb") as file:
            file.writelines(onnx_chunks(graph, opset))
        if part is not target:
            part.replace(target)
    except BaseException:
        if part is not target:
            part.unlink(missing_ok=True)
        raise


def _ir_version(opset: int) -> int:
    return max((ir for since, ir in _IR_VERSION_BY_OPSET.items() if since <= opset), default=8)


def _node(node: Node, opset: int, taken: set[str]) -> Record:
    # The importer's own table knows which opsets spell an operator as the IR does.
    spelled_alike = node.op in _SPELLED_BY_HAND or translator(node.op, opset) is as_it_is
    if not spelled_alike:
        raise ArgumentError(f"operator {node.op} cannot be written as it is in opset {opset}")
    # Several nodes may come from one; readers want node names to differ.
    named_before = node.name in taken
    taken.add(node.name)
    return {
        "inputs": ["" if value is None else value.name for value in node.inputs],
        "outputs": [value.name for value in node.outputs],
        "name": node.outputs[0].name if named_before else node.name,
        "op_type": node.op,
        "attributes": [_attribute(name, value) for name, value in node.attributes.items()],
    }


_SPELLED_BY_HAND = (
    *("BatchNormalization", "Cast", "CastLike", "Resize", "Constant"),
    *("QuantizeLinear", "DequantizeLinear"),
)
"""Operators whose translators only check or tidy up what newer opsets have too."""


def _attribute(name: str, value: Any) -> Record:
    if isinstance(value, np.dtype):
        return {"name": name, "i": onnx_dtype(value), "type": 2}
    if isinstance(value, np.ndarray):
        return {"name": name, "t": _tensor(value, ""), "type": 4}
    if isinstance(value, str):
        return {"name": name, "s": value.encode(), "type": 3}
    if isinstance(value, float):
        return {"name": name, "f": value, "type": 1}
    if isinstance(value, int | np.integer):
        return {"name": name, "i": int(value), "type": 2}
    items = list(value)
    if items and isinstance(items[0], float):
        return {"name": name, "floats": items, "type": 6}
    if items and isinstance(items[0], str):
        return {"name": name, "strings": [item.encode() for item in items], "type": 8}
    return {"name": name, "ints": items, "type": 7}


def _tensor(data: np.ndarray[Any, Any] | None, name: str) -> Record:
    assert data is not None
    raw = np.ascontiguousarray(data)
    return {
        "dims": list(data.shape),
        "data_type": onnx_dtype(data.dtype),
        "name": name,
        "raw_data": raw.reshape(-1).view(np.uint8).data,
    }


def _value_info(value: Value) -> Record:
    if value.type is None:
        raise ArgumentError(f"value {value.name!r} has no type; run infer_types first")
    return {"name": value.name, "type": {"tensor": _tensor_type(value.type)}}


def _tensor_type(kind: TensorType) -> Record:
    element = onnx_dtype(kind.dtype)
    if kind.shape is None:
        return {"element": element}
    dims = [{"value": dim} if isinstance(dim, int) else {"parameter": dim} for dim in kind.shape]
    return {"element": element, "shape": {"dims": dims}}
