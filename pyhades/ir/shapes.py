"""Vocabulary of the shape rules: what is known of a node's inputs, and saying what is wrong.

An unknown extent is a string. A name (``"batch"``) equals itself; :data:`UNKNOWN` equals nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from pyhades.errors import ShapeError
from pyhades.ir.graph import Dim, Node, Value

Shape = tuple[Dim, ...]

UNKNOWN = "?"
"""An extent of which nothing is known, not even a name."""


class UnknownShape(Exception):
    """A shape rule needs a rank, an extent or a constant that is not known yet."""


def fail(node: Node, problem: str) -> NoReturn:
    """Raise a ShapeError that names the node and its inputs."""
    inputs = ", ".join("_" if value is None else repr(value) for value in node.inputs)
    label = f"{node.op} '{node.name}'" if node.name else node.op
    raise ShapeError(f"{label} ({inputs}): {problem}")


def shape(value: Value) -> tuple[int, ...]:
    """The static shape of a value."""
    assert value.type is not None
    return value.type.static_shape


def shape_of(node: Node, index: int) -> Shape:
    """Shape of input ``index``; UnknownShape where not even the rank is known."""
    value = node.inputs[index]
    if value is None or value.type is None or value.type.shape is None:
        raise UnknownShape
    return value.type.shape


def rank_of(node: Node, index: int) -> int:
    """Rank of input ``index``."""
    return len(shape_of(node, index))


def constant_of(node: Node, index: int) -> np.ndarray[Any, Any] | None:
    """Data of input ``index``: None where it was omitted, UnknownShape where it is not constant."""
    value = node.input(index)
    if value is None:
        return None
    if value.data is None:
        raise UnknownShape
    return value.data


def integers_of(node: Node, index: int) -> list[int] | None:
    """Constant input ``index`` as Python integers; None where it was omitted."""
    data = constant_of(node, index)
    return None if data is None else [int(number) for number in data.reshape(-1)]


def normalize_axis(node: Node, axis: int, rank: int) -> int:
    """``axis`` counted from the front; ShapeError where it is outside ``[-rank, rank)``."""
    if not -rank <= axis < rank:
        fail(node, f"axis {axis} is outside [{-rank}, {rank}) for a tensor of rank {rank}")
    return axis + rank if axis < 0 else axis


def normalize_axes(node: Node, axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """``axes`` counted from the front, each at most once."""
    normal = tuple(normalize_axis(node, int(axis), rank) for axis in axes)
    if len(set(normal)) != len(normal):
        fail(node, f"axes {list(axes)} name an axis twice")
    return normal


def known_equal(a: Dim, b: Dim) -> bool:
    """Whether two extents are certainly equal."""
    return a == b and a != UNKNOWN


def agree(node: Node, a: Dim, b: Dim, what: str) -> Dim:
    """The common extent of two that have to be equal; ShapeError where they certainly differ."""
    if isinstance(a, int) and isinstance(b, int) and a != b:
        fail(node, f"{what} differ: {a} and {b}")
    return a if isinstance(a, int) or b == UNKNOWN else b


def _broadcast_dim(node: Node, a: Dim, b: Dim) -> Dim:
    if known_equal(a, b) or b == 1:
        return a
    if a == 1:
        return b
    if isinstance(a, int) and isinstance(b, int):
        fail(node, f"extents {a} and {b} do not broadcast")
    if isinstance(a, int):
        return a
    return b if isinstance(b, int) else UNKNOWN


def broadcast(node: Node, *shapes: Shape) -> Shape:
    """Shape that results from broadcasting ``shapes`` together by NumPy's rules."""
    rank = max(len(shape) for shape in shapes)
    result: Shape = (1,) * rank
    for shape in shapes:
        padded = (1,) * (rank - len(shape)) + tuple(shape)
        result = tuple(_broadcast_dim(node, a, b) for a, b in zip(result, padded, strict=True))
    return result


def require_broadcast_to(node: Node, own: Shape, target: Shape, what: str) -> None:
    """Refuse a shape that does not broadcast one way, to ``target``."""
    if len(own) > len(target):
        fail(node, f"{what} have rank {len(own)}, x has rank {len(target)}")
    for extent, wanted in zip(reversed(own), reversed(target), strict=False):
        if extent != 1:
            agree(node, extent, wanted, f"extents of {what} and of x")


def product(dims: Sequence[Dim]) -> Dim:
    """Product of extents: UNKNOWN where one is unknown and none is zero."""
    numbers = [dim for dim in dims if isinstance(dim, int)]
    if len(numbers) == len(dims) or 0 in numbers:
        return math.prod(numbers)
    if len(dims) - len(numbers) == 1 and math.prod(numbers) == 1:
        return next(dim for dim in dims if isinstance(dim, str))
    return UNKNOWN


def concrete(dims: Sequence[Dim]) -> tuple[int, ...]:
    """``dims`` as integers; UnknownShape where one is a string."""
    numbers = tuple(dim for dim in dims if isinstance(dim, int))
    if len(numbers) != len(dims):
        raise UnknownShape
    return numbers
