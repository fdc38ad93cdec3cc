"""What is written into graphs here."""

from __future__ import annotations

from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.quantization import Quantization


def put_on_grid(value: Value, grid: Quantization, fresh: dict[Value, Value]) -> Node:
    """The node that puts ``value`` on ``grid``; ``fresh`` gets what is to be read from now on."""
    name = f"{value.name}.grid"
    parameters = [constant(f"{name}.scale", grid.scale)]
    if grid.zero_point is not None:
        parameters.append(constant(f"{name}.zero_point", grid.zero_point))
    fresh[value] = Value(name)
    attributes = {"axis": 0, "storage": grid.storage}
    return Node("FakeQuantize", [value, *parameters], [fresh[value]], attributes, name)
