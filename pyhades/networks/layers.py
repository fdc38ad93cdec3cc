"""Layers with random weights on top of the graph builder."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from pyhades.arguments import check_count
from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Graph, TensorType, Value
from pyhades.ir.shapes import shape

HE_GAIN = math.sqrt(2)
"""Keeps the variance of activations through a ReLU (He et al. 2015)."""

Pair = tuple[int, int]


class NetworkBuilder(GraphBuilder):
    """Emits layers; every weight is drawn from one seeded generator.

    Parameters
    ----------
    seed
        Two builders with equal seeds and calls make equal networks.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = np.random.default_rng(seed)
        self._path: list[str] = []

    @contextmanager
    def within(self, module: str) -> Iterator[None]:
        """Name what is emitted inside after ``module`` and the modules around it."""
        self._path.append(module)
        self.scope("/".join(self._path))
        yield
        self._path.pop()
        self.scope("/".join(self._path))

    def normal(self, shape: Sequence[int], deviation: float, hint: str = "weight") -> Value:
        """A constant of normally distributed float32 numbers."""
        data = self._random.standard_normal(shape, np.float32) * np.float32(deviation)
        return self.constant(data, hint=hint)

    def scalar(self, number: float) -> Value:
        """A float32 constant of rank 0."""
        return self.constant(number, np.float32, "scalar")

    def conv(
        self,
        x: Value,
        channels: int,
        kernel: Pair = (3, 3),
        dilation: int = 1,
        stride: int = 1,
        gain: float = HE_GAIN,
        bias: bool = True,
        same: bool = True,
    ) -> Value:
        """Convolution with bias; ``same`` pads so that a stride of 1 keeps the size."""
        inner = shape(x)[1]
        deviation = gain / math.sqrt(inner * kernel[0] * kernel[1])
        weight = self.normal((channels, inner, *kernel), deviation)
        offset = self.normal((channels,), 0.05, "bias") if bias else None
        pads = [(k - 1) * dilation // 2 if same else 0 for k in kernel]
        attributes: dict[str, Any] = {
            "dilations": [dilation, dilation],
            "group": 1,
            "kernel_shape": list(kernel),
            "pads": [*pads, *pads],
            "strides": [stride, stride],
        }
        return self.emit("Conv", [x, weight, offset], attributes)[0]

    def conv_relu(self, x: Value, channels: int, kernel: Pair = (3, 3), dilation: int = 1) -> Value:
        """Convolution (with its BatchNorm folded) and ReLU."""
        return self.one("Relu", self.conv(x, channels, kernel, dilation))

    def linear(self, x: Value, features: int, bias: bool = True, gain: float = 1.0) -> Value:
        """X @ w + b over the last axis, spelled MatMul and Add."""
        inner = shape(x)[-1]
        y = self.one("MatMul", x, self.normal((inner, features), gain / math.sqrt(inner)))
        return self.one("Add", y, self.normal((features,), 0.05, "bias")) if bias else y

    def layer_norm(self, x: Value) -> Value:
        """Normalise the last axis, with scales around one."""
        features = shape(x)[-1]
        scale = self.constant(
            1 + 0.1 * self._random.standard_normal(features, np.float32), np.float32, "scale"
        )
        shift = self.normal((features,), 0.05, "bias")
        return self.one("LayerNormalization", x, scale, shift, axis=-1, epsilon=1e-5)

    def concat(self, *parts: Value, axis: int = 1) -> Value:
        """Join along ``axis``."""
        return self.emit("Concat", parts, {"axis": axis})[0]

    def reshape(self, x: Value, *shape: int) -> Value:
        """New shape; -1 is computed."""
        return self.one("Reshape", x, self.integers(shape))

    def transpose(self, x: Value, *perm: int) -> Value:
        """Permute the axes."""
        return self.one("Transpose", x, perm=list(perm))

    def unsqueeze(self, x: Value, *axes: int) -> Value:
        """Insert axes of extent 1."""
        return self.one("Unsqueeze", x, self.integers(axes))

    def slice(self, x: Value, axis: int, start: int, end: int, step: int = 1) -> Value:
        """Elements [start, end) along one axis."""
        steps = None if step == 1 else self.integers([step])
        bounds = [self.integers([number]) for number in (start, end, axis)]
        return self.one("Slice", x, *bounds, steps)

    def resize(self, x: Value, size: Pair, coordinates: str = "half_pixel") -> Value:
        """Bilinear to ``size``."""
        sizes = self.integers([*shape(x)[:2], *size])
        return self.resize_to(x, sizes, coordinates)

    def resize_to(self, x: Value, sizes: Value, coordinates: str = "half_pixel") -> Value:
        """Bilinear to the four extents in ``sizes``."""
        attributes = {
            "coordinate_transformation_mode": coordinates,
            "cubic_coeff_a": -0.75,
            "mode": "linear",
            "nearest_mode": "floor",
        }
        return self.emit("Resize", [x, None, None, sizes], attributes)[0]

    def graph(self, name: str, inputs: dict[str, Value], outputs: dict[str, Value]) -> Graph:
        """Finish: give inputs and outputs their public names."""
        for public, value in {**inputs, **outputs}.items():
            value.name = public
        return Graph(list(inputs.values()), list(outputs.values()), self.nodes, name)


def image_input(batch: int, height: int, width: int) -> Value:
    """A float32 image batch [n, 3, h, w]."""
    for name, count in (("batch", batch), ("height", height), ("width", width)):
        check_count(name, count)
    return Value("input", TensorType(np.dtype(np.float32), (batch, 3, height, width)))
