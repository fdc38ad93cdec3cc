"""Small graphs for tests, written in one line each, and random data for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.ir.graph import Graph, Node, TensorType, Value
from pyhades.ir.inference import constant, infer_types

Array = np.ndarray[Any, Any]


class Builder:
    """Collects nodes; every method returns the value that it makes."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.inputs: list[Value] = []
        self.nodes: list[Node] = []

    def input(self, *shape: int | str, dtype: Any = np.float32) -> Value:
        value = Value(f"x{len(self.inputs)}", TensorType(np.dtype(dtype), shape))
        self.inputs.append(value)
        return value

    def weight(self, *shape: int, scale: float = 1.0) -> Value:
        data = (self.random.standard_normal(shape) * scale).astype(np.float32)
        return constant(f"w{self.random.integers(1 << 40)}", data)

    def const(self, data: Any, dtype: Any = np.float32) -> Value:
        return constant(f"c{self.random.integers(1 << 40)}", np.asarray(data, dtype))

    def ints(self, *numbers: int) -> Value:
        return self.const(numbers, np.int64)

    def op(self, name: str, *inputs: Value | None, outputs: int = 1, **attributes: Any) -> Any:
        number = len(self.nodes)
        values = [
            Value(f"{name.lower()}{number}.{i}" if i else f"{name.lower()}{number}")
            for i in range(outputs)
        ]
        self.nodes.append(Node(name, list(inputs), values, attributes, f"node{number}"))
        return values[0] if outputs == 1 else values

    def graph(self, *outputs: Value) -> Graph:
        graph = Graph(self.inputs, list(outputs), self.nodes, "test")
        infer_types(graph)
        return graph


def feeds_for(graph: Graph, seed: int = 0, shapes: dict[str, tuple[int, ...]] | None = None):
    """Random inputs of ``graph``."""
    random = np.random.default_rng(seed)
    feeds = {}
    for value in graph.inputs:
        shape = (shapes or {}).get(value.name) or value.type.static_shape
        dtype = value.type.dtype
        if dtype.kind == "f":
            feeds[value.name] = random.standard_normal(shape).astype(dtype)
        elif dtype == np.bool_:
            feeds[value.name] = random.random(shape) < 0.5
        else:
            feeds[value.name] = random.integers(-5 if dtype.kind == "i" else 0, 6, shape).astype(
                dtype
            )
    return feeds
