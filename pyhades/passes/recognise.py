"""Operators that exporters spell out: Gelu, SiLU, HardSwish, layer and group normalisation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.rewriting import Array, Rewrite, scalar

_Rule = Callable[[Rewrite, Node], bool]


def recognise(graph: Graph) -> Graph:
    """Put one operator in the place of each pattern that is known to spell it."""
    rewrite = Rewrite(graph)
    for node in rewrite.nodes:
        node.inputs = rewrite.inputs(node)
        any(rule(rewrite, node) for rule in _RULES.get(node.op, ()))
    return rewrite.finish()


def _split(node: Node | None) -> tuple[Value, float] | None:
    """The operands of a commutative node of which one is a number."""
    if node is None or len(node.inputs) != 2:
        return None
    a, b = node.inputs
    for value, other in ((a, b), (b, a)):
        number = scalar(other)
        if value is not None and number is not None:
            return value, number
    return None


def _close(number: float | None, wanted: float) -> bool:
    return number is not None and math.isclose(number, wanted, rel_tol=1e-5)


def _factors(rewrite: Rewrite, value: Value | None, depth: int = 3) -> list[Value]:
    """The factors of a product of at most ``depth`` multiplications that nothing else reads."""
    node = rewrite.private(value, "Mul") if depth else None
    if node is None or value is None:
        return [] if value is None else [rewrite.resolve(value)]
    left, right = rewrite.inputs(node)
    return _factors(rewrite, left, depth - 1) + _factors(rewrite, right, depth - 1)


def _gelu(rewrite: Rewrite, node: Node) -> bool:
    """0.5 * x * (1 + f), multiplied in any order, where f is erf(x / sqrt 2) or a tanh of x."""
    factors = [f for value in node.inputs for f in _factors(rewrite, value)]
    numbers = [number for factor in factors if (number := scalar(factor)) is not None]
    values = [factor for factor in factors if scalar(factor) is None]
    if len(values) != 2 or not _close(math.prod(numbers), 0.5):
        return False
    for x, gate in (values, values[::-1]):
        total = rewrite.private(gate, "Add")
        inner = _split(total)
        if inner is None or not _close(inner[1], 1.0):
            continue
        approximate = _gelu_kind(rewrite, inner[0], x)
        if approximate is not None:
            rewrite.replace(node, "Gelu", [x], approximate=approximate)
            return True
    return False


def _gelu_kind(rewrite: Rewrite, value: Value, x: Value) -> str | None:
    erf = rewrite.private(value, "Erf")
    if erf is not None:
        return "none" if _is_scaled(rewrite, erf.inputs[0], x, math.sqrt(0.5)) else None
    tanh = rewrite.private(value, "Tanh")
    scaled = _split(rewrite.private(tanh.inputs[0], "Mul")) if tanh is not None else None
    if scaled is None or not _close(scaled[1], math.sqrt(2 / math.pi)):
        return None
    total = rewrite.private(scaled[0], "Add")
    if total is None:
        return None
    for own, cube in (total.inputs, total.inputs[::-1]):
        if own is x and _is_cube(rewrite, cube, x, 0.044715):
            return "tanh"
    return None


def _is_scaled(rewrite: Rewrite, value: Value | None, x: Value, factor: float) -> bool:
    """Whether ``value`` is ``x * factor``, possibly written as a division."""
    node = rewrite.private(value, "Mul", "Div")
    if node is None:
        return False
    if node.op == "Div":
        number = scalar(node.inputs[1])
        return node.inputs[0] is x and number is not None and _close(1 / number, factor)
    parts = _split(node)
    return parts is not None and parts[0] is x and _close(parts[1], factor)


def _is_cube(rewrite: Rewrite, value: Value | None, x: Value, factor: float) -> bool:
    parts = _split(rewrite.private(value, "Mul"))
    if parts is not None and _close(parts[1], factor):
        power = rewrite.private(parts[0], "Pow")
        if power is not None:
            return power.inputs[0] is x and scalar(power.inputs[1]) == 3.0
    factors = _factors(rewrite, value, 4)
    numbers = [number for f in factors if (number := scalar(f)) is not None]
    return [f for f in factors if scalar(f) is None] == [x] * 3 and _close(
        math.prod(numbers), factor
    )


def _silu(rewrite: Rewrite, node: Node) -> bool:
    """The product x * sigmoid(x)."""
    for x, gate in (node.inputs, node.inputs[::-1]):
        sigmoid = rewrite.private(gate, "Sigmoid")
        if x is not None and sigmoid is not None and sigmoid.inputs[0] is x:
            rewrite.replace(node, "Swish", [x])
            return True
    return False


def _hard_swish(rewrite: Rewrite, node: Node) -> bool:
    """X * hard_sigmoid(x) with slope 1/6 and offset 1/2."""
    for x, gate in (node.inputs, node.inputs[::-1]):
        hard = rewrite.private(gate, "HardSigmoid")
        if x is None or hard is None or hard.inputs[0] is not x:
            continue
        if _close(attribute(hard, "alpha"), 1 / 6) and _close(attribute(hard, "beta"), 0.5):
            rewrite.replace(node, "HardSwish", [x])
            return True
    return False


def _layer_norm(rewrite: Rewrite, node: Node) -> bool:
    """(x - mean) / sqrt(mean((x - mean)^2) + epsilon) over the last axis."""
    centred, root = node.inputs
    sqrt = rewrite.private(root, "Sqrt")
    shifted = _split(rewrite.private(sqrt.inputs[0], "Add")) if sqrt is not None else None
    variance = rewrite.private(shifted[0], "ReduceMean") if shifted is not None else None
    sub = rewrite.producer(centred, "Sub")
    if variance is None or shifted is None or sub is None or centred is None:
        return False
    if not _is_square(rewrite, variance.inputs[0], centred):
        return False
    x, mean_value = sub.inputs
    mean = rewrite.private(mean_value, "ReduceMean")
    if x is None or mean is None or mean.inputs[0] is not x:
        return False
    if not (_is_last_axis(mean, x) and _is_last_axis(variance, x)):
        return False
    assert x.type is not None
    name = node.outputs[0].name
    ones = constant(f"{name}.ones", np.ones(shape(x)[-1], x.type.dtype))
    attributes = {"axis": -1, "epsilon": shifted[1]}
    rewrite.replace(node, "LayerNormalization", [x, ones, None], **attributes)
    return True


def _is_square(rewrite: Rewrite, value: Value | None, x: Value) -> bool:
    node = rewrite.private(value, "Pow", "Mul")
    if node is None or node.inputs[0] is not x:
        return False
    return scalar(node.inputs[1]) == 2.0 if node.op == "Pow" else node.inputs[1] is x


def _is_last_axis(node: Node, x: Value) -> bool:
    axes = node.input(1)
    rank = len(shape(x))
    if axes is None or axes.data is None or not attribute(node, "keepdims"):
        return False
    return [axis % rank for axis in axes.data.tolist()] == [rank - 1]


def _affine(rewrite: Rewrite, node: Node) -> bool:
    """A vector that multiplies or is added after a LayerNormalization becomes its parameter."""
    for x, vector in (node.inputs, node.inputs[::-1]):
        norm = rewrite.private(x, "LayerNormalization")
        if norm is None or vector is None or vector.data is None or norm.inputs[1] is None:
            continue
        if vector.data.shape != shape(norm.outputs[0])[-1:]:
            continue
        scale, bias = norm.inputs[1], norm.input(2)
        if node.op == "Add" and bias is None:
            inputs = [norm.inputs[0], scale, vector]
        elif (
            node.op == "Mul" and bias is None and scale.data is not None and (scale.data == 1).all()
        ):
            inputs = [norm.inputs[0], vector, None]
        else:
            continue
        rewrite.replace(node, "LayerNormalization", inputs, **norm.attributes)
        return True
    return False


def _group_norm(rewrite: Rewrite, node: Node) -> bool:
    """A normalisation of single channels, each of which is a group laid side by side."""
    norm = rewrite.private(node.inputs[0], "GroupNormalization")
    grouped = rewrite.private(norm.inputs[0], "Reshape") if norm is not None else None
    x = grouped.inputs[0] if grouped is not None else None
    if norm is None or grouped is None or x is None:
        return False
    extents, groups = shape(x), shape(grouped.outputs[0])
    if x.type != node.outputs[0].type or len(extents) < 3 or extents[0] != groups[0]:
        return False
    parameters = [_per_group(value, extents[1], groups[1]) for value in norm.inputs[1:3]]
    if attribute(norm, "num_groups") != groups[1] or any(vector is None for vector in parameters):
        return False
    attributes = {"num_groups": groups[1], "epsilon": attribute(norm, "epsilon")}
    rewrite.replace(node, "GroupNormalization", [x, *parameters], **attributes)
    return True


def _per_group(value: Value | None, channels: int, groups: int) -> Value | None:
    """A constant with an element per group as one with an element per channel."""
    if value is None or value.data is None or not groups or channels % groups:
        return None
    return constant(f"{value.name}.channels", np.repeat(value.data, channels // groups))


def _group_affine(rewrite: Rewrite, node: Node) -> bool:
    """A constant per channel that multiplies or is added after a GroupNormalization."""
    for x, term in (node.inputs, node.inputs[::-1]):
        norm = rewrite.private(x, "GroupNormalization")
        if norm is None or x is None or x.type != node.outputs[0].type:
            continue
        scale, bias = (None if value is None else value.data for value in norm.inputs[1:3])
        vector = _channel_vector(term, shape(norm.outputs[0]))
        if vector is None or scale is None or bias is None:
            continue
        added = node.op == "Add"
        folded = (scale, bias + vector) if added else (scale * vector, bias * vector)
        names = (f"{node.outputs[0].name}.scale", f"{node.outputs[0].name}.bias")
        vectors = [constant(name, data) for name, data in zip(names, folded, strict=True)]
        inputs = [rewrite.inputs(norm)[0], *vectors]
        rewrite.replace(node, "GroupNormalization", inputs, **norm.attributes)
        return True
    return False


def _channel_vector(value: Value | None, extents: tuple[int, ...]) -> Array | None:
    """A constant that varies along axis 1 at most, with an element per channel."""
    if value is None or value.data is None or value.data.ndim > len(extents):
        return None
    padded = (1,) * (len(extents) - value.data.ndim) + value.data.shape
    if any(extent != 1 for axis, extent in enumerate(padded) if axis != 1):
        return None
    return np.broadcast_to(value.data.reshape(-1), extents[1:2])


def _safe_softmax(rewrite: Rewrite, node: Node) -> bool:
    """A Softmax with zeros in the place of NaN, which exporters write for rows that are all masked.

    Ours gives zeros there by itself. Of scores that are NaN it makes NaN, as the framework does
    in which such models are written.
    """
    condition, other, x = node.inputs
    test = rewrite.producer(condition, "IsNaN")
    softmax = rewrite.producer(x, "Softmax")
    if test is None or softmax is None or x is None or test.inputs[0] is not x:
        return False
    if scalar(other) != 0 or x.type != node.outputs[0].type:
        return False
    rewrite.substitute(node.outputs[0], x)
    return True


_RULES: dict[str, tuple[_Rule, ...]] = {
    "Mul": (_gelu, _silu, _hard_swish, _affine, _group_affine),
    "Add": (_affine, _group_affine),
    "Reshape": (_group_norm,),
    "Where": (_safe_softmax,),
    "Div": (_layer_norm,),
}
