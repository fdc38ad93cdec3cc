"""Small float networks from code, whose quantisation meets every kind of edge."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Graph, TensorType, Value

SIDE = 32
FLOAT32 = np.dtype(np.float32)


class Net:
    """Layers with random weights; every result is named after its layer."""

    def __init__(self, seed: int = 0, side: int | str = SIDE) -> None:
        self.rng = np.random.default_rng(seed)
        self.build = GraphBuilder()
        self.x = Value("x", TensorType(FLOAT32, (1, 3, side, side)))

    def array(self, *shape: int, scale: float = 1.0) -> Value:
        return self.build.constant(self.rng.normal(size=shape) * scale, np.float32)

    def conv(self, name: str, x: Value, o: int, k: int = 3, bias: bool = True, **how: Any) -> Value:
        assert x.type is not None and x.type.shape is not None
        c = int(x.type.shape[1]) // how.get("group", 1)
        inputs = [x, self.array(o, c, k, k, scale=(c * k * k) ** -0.5)]
        inputs += [self.array(o, scale=0.1)] if bias else []
        pads = [k // 2 * how.get("dilations", [1])[0]] * 4
        return self.named(name, self.build.one("Conv", *inputs, pads=pads, **how))

    def one(self, op: str, *inputs: Value | None, name: str = "", **how: Any) -> Value:
        return self.named(name, self.build.one(op, *inputs, **how))

    def relu(self, x: Value) -> Value:
        return self.build.one("Relu", x)

    def grown(self, x: Value, factor: float = 2) -> Value:
        scales = self.build.constant([1, 1, factor, factor], np.float32)
        # Other coordinates make points half way between two of a grid, which any engine may round
        # its own way.
        how = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
        return self.build.one("Resize", x, None, scales, **how)

    @staticmethod
    def named(name: str, value: Value) -> Value:
        value.name = name or value.name
        return value

    def graph(self, *outputs: Value, name: str = "net") -> Graph:
        return Graph([self.x], list(outputs), self.build.nodes, name)


def unet(side: int | str = SIDE) -> Graph:
    """First layer, pool, residual sum, Concat over a linear Resize, BatchNormalization, mask."""
    net = Net(side=side)
    first = net.relu(net.conv("first", net.x, 16))
    pooled = net.one("MaxPool", first, kernel_shape=[2, 2], strides=[2, 2])
    deep = net.relu(net.conv("deep", pooled, 16, bias=False))
    again = net.relu(net.conv("again", deep, 16, dilations=[2, 2]))
    added = net.one("Add", again, deep, name="added")
    both = net.one("Concat", net.grown(added), first, axis=1)
    wide = net.conv("wide", both, 16, bias=False)
    ones = np.linspace(0.5, 1.5, 16)
    constants = [net.build.constant(data, np.float32) for data in (ones, ones - 1, ones * 0, ones)]
    normal = net.relu(net.one("BatchNormalization", wide, *constants))
    last = net.conv("last", normal, 1)
    return net.graph(net.named("mask", net.one("Sigmoid", last)))


def transformer() -> Graph:
    """Patches, a LayerNormalization with one loud channel, MatMul, Gelu, MatMul, mask."""
    net = Net(1)
    patches = net.conv("patches", net.x, 16, 1)
    rows = net.build.integers([1, 16, SIDE * SIDE])
    tokens = net.one("Transpose", net.one("Reshape", patches, rows), perm=[0, 2, 1])
    loud = np.ones(16)
    loud[3] = 60
    scale, shift = (net.build.constant(v, np.float32) for v in (loud, loud * 0.1))
    normal = net.one("LayerNormalization", tokens, scale, shift, name="normal")
    hidden = net.one("MatMul", normal, net.array(16, 32, scale=0.1), name="hidden")
    hidden = net.one("Gelu", net.one("Add", hidden, net.array(32)))
    narrow = net.one("MatMul", hidden, net.array(32, 16, scale=0.2), name="narrow")
    back = net.one("Add", narrow, tokens)
    turned = net.one("Transpose", back, perm=[0, 2, 1])
    plane = net.one("Reshape", turned, net.build.integers([1, 16, SIDE, SIDE]))
    return net.graph(net.named("mask", net.one("Sigmoid", net.conv("last", plane, 1, 1))))


def first_and_last() -> Graph:
    """Two convolutions: there is nothing between the first and the last."""
    net = Net(2)
    last = net.conv("last", net.relu(net.conv("first", net.x, 8)), 1)
    return net.graph(net.named("mask", net.one("Sigmoid", last)), name="two")


def pictures(count: int, side: int = SIDE) -> list[np.ndarray[Any, Any]]:
    """Bright discs on grey, uint8 ``[side, side, 3]``."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:side, :side]
    made = []
    for _ in range(count):
        inside = np.hypot(y - rng.uniform(8, 24), x - rng.uniform(8, 24)) < rng.uniform(4, 12)
        picture = np.where(inside[..., None], rng.integers(100, 255, 3), rng.integers(0, 120, 3))
        made.append((picture + rng.integers(0, 20, picture.shape)).clip(0, 255).astype(np.uint8))
    return made
