"""A grid between a product and a sum is a step of the product, which need not be stored on it."""

from __future__ import annotations

from typing import Any

from pyhades.ir.graph import Node, Value
from pyhades.ir.ops.integers import FACTOR, RESIDUAL
from pyhades.ir.registry import attribute
from pyhades.passes.integers.storing import PRODUCTS, divided, keeps_scale
from pyhades.passes.rewriting import Rewrite


def through_grid(
    rewrite: Rewrite, value: Value | None
) -> tuple[Node, list[Value | None], dict[str, Any]] | None:
    """The product whose points ``value`` is, and the inputs and attributes that make it so.

    None where ``value`` is something else, or the points are wanted by others.
    """
    wide = rewrite.private(value, "DequantizeU8")
    points = None if wide is None else rewrite.private(wide.inputs[0], "QuantizeU8")
    product = None if points is None else rewrite.private(points.inputs[0], *PRODUCTS)
    if wide is None or points is None or product is None:
        return None
    if product.input(RESIDUAL) is not None or attribute(product, "after") != "none":
        return None
    if any(attribute(wide, name) != attribute(points, name) for name in ("scale", "zero")):
        return None
    inputs, scale = rewrite.inputs(product), float(attribute(points, "scale"))
    via = {"via_step": scale, "via_scale": scale, "via_zero": attribute(points, "zero")}
    if keeps_scale(product):
        inputs[FACTOR], via["via_step"] = divided(inputs[FACTOR], scale), 1.0
    return product, inputs, {**product.attributes, **via}
