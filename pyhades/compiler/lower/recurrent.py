"""Recurrences."""

from __future__ import annotations

import numpy as np

from pyhades.compiler.lowering import Lowering, lowers
from pyhades.ir.graph import Node
from pyhades.ir.registry import attribute
from pyhades.kernels.recurrent import cell_attributes
from pyhades.numerics.recurrent import Cell


@lowers("Recurrence")
def lower_recurrence(lowering: Lowering, node: Node) -> None:
    """recurrent, over dense operands."""
    cell: Cell = attribute(node, "cell")
    inputs = [lowering.optional(node, index) for index in range(7)]
    if inputs[0] is not None and inputs[0].dtype != np.float32:
        lowering.refuse(node, f"recurrences are of float32, not {inputs[0].dtype}")
    lowering.emit(
        "recurrent",
        [None if view is None else lowering.dense(view) for view in inputs],
        [lowering.output(value, rigid=True) for value in node.outputs],
        reverse=int(attribute(node, "reverse")),
        **cell_attributes(cell),
    )
