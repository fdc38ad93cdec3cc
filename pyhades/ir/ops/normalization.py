"""Normalisation operators and softmax.

float16 input is computed in float32 (ONNX ``stash_type`` 1); the other widths compute as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.errors import UnsupportedOperatorError
from pyhades.ir.graph import Dim, Node
from pyhades.ir.ops.elementwise import widened
from pyhades.ir.registry import Operator, attribute, ir_op
from pyhades.ir.shapes import (
    Shape,
    agree,
    fail,
    normalize_axis,
    rank_of,
    require_broadcast_to,
    shape_of,
)
from pyhades.numerics.array import Array
from pyhades.numerics.normalization import (
    affine,
    by_statistics,
    local_response,
    log_softmax,
    lp_normalize,
    per_channel,
    rms_normalize,
    softmax,
    standardize,
    standardize_groups,
)


def _check_channels(node: Node, channels: Dim, first: int) -> None:
    for index in range(first, len(node.inputs)):
        if rank_of(node, index) != 1:
            fail(node, f"input {index} must have rank 1")
        agree(node, shape_of(node, index)[0], channels, f"channels of x and of input {index}")


class _Normalization(Operator):
    """Same shape out as in; channels in axis 1 unless a subclass says otherwise."""

    flops_per_element = 8

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        if len(x) < 2:
            fail(node, f"x needs a batch and a channel axis, has rank {len(x)}")
        _check_channels(node, x[1], 1)
        return [x]


@ir_op("BatchNormalization", "F, F1, F1, F2, F2 -> F", epsilon=1e-5, momentum=0.9, training_mode=0)
class BatchNormalization(_Normalization):
    """Inference: (x - mean) / sqrt(variance + epsilon) * scale + bias, vectors per channel."""

    flops_per_element = 2

    def shapes(self, node: Node) -> list[Shape]:
        if attribute(node, "training_mode"):
            raise UnsupportedOperatorError(
                f"BatchNormalization '{node.name}' is in training mode; export the model in "
                "evaluation mode"
            )
        x = shape_of(node, 0)
        _check_channels(node, x[1] if len(x) > 1 else 1, 1)
        return [x]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x = inputs[0]
        wide, scale, bias, mean, variance = (widened(array) for array in inputs)
        y = by_statistics(wide, scale, bias, mean, variance, attribute(node, "epsilon"))
        return [y.astype(x.dtype, copy=False)]


@ir_op("InstanceNormalization", "F, F, F -> F", epsilon=1e-5)
class InstanceNormalization(_Normalization):
    """Normalise each plane of x [n, c, *spatial]; scale and bias [c]."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, scale, bias = (widened(array) for array in inputs)
        y, _, _ = standardize(x, tuple(range(2, x.ndim)), attribute(node, "epsilon"))
        y = affine(y, per_channel(scale, x.ndim), per_channel(bias, x.ndim))
        return [y.astype(inputs[0].dtype, copy=False)]


@ir_op("GroupNormalization", "F, F, F -> F", epsilon=1e-5, num_groups=None, stash_type=1)
class GroupNormalization(_Normalization):
    """Normalise groups of channels of x [n, c, *spatial]; scale and bias [c] (opset 21)."""

    def shapes(self, node: Node) -> list[Shape]:
        shapes = super().shapes(node)
        channels, groups = shapes[0][1], attribute(node, "num_groups")
        if groups is None or groups < 1 or (isinstance(channels, int) and channels % groups):
            fail(node, f"{channels} channels do not divide into num_groups {groups}")
        return shapes

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, scale, bias = (widened(array) for array in inputs)
        y = standardize_groups(x, attribute(node, "num_groups"), attribute(node, "epsilon"))
        y = affine(y, per_channel(scale, x.ndim), per_channel(bias, x.ndim))
        return [y.astype(inputs[0].dtype, copy=False)]


class _Trailing(Operator):
    """Normalise over ``axis`` and all axes after it; parameters broadcast to x."""

    flops_per_element = 8

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        axis = normalize_axis(node, attribute(node, "axis"), len(x))
        for index in range(1, len(node.inputs)):
            if node.inputs[index] is not None:
                require_broadcast_to(node, shape_of(node, index), x, "parameters")
        statistics = (*x[:axis], *[1] * (len(x) - axis))
        return [x, statistics, statistics]

    def axes(self, node: Node, rank: int) -> tuple[int, ...]:
        """The axes to normalise over."""
        return tuple(range(normalize_axis(node, attribute(node, "axis"), rank), rank))


@ir_op(
    "LayerNormalization", "F, F, F? -> F, float32?, float32?", axis=-1, epsilon=1e-5, stash_type=1
)
class LayerNormalization(_Trailing):
    """(x - mean) / deviation * scale + bias; also returns mean and 1 / deviation."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, scale, bias = (*inputs, None)[:3]
        wide = widened(x)
        y, mean, inverse = standardize(wide, self.axes(node, x.ndim), attribute(node, "epsilon"))
        y = affine(y.astype(x.dtype, copy=False), scale, bias)
        statistics = [mean.astype(np.float32, copy=False), inverse.astype(np.float32, copy=False)]
        return [y, *statistics][: len(node.outputs)]


@ir_op("RMSNormalization", "F, F1 -> F1", axis=-1, epsilon=1e-5, stash_type=1)
class RMSNormalization(_Trailing):
    """x / sqrt(mean(x * x) + epsilon) * scale."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, scale = inputs
        y = rms_normalize(widened(x), self.axes(node, x.ndim), attribute(node, "epsilon"))
        return [(y.astype(x.dtype) * scale).astype(scale.dtype, copy=False)]


class _AlongAxis(Operator):
    flops_per_element = 12

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        normalize_axis(node, attribute(node, "axis"), max(len(x), 1))
        return [x]


@ir_op("LpNormalization", "F -> F", axis=-1, p=2)
class LpNormalization(_AlongAxis):
    """x divided by its L1 or L2 norm along ``axis``; zero where the norm is zero."""

    flops_per_element = 4

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, p = widened(inputs[0]), attribute(node, "p")
        if p not in (1, 2):
            fail(node, f"p {p} is not 1 or 2")
        y = lp_normalize(x, attribute(node, "axis"), p)
        return [y.astype(inputs[0].dtype, copy=False)]


@ir_op("LRN", "F -> F", alpha=1e-4, beta=0.75, bias=1.0, size=None)
class LocalResponseNormalization(Operator):
    """x divided by a power of the mean square of ``size`` channels around each."""

    flops_per_element = 6

    def shapes(self, node: Node) -> list[Shape]:
        x, size = shape_of(node, 0), attribute(node, "size")
        if len(x) < 2:
            fail(node, f"x needs an axis of channels, has rank {len(x)}")
        if size is None or size < 1:
            fail(node, f"size {size} must be at least 1")
        return [x]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        numbers = (attribute(node, name) for name in ("size", "alpha", "beta", "bias"))
        y = local_response(widened(inputs[0]), *numbers)
        return [y.astype(inputs[0].dtype, copy=False)]


@ir_op("Softmax", "F -> F", axis=-1)
class Softmax(_AlongAxis):
    """Softmax along one axis (opset 13)."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x = inputs[0]
        return [softmax(widened(x), attribute(node, "axis")).astype(x.dtype, copy=False)]


@ir_op("LogSoftmax", "F -> F", axis=-1)
class LogSoftmax(_AlongAxis):
    """Logarithm of the softmax along one axis (opset 13)."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, axis = widened(inputs[0]), attribute(node, "axis")
        return [log_softmax(x, axis).astype(inputs[0].dtype, copy=False)]
