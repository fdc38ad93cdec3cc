"""What a graph does to the picture first, and so what it wants to be fed.

A network that subtracts means and divides by 255 itself must not be fed numbers that were
normalised before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyhades.engines.feeding import InputPlan
from pyhades.ir.graph import Graph, Node, Value
from pyhades.segmentation.manifest import IMAGENET_MEAN, IMAGENET_STD
from pyhades.segmentation.meaning.facts import LARGEST_CONSTANT

_PASSING = {"Cast", "Transpose", "Identity", "Resize", "Reshape", "Unsqueeze", "Squeeze", "Pad"}
_PASSING |= {"FakeQuantize", "Gather", "Split", "Slice", "Concat"}
_AFFINE = {"Sub", "Add", "Mul", "Div"}

LARGEST_OF_UNITS = 0.05
"""A factor below this, or a mean above 2, belongs to numbers of 0..255."""
LARGEST_MEAN = 2.0
LIMIT = 64
"""Nodes looked at."""


@dataclass(frozen=True)
class Preparation:
    """Fields of a manifest, and why."""

    fields: dict[str, Any] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()


def read_preparation(graph: Graph, plan: InputPlan) -> Preparation:
    """Guess how the picture is to be normalised."""
    bytes_wanted = {"mean": 0.0, "std": 1 / 255}
    if plan.dtype.kind in "iu":
        text = f"the input holds {plan.dtype.name}, so it is fed 0..255"
        return Preparation(bytes_wanted, (text,))
    nodes = _first_arithmetic(graph, plan.picture)
    if nodes:
        factor, largest = _affine(nodes)
        names = ", ".join(dict.fromkeys(node.op for node in nodes))
        if factor < LARGEST_OF_UNITS or largest > LARGEST_MEAN:
            text = f"the graph normalises 0..255 itself ({names}), so it is fed that"
            return Preparation(bytes_wanted, (text,))
        text = f"the graph normalises 0..1 itself ({names}), so it is fed that"
        return Preparation({"mean": 0.0, "std": 1.0}, (text,))
    text = "mean and std are ImageNet's, the most common; the graph does not tell them"
    return Preparation({"mean": IMAGENET_MEAN, "std": IMAGENET_STD}, (text,))


def _first_arithmetic(graph: Graph, name: str) -> list[Node]:
    """Sums and products with constants that the picture goes through before anything else."""
    readers = graph.consumers()
    reached = [value for value in graph.inputs if value.name == name]
    found: list[Node] = []
    for value in reached:
        for node in readers.get(value, [])[:LIMIT]:
            is_affine = node.op in _AFFINE and _constant(node) is not None
            if not is_affine and node.op not in _PASSING:
                continue
            if is_affine:
                found.append(node)
            if len(reached) < LIMIT:
                reached += node.outputs
    return found


def _affine(nodes: list[Node]) -> tuple[float, float]:
    """The product of all factors, and the largest number that is subtracted."""
    factor, largest = 1.0, 0.0
    for node in nodes:
        constant = _constant(node)
        assert constant is not None
        size = float(np.abs(constant).max(initial=0))
        if node.op in ("Sub", "Add"):
            largest = max(largest, size)
        elif size > 0:
            factor *= size if node.op == "Mul" else 1 / size
    return (factor if math.isfinite(factor) else 1.0), largest


def _constant(node: Node) -> np.ndarray[Any, Any] | None:
    """The constant operand, of one number or three."""
    for value in node.inputs[:2]:
        data = _data(value)
        if data is not None and data.size in (1, 3):
            return data
    return None


def _data(value: Value | None) -> np.ndarray[Any, Any] | None:
    if value is None or value.data is None or value.data.size > LARGEST_CONSTANT:
        return None
    return value.data.astype(np.float64)
