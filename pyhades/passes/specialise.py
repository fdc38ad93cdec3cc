"""Fix the shapes of the graph inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyhades.errors import ArgumentError, ShapeError
from pyhades.ir.copying import clone
from pyhades.ir.graph import Graph, TensorType, Value
from pyhades.ir.registry import fits_in_memory


def specialise(graph: Graph, input_shapes: Mapping[str, Sequence[int]] | None = None) -> Graph:
    """Replace unknown extents of the inputs by the numbers in ``input_shapes``.

    Parameters
    ----------
    graph
        Any graph.
    input_shapes
        Shape per input name; only inputs with unknown extents need one. A shape may also change
        extents that the graph knows, which most networks survive.

    Raises
    ------
    ArgumentError
        A name is no input of the graph, or a shape has extents that are no positive integers.
    ShapeError
        A shape has the wrong rank, or an input with unknown extents has none.
    """
    shapes = dict(input_shapes or {})
    result = clone(graph)
    known = [value.name for value in result.inputs]
    for name in shapes:
        if name not in known:
            raise ArgumentError(
                f"input_shapes names {name!r}, which is no input of {graph.name}; "
                f"its inputs are {', '.join(known)}"
            )
    for value in result.inputs:
        value.type = _bound(value, shapes.get(value.name))
        if not fits_in_memory(value.type):
            raise ShapeError(f"input {value.name} of type {value.type} is larger than any memory")
    # Results are inferred again from the new shapes; dtypes stay as declared until then.
    for node in result.nodes:
        for value in node.outputs:
            value.type = None
    return result


def _bound(value: Value, shape: Sequence[int] | None) -> TensorType:
    kind = value.type
    if kind is None:
        raise ShapeError(f"input {value.name} has no dtype")
    if shape is None:
        if not kind.is_static:
            raise ShapeError(
                f"input {value.name} has the type {kind}, whose extents are not all numbers; "
                f"say input_shapes={{{value.name!r}: (...)}}"
            )
        return kind
    extents = tuple(int(extent) for extent in shape)
    if any(extent < 0 for extent in extents):
        raise ArgumentError(f"input_shapes[{value.name!r}] = {extents} has a negative extent")
    if kind.shape is not None and len(kind.shape) != len(extents):
        raise ShapeError(
            f"input {value.name} has the type {kind}, input_shapes gives it rank {len(extents)}"
        )
    return TensorType(kind.dtype, extents)
