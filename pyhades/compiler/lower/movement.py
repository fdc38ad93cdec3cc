"""Views: operators that only change how elements are addressed."""

from __future__ import annotations

from dataclasses import replace

from pyhades.compiler.lowering import Lowering, lowers
from pyhades.ir.graph import Node
from pyhades.ir.ops.slicing import Slice
from pyhades.ir.registry import attribute, operator
from pyhades.ir.shapes import integers_of, shape


@lowers("Identity", "Dropout")
def lower_identity(lowering: Lowering, node: Node) -> None:
    """The same view."""
    lowering.alias(node.outputs[0], lowering.input(node, 0))


@lowers("BitCast")
def lower_bit_cast(lowering: Lowering, node: Node) -> None:
    """The same strides with another dtype."""
    x = lowering.input(node, 0)
    kind = node.outputs[0].type
    assert kind is not None
    lowering.alias(node.outputs[0], replace(x, dtype=kind.dtype))


@lowers("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def lower_reshape(lowering: Lowering, node: Node) -> None:
    """A view where strides can say it; else left to the readers, who may cope with the source."""
    value = node.inputs[0]
    assert value is not None
    lowering.alias_reshaped(node.outputs[0], lowering.unmerged(value))


@lowers("Transpose")
def lower_transpose(lowering: Lowering, node: Node) -> None:
    """Permuted strides."""
    x = lowering.input(node, 0)
    perm = attribute(node, "perm")
    order = range(x.rank)[::-1] if perm is None else perm
    lowering.alias(node.outputs[0], x.transpose(list(order)))


@lowers("Expand")
def lower_expand(lowering: Lowering, node: Node) -> None:
    """Strides of 0."""
    lowering.alias(node.outputs[0], lowering.input(node, 0).expand(shape(node.outputs[0])))


@lowers("Slice")
def lower_slice(lowering: Lowering, node: Node) -> None:
    """Offset and strides; a negative step is copied, since kernels read forwards."""
    x = lowering.input(node, 0)
    rule = operator("Slice")
    assert isinstance(rule, Slice)
    parameters = [integers_of(node, index) for index in range(1, 5)]
    backwards = False
    for axis, positions in rule.ranges(node, x.shape, parameters).items():
        assert positions is not None
        backwards |= positions.step < 0 and len(positions) > 1
        x = x.slice(axis, positions.start, len(positions), positions.step)
    if not backwards:
        lowering.alias(node.outputs[0], x)
        return
    lowering.copy(x, lowering.output(node.outputs[0]))
