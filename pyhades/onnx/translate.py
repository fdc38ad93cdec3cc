"""How ONNX operators become IR operators: the registry behind ``@onnx_op`` and what it hands out.

The IR speaks the newest opset, so most operators pass through as they are; a translator is needed
only where an older opset spells something differently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyhades.errors import ModelError, UnsupportedOperatorError
from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.ir.registry import operator
from pyhades.ir.shapes import Shape
from pyhades.onnx.elements import Element, ElementTable

NEWEST_OPSET = 28
"""The newest opset whose operators we know (that of onnx 1.23)."""

OLDEST_OPSET = 7
"""The first opset whose element-wise operators broadcast as they do today."""

MICROSOFT = "com.microsoft"
"""The domain of the operators that onnxruntime adds."""

DEFAULT = ""
"""The domain of ONNX itself, which some files spell ``ai.onnx``."""


@dataclass
class OnnxNode:
    """A node as the file has it, inputs resolved; an omitted input is None."""

    op: str
    name: str
    inputs: list[Value | None]
    output_names: list[str]
    attributes: dict[str, Any]
    opset: int
    """The version of the domain that the operator is from."""
    where: str
    """File and node, to begin an error message with."""
    domain: str = DEFAULT
    elements: ElementTable = field(default_factory=ElementTable)
    attribute_elements: dict[str, Element] = field(default_factory=dict)
    """The element type in the file of each attribute that is a tensor."""

    def input(self, index: int) -> Value:
        """Input ``index``, which must be present."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            raise ModelError(f"{self.where}: input {index} is missing")
        return value

    def optional(self, index: int) -> Value | None:
        """Input ``index`` or None."""
        return self.inputs[index] if index < len(self.inputs) else None

    def dtype(self, index: int) -> np.dtype[Any]:
        """The dtype of input ``index``, which must be known."""
        kind = self.input(index).type
        if kind is None:
            raise UnsupportedOperatorError(f"{self.where}: the dtype of input {index} is unknown")
        return kind.dtype

    def shape(self, index: int) -> Shape | None:
        """The shape of input ``index``; None where not even the rank is known."""
        kind = self.input(index).type
        return None if kind is None else kind.shape

    def element(self, index: int) -> Element:
        """What the file calls the type of input ``index``: int4, say, where we have int8."""
        kind = self.elements.of(self.input(index))
        if kind is None:
            raise UnsupportedOperatorError(f"{self.where}: the dtype of input {index} is unknown")
        return kind

    def unsupported(self, problem: str) -> UnsupportedOperatorError:
        """The exception to raise for something that pyhades does not do."""
        return UnsupportedOperatorError(f"{self.where}: {problem}")


Translator = Callable[[OnnxNode, GraphBuilder], list[Value]]

_TRANSLATORS: dict[str, dict[str, dict[int, Translator]]] = {}
"""By domain, operator and the version of the domain that it is spelled so since."""


def onnx_op(*names: str, since: int, domain: str = DEFAULT) -> Callable[[Translator], Translator]:
    """Decorator: translate operators ``names`` from opset ``since`` up to the next registration.

    Examples
    --------
    >>> @onnx_op("Twice", since=1, domain="com.acme")
    ... def twice(node, graph):
    ...     return [graph.one("Add", node.input(0), node.input(0))]
    >>> translator("Twice", 9, "com.acme") is twice
    True
    """

    def decorate(function: Translator) -> Translator:
        table = _TRANSLATORS.setdefault(domain, {})
        for name in names:
            if since in table.setdefault(name, {}):
                raise ValueError(f"{domain}.{name} since opset {since} is registered twice")
            table[name][since] = function
        return function

    return decorate


def as_it_is(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The translator of operators that the IR spells alike."""
    known = operator(node.op).defaults
    for name in node.attributes:
        if name not in known:
            raise ModelError(f"{node.where}: {node.op} has no attribute {name!r}")
        _check_kind(node, name, known[name])
    return graph.emit(node.op, node.inputs, node.attributes, len(node.output_names))


_KINDS: dict[type, tuple[type, ...]] = {int: (int,), float: (float, int), str: (str,)}


def _check_kind(node: OnnxNode, name: str, default: Any) -> None:
    """Refuse a text where a number belongs, as damaged files have it."""
    kinds = _KINDS.get(type(default))
    if kinds is not None and not isinstance(node.attributes[name], kinds):
        found = type(node.attributes[name]).__name__
        raise ModelError(f"{node.where}: attribute {name!r} is {found}, not {kinds[0].__name__}")


def same(*names: str, since: int = 1, domain: str = DEFAULT) -> None:
    """Register operators that the IR spells as ONNX does from opset ``since`` on."""
    onnx_op(*names, since=since, domain=domain)(as_it_is)


def translator(op: str, opset: int, domain: str = DEFAULT) -> Translator | None:
    """The translator of ``op`` in ``opset`` of ``domain``; None where there is none.

    Raises
    ------
    ModelError
        The operator exists, but not yet in ``opset``.
    """
    import pyhades.onnx.ops  # noqa: F401  (fills the registry)

    versions = _TRANSLATORS.get(domain, {}).get(op)
    if versions is None:
        return None
    usable = [since for since in versions if since <= opset]
    if not usable:
        raise ModelError(f"operator {op} exists since opset {min(versions)}, the file says {opset}")
    return versions[max(usable)]


def supported_domains() -> list[str]:
    """Domains with operators that can be imported."""
    import pyhades.onnx.ops  # noqa: F401

    return sorted(_TRANSLATORS)


def supported_operators(domain: str = DEFAULT) -> list[str]:
    """Names of the operators of ``domain`` that can be imported."""
    import pyhades.onnx.ops  # noqa: F401

    return sorted(_TRANSLATORS.get(domain, {}))
