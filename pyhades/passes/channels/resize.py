"""Products of channels move before the resizes that enlarge what they read.

The weights with which a resize adds pixels sum to one and are the same for all channels, so a
product of channels and its bias may as well be computed of the smaller image:

    product(concat(resize(a), b)) = resize(product_a(a)) + product_b(b)

Heads of segmentation networks (SegFormer, HRNet, the pooled branch of DeepLab) are of this form.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.ops.resize import resize_axes, sampling_of
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.numerics.interpolation import AxisResize, original_coordinates
from pyhades.passes.channels.product import (
    LANES,
    Product,
    can_multiply,
    is_plain,
    multiply,
    rewrite_products,
)
from pyhades.passes.channels.views import Viewed, follow, replay
from pyhades.passes.rewriting import Array, Rewrite

RESIZED, ADDED, STEP = 50, 25, 100_000
"""What an element that is resized costs, one that is added to others, and one more instruction, in
multiplications of a product: measured on Cascade Lake with AVX-512, one thread."""
_CLEAR = 0.85
"""Moving has to cost less than this part of what it saves."""


@dataclass(frozen=True)
class _Part:
    """Channels [begin, end) of what a product reads, and the resize that makes them."""

    value: Value
    begin: int
    end: int
    resize: Node | None
    is_private: bool
    """Whether nothing is left to read the resized channels when the product does not."""

    @property
    def channels(self) -> int:
        return self.end - self.begin

    @property
    def source(self) -> Value:
        assert self.resize is not None and self.resize.inputs[0] is not None
        return self.resize.inputs[0]


def multiply_before_resize(graph: Graph) -> Graph:
    """Rewrite products of resized channels, or of concatenations of them, where that saves time."""
    return rewrite_products(graph, _move)


def _move(rewrite: Rewrite, product: Product) -> None:
    viewed = follow(rewrite, product.x, product.axis)
    if not can_multiply(viewed.value, viewed.axis) or not is_plain(viewed.value):
        return
    viewed.is_private &= rewrite.readers[viewed.value] == 1
    parts = _parts(rewrite, viewed.value, viewed.axis, 0, viewed.is_private)
    groups: dict[Hashable, list[_Part]] = {}
    for part in parts:
        if part.resize is not None:
            groups.setdefault(_geometry(part.resize, viewed.axis), []).append(part)
    moved = [group for group in groups.values() if _pays(group, parts, viewed, product)]
    if moved:
        _build(rewrite, product, viewed, parts, moved)


def _parts(rewrite: Rewrite, value: Value, axis: int, begin: int, is_private: bool) -> list[_Part]:
    """What ``value`` is a concatenation of, or it alone."""
    is_private &= rewrite.readers[value] == 1
    concat = rewrite.producer(value, "Concat")
    if concat is None or attribute(concat, "axis") % len(shape(value)) != axis:
        return [_part(rewrite, value, axis, begin, is_private)]
    parts: list[_Part] = []
    for source in rewrite.inputs(concat):
        assert source is not None
        parts += _parts(rewrite, source, axis, begin, is_private)
        begin = parts[-1].end
    return parts


def _part(rewrite: Rewrite, value: Value, axis: int, begin: int, is_private: bool) -> _Part:
    resize = rewrite.producer(value, "Resize")
    if resize is not None:
        resize.inputs = rewrite.inputs(resize)
        if not _leaves_channels(resize, axis):
            resize = None
    return _Part(value, begin, begin + shape(value)[axis], resize, is_private)


def _leaves_channels(resize: Node, axis: int) -> bool:
    """Whether a resize adds pixels of the same channel only, with weights that sum to one."""
    x = resize.inputs[0]
    if x is None or x.is_constant or not is_plain(x) or not is_plain(resize.outputs[0]):
        return False
    if attribute(resize, "coordinate_transformation_mode") == "tf_crop_and_resize":
        return False  # which puts a number where it has no pixels
    if any(value is not None and not value.is_constant for value in resize.inputs[1:]):
        return False
    if attribute(resize, "keep_aspect_ratio_policy") != "stretch":
        return False  # where the extent of the channels would have a say
    along = _axes(resize).get(axis)
    if along is None:
        return True
    positions = original_coordinates(along, sampling_of(resize).coordinates)
    return bool(np.array_equal(positions, np.arange(along.extent)))


def _axes(resize: Node) -> dict[int, AxisResize]:
    x, *rest = (*resize.inputs, None, None, None)[:4]
    assert x is not None
    roi, scales, sizes = (None if value is None else value.data for value in rest)
    return resize_axes(resize, shape(x), roi, scales, sizes)


def _geometry(resize: Node, axis: int) -> Hashable:
    """Equal for resizes that do the same to images of the same extents."""
    x = resize.inputs[0]
    assert x is not None
    extents = (*shape(x)[:axis], *shape(x)[axis + 1 :])
    others = tuple((i, along) for i, along in sorted(_axes(resize).items()) if i != axis)
    return extents, others, sampling_of(resize)


def _pays(group: list[_Part], parts: list[_Part], viewed: Viewed, product: Product) -> bool:
    """Whether the product of ``group`` costs clearly less where its pixels are fewer."""
    outputs, pixels = product.weight.shape[1], _pixels(viewed.value, viewed.axis)
    channels = sum(part.channels for part in group)
    multiplied = channels * LANES * math.ceil(outputs / LANES)
    saved = pixels * multiplied
    saved += RESIZED * pixels * sum(part.channels for part in group if part.is_private)
    cost: float = _pixels(group[0].source, viewed.axis) * multiplied + 2 * STEP
    cost += RESIZED * pixels * outputs
    if len(group) < len(parts):
        cost += ADDED * pixels * outputs
    if len(parts) > 1 and not viewed.is_private:  # what others read stays, the rest is copied
        cost += ADDED * pixels * (product.weight.shape[0] - channels)
    return bool(cost < _CLEAR * saved)


def _pixels(value: Value, axis: int) -> int:
    extents = shape(value)
    return math.prod((*extents[:axis], *extents[axis + 1 :]))


def _build(
    rewrite: Rewrite,
    product: Product,
    viewed: Viewed,
    parts: list[_Part],
    moved: list[list[_Part]],
) -> None:
    node, axis, bias = product.node, viewed.axis, product.bias
    name = node.outputs[0].name
    gone = {id(part) for group in moved for part in group}
    rest = [part for part in parts if id(part) not in gone]
    images: list[Value] = []
    for index, group in enumerate(moved):
        # The bias may be added anywhere; the product of the full size adds it for nothing.
        own = bias if not rest and not index else None
        x = _joined(rewrite, [part.source for part in group], axis, f"{name}.source{index}", node)
        weight = _rows(product.weight, group)
        small = multiply(rewrite, x, axis, weight, own, f"{name}.small{index}", node)
        images.append(_resized(rewrite, group[0].resize, small, axis, f"{name}.large{index}", node))
    total = images[0]
    for index, image in enumerate(images[1:]):
        total = rewrite.new("Add", [total, image], f"{name}.total{index}", node)
    if rest:
        x = _joined(rewrite, [part.value for part in rest], axis, f"{name}.rest", node)
        part = multiply(rewrite, x, axis, _rows(product.weight, rest), bias, f"{name}.part", node)
        total = rewrite.new("Add", [part, total], f"{name}.sum", node)
    rewrite.stand_in(node, replay(rewrite, viewed, total, node))


def _rows(weight: Array, parts: list[_Part]) -> Array:
    return np.concatenate([weight[part.begin : part.end] for part in parts])


def _joined(rewrite: Rewrite, values: list[Value], axis: int, name: str, before: Node) -> Value:
    if len(values) == 1:
        return values[0]
    return rewrite.new("Concat", values, name, before, axis=axis)


def _resized(
    rewrite: Rewrite, resize: Node | None, x: Value, axis: int, name: str, before: Node
) -> Value:
    """``x`` enlarged as ``resize`` does it, whatever its number of channels."""
    assert resize is not None
    inputs = [x, *resize.inputs[1:]]
    sizes = resize.input(3)
    if sizes is not None and sizes.data is not None and sizes.data.size:
        rank = len(shape(x))
        stated = attribute(resize, "axes") or range(rank)
        extents = sizes.data.copy()
        extents[[index % rank == axis for index in stated]] = shape(x)[axis]
        inputs[3] = constant(f"{name}.sizes", extents)
    return rewrite.new("Resize", inputs, name, before, **resize.attributes)
