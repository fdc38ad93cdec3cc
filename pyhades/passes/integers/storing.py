"""Finished products go to bytes before they are stored, and read residuals as bytes."""

from __future__ import annotations

import numpy as np

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.ops.integers import FACTOR, OFFSET, RESIDUAL
from pyhades.ir.registry import attribute
from pyhades.numerics.byte_images import requantizing_factor
from pyhades.numerics.integers import Grid
from pyhades.passes.rewriting import Rewrite

PRODUCTS = ("QConv", "QConvTranspose", "QMatMul")


def store_integers(graph: Graph) -> Graph:
    """Let products of integers do the QuantizeU8 that reads them, and DequantizeU8 of residuals.

    What interpolates bytes does the Requantize that reads them.
    """
    rewrite = Rewrite(graph)
    for node in rewrite.nodes:
        node.inputs = rewrite.inputs(node)
        if node.op in PRODUCTS:
            _read_bytes(rewrite, node)
        elif node.op == "QuantizeU8":
            _store_bytes(rewrite, node)
        elif node.op == "Requantize":
            _store_resized(rewrite, node)
    return rewrite.finish()


def _read_bytes(rewrite: Rewrite, node: Node) -> None:
    source = rewrite.producer(node.input(RESIDUAL), "DequantizeU8")
    if source is None:
        return
    inputs = [*node.inputs]
    inputs[RESIDUAL] = rewrite.inputs(source)[0]
    grid = {f"residual_{name}": attribute(source, name) for name in ("scale", "zero")}
    rewrite.replace(node, node.op, inputs, **{**node.attributes, **grid})


def _store_bytes(rewrite: Rewrite, node: Node) -> None:
    product = rewrite.private(node.inputs[0], *PRODUCTS)
    if product is None or attribute(product, "to") != np.float32:
        return
    scale = float(attribute(node, "scale"))
    inputs = rewrite.inputs(product)
    if keeps_scale(product):
        inputs[FACTOR], scale = divided(inputs[FACTOR], scale), 1.0
    stored = {"y_scale": scale, "y_zero": attribute(node, "zero"), "to": np.dtype(np.uint8)}
    rewrite.replace(node, product.op, inputs, **{**product.attributes, **stored})


def _store_resized(rewrite: Rewrite, node: Node) -> None:
    """To another grid on the way, where multiplying does what dividing does."""
    resize = rewrite.private(node.inputs[0], "QResize")
    if resize is None or attribute(resize, "then_factor"):
        return
    grid = Grid(float(attribute(node, "scale")), int(attribute(node, "zero")))
    to = Grid(float(attribute(node, "y_scale")), int(attribute(node, "y_zero")))
    factor = requantizing_factor(grid, to)
    if factor is not None:
        then = {"then_factor": factor, "then_zero": to.zero}
        rewrite.replace(node, "QResize", rewrite.inputs(resize), **{**resize.attributes, **then})


def keeps_scale(product: Node) -> bool:
    """Whether nothing but ``relu`` stands between sums and grid: it commutes with a scale."""
    if product.input(RESIDUAL) is not None or product.input(OFFSET) is not None:
        return False
    if attribute(product, "via_step"):
        return False
    stages = (attribute(product, "activation"), attribute(product, "after"))
    return all(stage in ("none", "relu") for stage in stages)


def divided(factor: Value | None, scale: float) -> Value:
    """The factors that give steps instead of numbers."""
    assert factor is not None and factor.data is not None
    data = np.asarray(factor.data / np.float32(scale), np.float32)
    return constant(f"{factor.name}.in_steps", data)
