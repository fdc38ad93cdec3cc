"""Normalisation and softmax."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pyhades.compiler.lowering import Lowering, lowers
from pyhades.compiler.view import View
from pyhades.ir.graph import Node, Value
from pyhades.ir.registry import attribute


def _require_float32(lowering: Lowering, node: Node) -> None:
    x = lowering.input(node, 0)
    if x.dtype != np.float32:
        lowering.refuse(node, f"the kernel computes in float32, the input is {x.dtype}")


def _parameter(lowering: Lowering, node: Node, index: int, x: View, trailing: int) -> View | None:
    """A scale or bias over the trailing axes, as a vector."""
    value = node.input(index)
    if value is None:
        return None
    view = lowering.view(value)
    while view.rank > trailing and view.shape[0] == 1:
        view = replace(view, shape=view.shape[1:], strides=view.strides[1:])
    if view.rank > trailing:
        lowering.refuse(node, f"input {index} differs from row to row")
    full = view.expand(x.shape[x.rank - trailing :])
    vector = lowering.dense(full).reshape((full.size,))
    assert vector is not None
    return vector


def _row_output(lowering: Lowering, value: Value, trailing: int) -> View:
    y = lowering.output(value, rigid=True)
    return lowering.rows(y, trailing)


@lowers("LayerNormalization")
def lower_layer_norm(lowering: Lowering, node: Node) -> None:
    """layer_norm over rows."""
    _require_float32(lowering, node)
    x = lowering.input(node, 0)
    trailing = x.rank - attribute(node, "axis") % x.rank
    inputs = [
        lowering.rows(x, trailing),
        _parameter(lowering, node, 1, x, trailing),
        _parameter(lowering, node, 2, x, trailing),
        None,
    ]
    outputs: list[View | None] = [_row_output(lowering, node.outputs[0], trailing)]
    for value in node.outputs[1:]:
        statistics = lowering.output(value, rigid=True)
        outputs.append(statistics.reshape((statistics.size,)))
    lowering.emit("layer_norm", inputs, outputs, epsilon=float(attribute(node, "epsilon")))


@lowers("RMSNormalization")
def lower_rms_norm(lowering: Lowering, node: Node) -> None:
    """rms_norm over rows."""
    _require_float32(lowering, node)
    x = lowering.input(node, 0)
    trailing = x.rank - attribute(node, "axis") % x.rank
    inputs = [lowering.rows(x, trailing), _parameter(lowering, node, 1, x, trailing), None]
    y = _row_output(lowering, node.outputs[0], trailing)
    lowering.emit("rms_norm", inputs, [y], epsilon=float(attribute(node, "epsilon")))


@lowers("Softmax", "LogSoftmax")
def lower_softmax(lowering: Lowering, node: Node) -> None:
    """Softmax over rows; another axis is moved to the end, which costs a copy."""
    _require_float32(lowering, node)
    x = lowering.input(node, 0)
    log = int(node.op == "LogSoftmax")
    if x.rank == 0:
        x = replace(x, shape=(1,), strides=(1,))
    axis = attribute(node, "axis") % x.rank
    order = [*(a for a in range(x.rank) if a != axis), axis]
    y = lowering.output(node.outputs[0], order if x.rank > 1 else None, rigid=True)
    if y.rank == 0:
        y = replace(y, shape=(1,), strides=(1,))
    rows, result = lowering.rows(x.transpose(order)), y.transpose(order)
    matrix = result.reshape(rows.shape)
    if matrix is None or (rows.shape[1] > 1 and matrix.strides[1] != 1):
        # The caller's array keeps its own order.
        matrix = lowering.temporary(rows.shape, y.dtype)
        lowering.emit("softmax", [rows], [matrix], log=log)
        shaped = matrix.reshape(result.shape)
        assert shaped is not None
        lowering.copy(shaped, result)
        return
    lowering.emit("softmax", [rows], [matrix], in_place=(0,), log=log)


def _planes(view: View) -> View | None:
    """[n, c, ...] as [n, c, s]."""
    n, c = view.shape[:2]
    return view.reshape((n, c, view.size // max(n * c, 1)))


def _per_channel(
    lowering: Lowering, node: Node, op: str, parameters: list[View], **attributes: Any
) -> None:
    """An operator on [n, c, s] whose output has the layout of its input."""
    _require_float32(lowering, node)
    x = lowering.input(node, 0)
    if x.rank == 2:
        x = replace(x, shape=(*x.shape, 1), strides=(*x.strides, 1))
    planes = _planes(x)
    if planes is None:
        x = lowering.dense(x)
        planes = _planes(x)
    assert planes is not None
    y = lowering.output(node.outputs[0], x.order()[: len(node.outputs[0].type.static_shape)])  # type: ignore[union-attr]
    if y.rank == 2:
        y = replace(y, shape=(*y.shape, 1), strides=(*y.strides, 1))
    result = _planes(y)
    target = result if result is not None else lowering.temporary(planes.shape, y.dtype)
    in_place = (0,) if op == "scale_shift" and result is not None else ()
    lowering.emit(op, [planes, *parameters], [target], in_place=in_place, **attributes)
    if result is None:
        shaped = target.reshape(y.shape)
        assert shaped is not None
        lowering.copy(shaped, y)


@lowers("ScaleShift")
def lower_scale_shift(lowering: Lowering, node: Node) -> None:
    """scale_shift: what BatchNormalization is at inference."""
    parameters = [lowering.input(node, 1), lowering.input(node, 2)]
    _per_channel(lowering, node, "scale_shift", parameters, **_activation(node))


def _activation(node: Node) -> dict[str, Any]:
    names = ("activation", "activation_alpha", "activation_beta")
    return {name: node.attributes[name] for name in names if name in node.attributes}


@lowers("GroupNormalization", "FusedGroupNorm")
def lower_group_norm(lowering: Lowering, node: Node) -> None:
    """group_norm."""
    parameters = [lowering.input(node, 1), lowering.input(node, 2)]
    attributes = {"groups": attribute(node, "num_groups"), **_activation(node)}
    attributes["epsilon"] = float(attribute(node, "epsilon"))
    _per_channel(lowering, node, "group_norm", parameters, **attributes)
