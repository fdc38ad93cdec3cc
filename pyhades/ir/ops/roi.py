"""Pooling over regions of interest."""

from __future__ import annotations

from typing import Any

from pyhades.ir.graph import Node
from pyhades.ir.ops.elementwise import widened
from pyhades.ir.registry import Array, Operator, attribute, elements, ir_op
from pyhades.ir.shapes import Shape, agree, fail, shape_of
from pyhades.numerics.roi import roi_align, roi_max_pool

_COORDINATES = ("half_pixel", "output_half_pixel")


def _regions(node: Node, numbers: int) -> tuple[Shape, Shape]:
    """Shapes of x [n, c, h, w] and of the regions, checked."""
    x, rois = shape_of(node, 0), shape_of(node, 1)
    if len(x) != 4 or len(rois) != 2:
        fail(node, f"x has rank {len(x)} and rois {len(rois)}; expected 4 and 2")
    agree(node, rois[1], numbers, "numbers of a region")
    return x, rois


def _positive(node: Node, names: dict[str, Any]) -> None:
    for name, value in names.items():
        if value < 1:
            fail(node, f"{name} {value} must be at least 1")


@ir_op(
    "RoiAlign",
    "F, F, int64 -> F",
    coordinate_transformation_mode="half_pixel",
    mode="avg",
    output_height=1,
    output_width=1,
    sampling_ratio=0,
    spatial_scale=1.0,
)
class RoiAlign(Operator):
    """Mean or maximum of samples in the bins of regions [r, 4] of images [r]."""

    def shapes(self, node: Node) -> list[Shape]:
        x, rois = _regions(node, 4)
        images = shape_of(node, 2)
        if len(images) != 1:
            fail(node, f"the numbers of the images have rank {len(images)}, not 1")
        bins = (attribute(node, "output_height"), attribute(node, "output_width"))
        _positive(node, {"output_height": bins[0], "output_width": bins[1]})
        if attribute(node, "sampling_ratio") < 0:
            fail(node, f"sampling_ratio {attribute(node, 'sampling_ratio')} must not be negative")
        if attribute(node, "mode") not in ("avg", "max"):
            fail(node, f"mode {attribute(node, 'mode')!r} is none of avg, max")
        if attribute(node, "coordinate_transformation_mode") not in _COORDINATES:
            mode = attribute(node, "coordinate_transformation_mode")
            fail(node, f"coordinate_transformation_mode {mode!r} is unknown")
        return [(agree(node, rois[0], images[0], "regions and their images"), x[1], *bins)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, rois, images = inputs
        y = roi_align(
            widened(x),
            widened(rois),
            images,
            (attribute(node, "output_height"), attribute(node, "output_width")),
            "max" if attribute(node, "mode") == "max" else "average",
            attribute(node, "sampling_ratio"),
            attribute(node, "spatial_scale"),
            is_half_pixel(node),
        )
        return [y.astype(x.dtype, copy=False)]

    def flops(self, node: Node) -> int:
        samples = max(attribute(node, "sampling_ratio"), 1)
        return int(8 * samples**2 * elements(node.outputs[0].type))


def is_half_pixel(node: Node) -> bool:
    """Whether boxes of a RoiAlign count from half a pixel before the first centre."""
    return bool(attribute(node, "coordinate_transformation_mode") == "half_pixel")


@ir_op("MaxRoiPool", "F, F -> F", pooled_shape=None, spatial_scale=1.0)
class MaxRoiPool(Operator):
    """Largest pixel in the bins of regions [r, 5], whose first number is that of the image."""

    def shapes(self, node: Node) -> list[Shape]:
        x, rois = _regions(node, 5)
        bins = attribute(node, "pooled_shape")
        if bins is None or len(bins) != 2:
            fail(node, f"pooled_shape {bins} needs two entries")
        _positive(node, {"pooled_shape": min(bins)})
        return [(rois[0], x[1], *bins)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, rois = inputs
        bins = tuple(attribute(node, "pooled_shape"))
        y = roi_max_pool(widened(x), widened(rois), bins, attribute(node, "spatial_scale"))
        return [y.astype(x.dtype, copy=False)]
