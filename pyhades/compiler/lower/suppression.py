"""Suppression of overlapping boxes."""

from __future__ import annotations

import numpy as np

from pyhades.compiler.lowering import Lowering, lowers
from pyhades.compiler.view import View
from pyhades.ir.graph import Node
from pyhades.ir.registry import attribute


@lowers("SuppressBoxes")
def lower_suppress(lowering: Lowering, node: Node) -> None:
    """suppress; thresholds are vectors of one element."""
    boxes, scores = (_with_dense_rows(lowering, lowering.input(node, i)) for i in (0, 1))
    numbers = [lowering.optional(node, index) for index in (2, 3, 4)]
    for index, dtype in enumerate((np.int64, np.float32)):
        if numbers[index] is None:
            numbers[index] = lowering.constant(np.zeros(1, dtype), f"{node.name}.zero")
    vectors = [None if view is None else lowering.dense(view).reshape((1,)) for view in numbers]
    outputs = [lowering.output(value, rigid=True) for value in node.outputs]
    centred = attribute(node, "center_point_box")
    lowering.emit("suppress", [boxes, scores, *vectors], outputs, centred=centred)


def _with_dense_rows(lowering: Lowering, view: View) -> View:
    return view if view.strides[2] == 1 or view.shape[2] == 1 else lowering.dense(view)
