"""Products of image rows by one matrix, in the order in which channels-last images lie.

Axial attention multiplies an image [n, c, h, w], seen as [n, c * h, w], by a matrix [w, v]. That
view exists only for planar images. The same sums are a stack of products: per image row h,
``matrix^T [v, w] @ rows [w, c]``, all of which channels-last images can be read and written as.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.shapes import shape
from pyhades.passes.rewriting import Rewrite


def regroup_matmul(graph: Graph) -> Graph:
    """Rewrite Reshape, MatMul, Reshape where both reshapes only merge and split c and h."""
    rewrite = Rewrite(graph)
    for node in rewrite.nodes:
        if node.op == "Reshape":
            node.inputs = rewrite.inputs(node)
            _regroup(rewrite, node)
    return rewrite.finish()


def _regroup(rewrite: Rewrite, node: Node) -> None:
    product = rewrite.private(node.inputs[0], "MatMul")
    if product is None:
        return
    rows, matrix = rewrite.inputs(product)
    merge = rewrite.private(rows, "Reshape")
    image = None if merge is None else rewrite.inputs(merge)[0]
    if image is None or rows is None or matrix is None:
        return
    before, after = shape(image), shape(node.outputs[0])
    if len(before) != 4 or len(after) != 4 or before[:3] != after[:3]:
        return
    n, c, h, w = before
    if shape(rows) != (n, c * h, w) or shape(matrix) != (n, w, after[3]):
        return
    name = node.outputs[0].name

    def new(op: str, *inputs: Value, suffix: str, **attributes: Any) -> Value:
        return rewrite.new(op, inputs, f"{name}.{suffix}", node, **attributes)

    target = constant(f"{name}.stack", np.array([n, 1, after[3], w], np.int64))
    turned = new("Transpose", matrix, suffix="turned", perm=[0, 2, 1])
    stacked = new("Reshape", turned, target, suffix="stacked", allowzero=1)
    last = new("Transpose", image, suffix="last", perm=[0, 2, 3, 1])
    result = new("MatMul", stacked, last, suffix="product")
    rewrite.replace(node, "Transpose", [result], perm=[0, 3, 1, 2])
