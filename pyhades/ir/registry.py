"""What the IR knows of each operator: its signature, shape rule, NumPy reference and cost.

An operator is one instance of :class:`Operator` in :mod:`pyhades.ir.ops`. The references are the
specification of the kernels, the constant folder and, strung together, the interpreter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from pyhades.errors import UnsupportedOperatorError
from pyhades.ir.graph import Node, TensorType
from pyhades.ir.shapes import Shape, UnknownShape, fail
from pyhades.ir.signature import DType, Signature

Array = np.ndarray[Any, Any]

LARGEST_TENSOR = 1 << 44
"""Bytes."""

_OPERATORS: dict[str, Operator] = {}


class Cost(NamedTuple):
    """Work of a node: floating-point operations (a multiply-add is two) and bytes moved."""

    flops: int
    bytes: int


class Operator:
    """One IR operator. Subclasses give the shape rule and the reference.

    Parameters
    ----------
    name
        ONNX name, or a name of our own for a fused operator.
    signature
        dtypes in the notation of :mod:`pyhades.ir.signature`.
    defaults
        Every attribute that the operator knows, with its default (None: absent or computed).
    """

    flops_per_element = 1
    deciding: tuple[int, ...] = ()
    """Inputs whose values must be known before a kernel is chosen; most decide a shape."""
    sizes_depend_on_data = False
    """Whether its sizes are known only when it has run, whatever is known of its inputs."""

    def __init__(self, name: str, signature: str, **defaults: Any) -> None:
        self.name = name
        self.signature = Signature.parse(signature)
        self.defaults: Mapping[str, Any] = defaults

    def shapes(self, node: Node) -> list[Shape]:
        """Shape of each output. May raise UnknownShape; ``infer`` turns that into shape None."""
        raise NotImplementedError

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        """Compute the outputs by NumPy. An omitted input is None."""
        raise NotImplementedError

    def dtypes(self, node: Node) -> list[DType]:
        """Dtype of each output whose signature says ``*``."""
        raise NotImplementedError

    def flops(self, node: Node) -> int:
        """Floating-point operations; the default is a constant per output element."""
        return self.flops_per_element * elements(node.outputs[0].type)

    def infer(self, node: Node) -> list[TensorType]:
        """Types of the outputs from those of the inputs.

        Raises
        ------
        ShapeError
            Inputs do not fit the operator or each other; the message names the node.
        UnknownShape
            The dtype of an input is not known.
        """
        dtypes = self.signature.output_dtypes(node, self.signature.bind(node))
        if any(dtype is None for dtype in dtypes):
            dtypes = list(self.dtypes(node))
        try:
            shapes: list[Shape | None] = list(self.shapes(node))
        except UnknownShape:
            shapes = [None] * len(node.outputs)
        pairs = zip(dtypes, shapes[: len(node.outputs)], strict=True)
        kinds = [TensorType(dtype, shape) for dtype, shape in pairs if dtype is not None]
        for kind in kinds:
            if kind.is_static and not fits_in_memory(kind):
                fail(node, f"the result {kind} is larger than any memory")
        return kinds

    def cost(self, node: Node) -> Cost:
        """Cost of ``node``, whose types must be static."""
        values = [value for value in [*node.inputs, *node.outputs] if value is not None]
        moved = sum(elements(v.type) * v.type.dtype.itemsize for v in values if v.type is not None)
        return Cost(self.flops(node), moved)


AnyOperator = TypeVar("AnyOperator", bound=type[Operator])


def elements(kind: TensorType | None) -> int:
    """Number of elements of a static type."""
    return 0 if kind is None else math.prod(kind.static_shape)


def fits_in_memory(kind: TensorType) -> bool:
    """Whether a static type is of a size that a machine may have; damaged files ask for others."""
    return elements(kind) * kind.dtype.itemsize <= LARGEST_TENSOR


def register(*operators: Operator) -> None:
    """Add operators to the registry; a name may be taken once."""
    for operator_ in operators:
        if operator_.name in _OPERATORS:
            raise ValueError(f"IR operator {operator_.name} is registered twice")
        _OPERATORS[operator_.name] = operator_


def ir_op(name: str, signature: str, **defaults: Any) -> Callable[[AnyOperator], AnyOperator]:
    """Class decorator: register one instance of an Operator subclass."""

    def decorate(cls: AnyOperator) -> AnyOperator:
        register(cls(name, signature, **defaults))
        return cls

    return decorate


def operator(name: str) -> Operator:
    """The IR operator called ``name``; UnsupportedOperatorError where there is none."""
    import pyhades.ir.ops  # noqa: F401  (fills the registry)

    try:
        return _OPERATORS[name]
    except KeyError:
        raise UnsupportedOperatorError(f"pyhades has no IR operator {name}") from None


def operators() -> Iterable[str]:
    """Names of all IR operators, sorted."""
    import pyhades.ir.ops  # noqa: F401

    return sorted(_OPERATORS)


def attribute(node: Node, name: str) -> Any:
    """Attribute ``name`` of ``node``, or its default.

    Examples
    --------
    >>> from pyhades.ir.graph import Node
    >>> attribute(Node("Flatten", [], []), "axis")
    1
    """
    if name in node.attributes:
        return node.attributes[name]
    return operator(node.op).defaults[name]
