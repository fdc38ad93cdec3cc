"""Sizes that data ask for, and no machine has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache

from pyhades.compiler.view import Array
from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant, infer_node
from pyhades.ir.registry import elements, operator
from pyhades.ir.shapes import fail


def refuse_giants(node: Node, inputs: Sequence[Array | None]) -> None:
    """Raise ShapeError where the numbers in ``inputs`` ask for more memory than there is.

    NumPy would be given the address space, and the process be killed when it fills it.
    """
    if not operator(node.op).deciding:
        return
    values = [None if x is None else constant(f"input{i}", x) for i, x in enumerate(inputs)]
    outputs = [Value(value.name) for value in node.outputs]
    probe = Node(node.op, list(values), outputs, node.attributes, node.name)
    infer_node(probe)
    for value in outputs:
        kind = value.type
        if kind is None or not kind.is_static:
            continue
        if elements(kind) * kind.dtype.itemsize > _memory():
            fail(node, f"the numbers in its inputs ask for {kind}, more than the memory there is")


@cache
def _memory() -> int:
    """Bytes of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
