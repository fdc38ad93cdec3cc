"""Normalisation and softmax by reductions, where the float32 kernels do not reach."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.decompose.rule import Builder, dtype_of, is_float64, rule, source


def _inverse_root(build: Builder, variance: Value, epsilon: float) -> Value:
    padded = build.apply("Add", variance, build.number(epsilon, variance), suffix="padded")
    return build.apply("Reciprocal", build.apply("Sqrt", padded), suffix="inverse")


def _standardize(
    build: Builder, x: Value, axes: Sequence[int], epsilon: float
) -> tuple[Value, Value, Value]:
    """(x - mean) / sqrt(variance + epsilon), the mean, and one over that root."""
    mean = build.reduce("ReduceMean", x, axes)
    centred = build.apply("Sub", x, mean, suffix="centred")
    square = build.apply("Mul", centred, centred, suffix="square")
    variance = build.reduce("ReduceMean", square, axes)
    inverse = _inverse_root(build, variance, epsilon)
    return build.apply("Mul", centred, inverse, suffix="standardized"), mean, inverse


def _per_channel(build: Builder, vector: Value, x: Value) -> Value:
    """A vector [c] for broadcasting with x [n, c, ...], in the dtype of x."""
    extents = (-1, *[1] * (len(shape(x)) - 2)) if len(shape(x)) > 1 else (-1,)
    extents = (shape(vector)[0], *extents[1:])
    return build.reshape(build.cast(vector, dtype_of(x)), extents)


def _trailing_axes(node: Node) -> range:
    rank = len(shape(source(node)))
    return range(attribute(node, "axis") % rank, rank)


def _differs_by_row(node: Node) -> bool:
    """Whether a parameter varies over axes that are not normalised, which the kernels do not do."""
    trailing = len(_trailing_axes(node))
    parameters = [value for value in node.inputs[1:] if value is not None]
    return any(max(shape(value)[:-trailing], default=1) != 1 for value in parameters)


def _needs_elementary(node: Node) -> bool:
    return is_float64(node) or _differs_by_row(node)


def _shifted(build: Builder, x: Value, axis: int) -> Value:
    return build.apply("Sub", x, build.reduce("ReduceMax", x, [axis]), suffix="shifted")


@rule("Softmax", "LogSoftmax", when=is_float64)
def _softmax(build: Builder, node: Node) -> None:
    x = source(node)
    if not shape(x):
        x = build.reshape(x, (1,), "vector")
    axis = attribute(node, "axis") % len(shape(x))
    shifted = _shifted(build, x, axis)
    powers = build.apply("Exp", shifted)
    total = build.reduce("ReduceSum", powers, [axis])
    if node.op == "Softmax":
        y = build.apply("Div", powers, total, suffix="share")
    else:
        y = build.apply("Sub", shifted, build.apply("Log", total), suffix="logarithm")
    build.become_reshape(y)


@rule("LayerNormalization", when=_needs_elementary)
def _layer_norm(build: Builder, node: Node) -> None:
    x, scale, bias = source(node), source(node, 1), node.input(2)
    y, *statistics = _standardize(build, x, _trailing_axes(node), attribute(node, "epsilon"))
    y = build.apply("Mul", y, scale, suffix="scaled")
    if bias is not None:
        y = build.apply("Add", y, bias, suffix="shifted")
    for old, new in zip(node.outputs, [y, *statistics], strict=False):
        build.rewrite.substitute(old, build.cast(new, dtype_of(old), f"{old.name}.narrow"))


@rule("RMSNormalization", when=_needs_elementary)
def _rms_norm(build: Builder, node: Node) -> None:
    x, scale = source(node), source(node, 1)
    square = build.apply("Mul", x, x, suffix="square")
    mean = build.reduce("ReduceMean", square, _trailing_axes(node))
    inverse = _inverse_root(build, mean, attribute(node, "epsilon"))
    y = build.cast(build.apply("Mul", x, inverse, suffix="standardized"), dtype_of(scale))
    build.become("Mul", y, scale)


@rule("InstanceNormalization", "GroupNormalization", when=is_float64)
def _group_norm(build: Builder, node: Node) -> None:
    x = source(node)
    n, c = shape(x)[:2]
    groups = attribute(node, "num_groups") if node.op == "GroupNormalization" else c
    grouped = build.reshape(x, (n, groups, int(np.prod(shape(x)[1:])) // groups), "grouped")
    y, _, _ = _standardize(build, grouped, [2], attribute(node, "epsilon"))
    y = build.reshape(y, shape(x), "ungrouped")
    scale, bias = (_per_channel(build, source(node, index), x) for index in (1, 2))
    build.become("Add", build.apply("Mul", y, scale, suffix="scaled"), bias)


@rule("InstanceNormalization")
def _instance_norm(build: Builder, node: Node) -> None:
    """An instance is a group of one channel."""
    x, epsilon = source(node), attribute(node, "epsilon")
    build.become("GroupNormalization", *node.inputs, num_groups=int(shape(x)[1]), epsilon=epsilon)


def _has_no_scale_shift(node: Node) -> bool:
    varies = any(value is None or value.data is None for value in node.inputs[1:])
    return is_float64(node) or varies or len(shape(source(node))) < 2


@rule("BatchNormalization", when=_has_no_scale_shift)
def _batch_norm(build: Builder, node: Node) -> None:
    """What cannot be folded into a convolution or one ScaleShift."""
    x = source(node)
    scale, bias, mean, variance = (
        _per_channel(build, source(node, index), x) for index in range(1, 5)
    )
    inverse = _inverse_root(build, variance, attribute(node, "epsilon"))
    factor = build.apply("Mul", scale, inverse, suffix="factor")
    centred = build.apply("Sub", x, mean, suffix="centred")
    build.become("Add", build.apply("Mul", centred, factor, suffix="scaled"), bias)


@rule("LpNormalization")
def _lp_normalization(build: Builder, node: Node) -> None:
    """X / norm, where a zero norm (which divides zeros) counts as the smallest positive number."""
    x = source(node)
    op = "ReduceL1" if attribute(node, "p") == 1 else "ReduceL2"
    norm = build.reduce(op, x, [attribute(node, "axis")])
    smallest = np.asarray(np.finfo(dtype_of(x)).tiny, dtype_of(x))
    tiny = constant(f"{build.name}.tiny", smallest)
    build.become("Div", x, build.apply("Max", norm, tiny, suffix="positive"))


@rule("LRN")
def _local_response(build: Builder, node: Node) -> None:
    """The channels as the lines of an image, whose own channels are the positions."""
    x, size = source(node), attribute(node, "size")
    n, c, *spatial = shape(x)
    square = build.apply("Mul", x, x, suffix="square")
    lines = build.transpose(build.reshape(square, (n, c, prod(spatial)), "lines"), (0, 2, 1))
    mean = build.apply(
        "AveragePool",
        build.reshape(lines, (n, prod(spatial), c, 1), "image"),
        suffix="mean",
        kernel_shape=[size, 1],
        pads=[(size - 1) // 2, 0, size // 2, 0],
        count_include_pad=1,
    )
    pooled = build.reshape(mean, (n, prod(spatial), c), "pooled")
    near = build.reshape(build.transpose(pooled, (0, 2, 1)), shape(x), "near")
    scaled = build.apply("Mul", near, build.number(attribute(node, "alpha"), x), suffix="scaled")
    base = build.apply("Add", scaled, build.number(attribute(node, "bias"), x), suffix="base")
    build.become("Div", x, build.apply("Pow", base, build.number(attribute(node, "beta"), x)))
