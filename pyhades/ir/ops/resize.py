"""Resize: nearest, linear and cubic, any axes, every coordinate mode."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyhades.ir.graph import Dim, Node
from pyhades.ir.ops.elementwise import widened
from pyhades.ir.registry import Array, Operator, attribute, elements, ir_op
from pyhades.ir.shapes import (
    UNKNOWN,
    Shape,
    UnknownShape,
    constant_of,
    fail,
    normalize_axes,
    shape_of,
)
from pyhades.numerics.interpolation import (
    COORDINATE_MODES,
    MODES,
    NEAREST_MODES,
    AxisResize,
    Sampling,
    outside,
    resize,
)


def sampling_of(node: Node) -> Sampling:
    """The attributes of a Resize node that say how to interpolate, checked."""
    for name, known in (
        ("mode", MODES),
        ("coordinate_transformation_mode", COORDINATE_MODES),
        ("nearest_mode", NEAREST_MODES),
    ):
        if attribute(node, name) not in known:
            fail(node, f"{name} {attribute(node, name)!r} is not one of {', '.join(known)}")
    return Sampling(
        mode=attribute(node, "mode"),
        coordinates=attribute(node, "coordinate_transformation_mode"),
        nearest_mode=attribute(node, "nearest_mode"),
        cubic_coeff_a=attribute(node, "cubic_coeff_a"),
        antialias=bool(attribute(node, "antialias")),
        exclude_outside=bool(attribute(node, "exclude_outside")),
    )


def resize_axes(
    node: Node, x: tuple[int, ...], roi: Array | None, scales: Array | None, sizes: Array | None
) -> dict[int, AxisResize]:
    """Geometry per resized axis; ``roi``, ``scales`` and ``sizes`` are the inputs' values."""
    axes = _axes(node, len(x))
    scales = None if scales is None or scales.size == 0 else scales
    sizes = None if sizes is None or sizes.size == 0 else sizes
    if (scales is None) == (sizes is None):
        fail(node, "give either scales or sizes")
    given = scales if sizes is None else sizes
    if given is None or given.shape != (len(axes),):
        fail(node, f"scales or sizes do not fit {len(axes)} axes")
    regions = _regions(node, roi, len(axes))
    extents = [x[axis] for axis in axes]
    if sizes is not None:
        outputs, factors = _from_sizes(node, extents, [int(size) for size in sizes])
    else:
        if not (given > 0).all():
            fail(node, f"scales {given.tolist()} must be positive")
        # The product is rounded to float32 before the floor, as in the shape rule of ONNX.
        outputs = [int(np.floor(np.float32(e) * s)) for e, s in zip(extents, given, strict=True)]
        factors = [float(scale) for scale in given]
    return {
        axis: AxisResize(extent, output, factor, start, end)
        for axis, extent, output, factor, (start, end) in zip(
            axes, extents, outputs, factors, regions, strict=True
        )
    }


def _axes(node: Node, rank: int) -> tuple[int, ...]:
    stated = attribute(node, "axes")
    return tuple(range(rank)) if not stated else normalize_axes(node, stated, rank)


def _regions(node: Node, roi: Array | None, count: int) -> list[tuple[float, float]]:
    if attribute(node, "coordinate_transformation_mode") != "tf_crop_and_resize":
        return [(0.0, 1.0)] * count
    if roi is None or roi.size != 2 * count:
        fail(node, f"tf_crop_and_resize needs a roi of {2 * count} numbers")
    flat = [float(number) for number in roi.reshape(-1)]
    return list(zip(flat[:count], flat[count:], strict=True))


def _from_sizes(node: Node, extents: list[int], sizes: list[int]) -> tuple[list[int], list[float]]:
    if min(sizes) < 0 or (0 in extents and any(sizes)):
        fail(node, f"sizes {sizes} are not valid for extents {extents}")
    factors = [
        size / extent if extent else 1.0 for size, extent in zip(sizes, extents, strict=True)
    ]
    policy = attribute(node, "keep_aspect_ratio_policy")
    if policy == "stretch":
        return sizes, factors
    if policy not in ("not_larger", "not_smaller"):
        fail(node, f"keep_aspect_ratio_policy {policy!r} is unknown")
    factor = min(factors) if policy == "not_larger" else max(factors)
    outputs = [math.floor(factor * extent + 0.5) for extent in extents]
    return outputs, [factor] * len(extents)


RESIZE_ATTRIBUTES: dict[str, Any] = {
    "antialias": 0,
    "axes": None,
    "coordinate_transformation_mode": "half_pixel",
    "cubic_coeff_a": -0.75,
    "exclude_outside": 0,
    "extrapolation_value": 0.0,
    "keep_aspect_ratio_policy": "stretch",
    "mode": "nearest",
    "nearest_mode": "round_prefer_floor",
}


@ir_op("Resize", "T, F?, float32?, int64? -> T", **RESIZE_ATTRIBUTES)
class Resize(Operator):
    """Resample x to scales or sizes (opset 19, and tf_half_pixel_for_nn of opset 11)."""

    deciding = (1, 2, 3)

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        self._check_dtype(node)
        axes = _axes(node, len(x))
        result: list[Dim] = [UNKNOWN if axis in axes else dim for axis, dim in enumerate(x)]
        try:
            roi, scales, sizes = (constant_of(node, index) for index in (1, 2, 3))
        except UnknownShape:
            return [tuple(result)]
        if all(isinstance(x[axis], int) for axis in axes):
            known = tuple(dim if isinstance(dim, int) else 0 for dim in x)
            for axis, geometry in resize_axes(node, known, roi, scales, sizes).items():
                result[axis] = geometry.output
            return [tuple(result)]
        return [self._partly_symbolic(node, x, result, scales, sizes)]

    @staticmethod
    def _check_dtype(node: Node) -> None:
        value = node.inputs[0]
        boolean = value is not None and value.type is not None and value.type.dtype == np.bool_
        if sampling_of(node).mode != "nearest" and boolean:
            fail(node, "booleans have no values in between; use mode nearest, or cast to float32")

    @staticmethod
    def _partly_symbolic(
        node: Node, x: Shape, result: list[Dim], scales: Array | None, sizes: Array | None
    ) -> Shape:
        """Sizes say the output whatever the input is; a scale of one keeps a symbol."""
        stretch = attribute(node, "keep_aspect_ratio_policy") == "stretch"
        for position, axis in enumerate(_axes(node, len(x))):
            extent = x[axis]
            if sizes is not None and sizes.size and stretch:
                result[axis] = int(sizes[position])
            elif scales is not None and scales.size and scales[position] == 1:
                result[axis] = extent
            elif scales is not None and scales.size and isinstance(extent, int):
                result[axis] = int(np.floor(np.float32(extent) * scales[position]))
        return tuple(result)

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, roi, scales, sizes = (*inputs, None, None, None)[:4]
        sampling = sampling_of(node)
        y = widened(x)
        if sampling.mode != "nearest" and y.dtype.kind != "f":
            y = y.astype(np.float64)
        axes = resize_axes(node, x.shape, roi, scales, sizes)
        y = resize(y, axes, sampling)
        if sampling.coordinates == "tf_crop_and_resize":
            fill = np.asarray(attribute(node, "extrapolation_value")).astype(y.dtype)
            y = np.where(outside(y.shape, axes, sampling), fill, y)
        return [y.astype(x.dtype, copy=False)]

    def flops(self, node: Node) -> int:
        x = node.inputs[0]
        taps = {"nearest": 0, "linear": 2, "cubic": 4}[attribute(node, "mode")]
        rank = len(shape_of(node, 0)) if x is not None else 0
        return 2 * taps * max(rank - 2, 1) * elements(node.outputs[0].type)
