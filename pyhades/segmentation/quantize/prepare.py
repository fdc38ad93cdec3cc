"""A float network in standard operators of float32, ready for grids on its edges.

What is fused here can still be written as ONNX: constants are folded, BatchNormalization is part of
the convolution before it, and arithmetic of 16 bits is that of 32.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pyhades.errors import ArgumentError
from pyhades.ir.graph import Graph, Node, TensorType, Value
from pyhades.ir.inference import constant
from pyhades.passes import eliminate, fold_batch_norm, fold_constants, is_quantised
from pyhades.passes.rewriting import Rewrite, clone

_HALF, _FULL = np.dtype(np.float16), np.dtype(np.float32)
_ROUNDINGS = ("RoundFloat16", "RoundBFloat16")


def prepare(graph: Graph, output: str | None = None) -> Graph:
    """The network in float32, folded; extents that are open stay open.

    Parameters
    ----------
    graph
        What :func:`pyhades.load_onnx` returns. It is not changed.
    output
        Keep only what this output needs; None for all.

    Raises
    ------
    ArgumentError
        The network is quantised already.
    """
    if is_quantised(graph):
        raise ArgumentError(
            f"{graph.source or graph.name} is quantised already; give the float network, or run "
            "the file as it is"
        )
    result = _in_float32(clone(graph))
    if output is not None:
        result.outputs = [value for value in result.outputs if value.name == output]
    folded = eliminate(fold_constants(result, partly=True))
    return named_apart(_spelled_out(fold_batch_norm(folded)))


def _in_float32(graph: Graph) -> Graph:
    """Numbers of 16 bits become float32; inputs and outputs stay as they are."""
    wide: list[Node] = []
    renamed: dict[Value, Value] = {}
    for value in graph.inputs:
        if value.type is not None and value.type.dtype == _HALF:
            inside = Value(f"{value.name}.float32", replace(value.type, dtype=_FULL))
            wide.append(Node("Cast", [value], [inside], {"to": _FULL}, inside.name))
            renamed[value] = inside
    outputs = [value.type for value in graph.outputs]
    for node in graph.nodes:
        node.inputs = [None if v is None else renamed.get(v, v) for v in node.inputs]
        _widen(node)
    graph.nodes = wide + graph.nodes
    for value in graph.values():
        if value not in graph.inputs and value.type is not None and value.type.dtype == _HALF:
            value.type = TensorType(_FULL, value.type.shape)
            if value.data is not None:
                value.data = value.data.astype(_FULL)
    for index, (value, kind) in enumerate(zip(graph.outputs, outputs, strict=True)):
        if kind is not None and kind.dtype == _HALF:
            outside = Value(value.name, kind)
            value.name = f"{value.name}.float32"
            graph.nodes.append(Node("Cast", [value], [outside], {"to": _HALF}, outside.name))
            graph.outputs[index] = outside
    return graph


def _widen(node: Node) -> None:
    """Attributes that name float16; a rounding to 16 bits leaves numbers as they are."""
    if node.op in _ROUNDINGS:
        node.op, node.attributes = "Identity", {}
    for name, item in node.attributes.items():
        if isinstance(item, np.dtype) and item == _HALF:
            node.attributes[name] = _FULL
        elif isinstance(item, np.ndarray) and item.dtype == _HALF:
            node.attributes[name] = item.astype(_FULL)


def _spelled_out(graph: Graph) -> Graph:
    """A ScaleShift, which ONNX has not, as a product and a sum."""
    rewrite = Rewrite(graph)
    for node in rewrite.nodes:
        if node.op != "ScaleShift":
            continue
        x, scale, shift = rewrite.inputs(node)
        assert x is not None and x.type is not None and x.type.shape is not None
        column = (-1, *[1] * (len(x.type.shape) - 2))
        name = node.outputs[0].name
        factors = []
        for value, what in ((scale, "scale"), (shift, "shift")):
            assert value is not None and value.data is not None
            factors.append(constant(f"{name}.{what}.column", value.data.reshape(column)))
        product = rewrite.new("Mul", [x, factors[0]], f"{name}.scaled", node)
        rewrite.replace(node, "Add", [product, factors[1]])
    return rewrite.finish()


def named_apart(graph: Graph) -> Graph:
    """Names that differ: statistics are kept, and files written, by name."""
    taken = {value.name for value in (*graph.inputs, *graph.outputs)}
    fixed = {*graph.inputs, *graph.outputs}
    for index, value in enumerate(v for v in graph.values() if v not in fixed):
        if value.name in taken or not value.name:
            value.name = f"{value.name}#{index}"
        taken.add(value.name)
    return graph
