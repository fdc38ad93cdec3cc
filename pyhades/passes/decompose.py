"""Express operators by simpler ones, so that later passes and the lowering see fewer kinds.

Movement becomes Reshape, Transpose, Slice and Expand (all views); Gemm becomes a FusedMatMul;
variadic arithmetic becomes chains; global pooling becomes a reduction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.registry import attribute
from pyhades.passes.rewriting import Rewrite, shape

_RULES: dict[str, Callable[[Rewrite, Node], None]] = {}


def decompose(graph: Graph) -> Graph:
    """Apply the rule of every node that has one. Types must be static."""
    rewrite = Rewrite(graph)
    for node in rewrite.nodes:
        node.inputs = rewrite.inputs(node)
        rule = _RULES.get(node.op)
        if rule is not None:
            rule(rewrite, node)
    return rewrite.finish()


def _rule(
    *ops: str,
) -> Callable[[Callable[[Rewrite, Node], None]], Callable[[Rewrite, Node], None]]:
    def register(function: Callable[[Rewrite, Node], None]) -> Callable[[Rewrite, Node], None]:
        _RULES.update(dict.fromkeys(ops, function))
        return function

    return register


def _source(node: Node, index: int = 0) -> Value:
    value = node.inputs[index]
    assert value is not None
    return value


def _dtype(value: Value) -> np.dtype[Any]:
    assert value.type is not None
    return value.type.dtype


def _integers(name: str, numbers: Sequence[int]) -> Value:
    return constant(name, np.array(numbers, np.int64))


class _Builder:
    """Short names for the view operators, before a given node."""

    def __init__(self, rewrite: Rewrite, node: Node) -> None:
        self.rewrite, self.node, self.name = rewrite, node, node.outputs[0].name

    def apply(self, op: str, *inputs: Value | None, suffix: str, **attributes: Any) -> Value:
        return self.rewrite.new(op, inputs, f"{self.name}.{suffix}", self.node, **attributes)

    def reshape(self, x: Value, extents: Sequence[int], suffix: str = "reshaped") -> Value:
        target = _integers(f"{self.name}.{suffix}.shape", extents)
        return self.apply("Reshape", x, target, suffix=suffix, allowzero=1)

    def transpose(self, x: Value, perm: Sequence[int]) -> Value:
        return self.apply("Transpose", x, suffix="transposed", perm=list(perm))

    def slice(self, x: Value, axis: int, start: int, stop: int, suffix: str = "slice") -> Value:
        bounds = [_integers(f"{self.name}.{suffix}.{n}", [n]) for n in (start, stop, axis)]
        return self.apply("Slice", x, *bounds, suffix=suffix)

    def finish_reshape(self, x: Value) -> None:
        target = _integers(f"{self.name}.shape", shape(self.node.outputs[0]))
        self.rewrite.replace(self.node, "Reshape", [x, target], allowzero=1)


@_rule("Squeeze", "Unsqueeze", "Flatten")
def _reshape(rewrite: Rewrite, node: Node) -> None:
    _Builder(rewrite, node).finish_reshape(_source(node))


@_rule("Gather")
def _gather(rewrite: Rewrite, node: Node) -> None:
    """A gather at one constant position is a slice."""
    data, indices = _source(node), _source(node, 1)
    if indices.data is None or indices.data.size != 1:
        return
    build = _Builder(rewrite, node)
    extents = shape(data)
    axis = attribute(node, "axis") % len(extents)
    position = int(indices.data.reshape(-1)[0]) % extents[axis]
    build.finish_reshape(build.slice(data, axis, position, position + 1))


@_rule("Split")
def _split(rewrite: Rewrite, node: Node) -> None:
    build, x = _Builder(rewrite, node), _source(node)
    axis = attribute(node, "axis") % len(shape(x))
    start = 0
    for index, value in enumerate(node.outputs):
        stop = start + shape(value)[axis]
        rewrite.substitute(value, build.slice(x, axis, start, stop, f"part{index}"))
        start = stop


@_rule("DepthToSpace")
def _depth_to_space(rewrite: Rewrite, node: Node) -> None:
    build, x, s = _Builder(rewrite, node), _source(node), attribute(node, "blocksize")
    n, c, h, w = shape(x)
    deep = c // (s * s)
    if attribute(node, "mode") == "DCR":
        blocks = build.transpose(build.reshape(x, (n, s, s, deep, h, w)), (0, 3, 4, 1, 5, 2))
    else:
        blocks = build.transpose(build.reshape(x, (n, deep, s, s, h, w)), (0, 1, 4, 2, 5, 3))
    build.finish_reshape(blocks)


@_rule("SpaceToDepth")
def _space_to_depth(rewrite: Rewrite, node: Node) -> None:
    build, x, s = _Builder(rewrite, node), _source(node), attribute(node, "blocksize")
    n, c, h, w = shape(x)
    perm = (0, 3, 5, 1, 2, 4) if attribute(node, "mode") == "DCR" else (0, 1, 3, 5, 2, 4)
    blocks = build.reshape(x, (n, c, h // s, s, w // s, s))
    build.finish_reshape(build.transpose(blocks, perm))


@_rule("Tile")
def _tile(rewrite: Rewrite, node: Node) -> None:
    build, x, repeats = _Builder(rewrite, node), _source(node), _source(node, 1)
    if repeats.data is None:
        return
    counts = [int(count) for count in repeats.data]
    extents = shape(x)
    thin = [extent for pair in zip([1] * len(extents), extents, strict=True) for extent in pair]
    wide = [extent for pair in zip(counts, extents, strict=True) for extent in pair]
    target = _integers(f"{build.name}.repeats", wide)
    expanded = build.apply("Expand", build.reshape(x, thin), target, suffix="expanded")
    build.finish_reshape(expanded)


@_rule("Sum", "Mean", "Min", "Max")
def _variadic(rewrite: Rewrite, node: Node) -> None:
    """Two operands at a time."""
    build = _Builder(rewrite, node)
    op = {"Sum": "Add", "Mean": "Add"}.get(node.op, node.op)
    values = [value for value in node.inputs if value is not None]
    last = node.op in ("Mean",)
    if len(values) == 1:
        rewrite.substitute(node.outputs[0], values[0])
        return
    if len(values) == 2 and op == node.op:
        return
    total = values[0]
    for index, value in enumerate(values[1:-1] if not last else values[1:]):
        total = build.apply(op, total, value, suffix=f"term{index}")
    if not last:
        rewrite.replace(node, op, [total, values[-1]])
        return
    kind = node.outputs[0].type
    assert kind is not None
    factor = constant(f"{build.name}.factor", np.asarray(1 / len(values), kind.dtype))
    rewrite.replace(node, "Mul", [total, factor])


@_rule("GlobalAveragePool", "GlobalMaxPool")
def _global_pool(rewrite: Rewrite, node: Node) -> None:
    x = _source(node)
    axes = _integers(f"{node.outputs[0].name}.axes", range(2, len(shape(x))))
    op = "ReduceMean" if node.op == "GlobalAveragePool" else "ReduceMax"
    rewrite.replace(node, op, [x, axes], keepdims=1)


@_rule("Gemm")
def _gemm(rewrite: Rewrite, node: Node) -> None:
    """Alpha * a @ b + beta * c, the last as a bias if it is one row."""
    build = _Builder(rewrite, node)
    a, b, c = _source(node), _source(node, 1), node.input(2)
    kind = node.outputs[0].type
    assert kind is not None
    if kind.dtype.kind != "f":
        return
    a = build.transpose(a, (1, 0)) if attribute(node, "transA") else a
    b = build.transpose(b, (1, 0)) if attribute(node, "transB") else b
    alpha, beta = float(attribute(node, "alpha")), float(attribute(node, "beta"))
    if c is not None and beta != 1.0:
        factor = constant(f"{build.name}.beta", np.asarray(beta, kind.dtype))
        c = build.apply("Mul", c, factor, suffix="scaled")
    columns = kind.static_shape[1]
    if c is None or (shape(c) in ((columns,), (1, columns))):
        bias = None if c is None else build.reshape(c, (columns,))
        rewrite.replace(node, "FusedMatMul", [a, b, bias], alpha=alpha)
        return
    product = build.apply("FusedMatMul", a, b, suffix="product", alpha=alpha)
    rewrite.replace(node, "Add", [product, c])


@_rule("MatMul")
def _vector_product(rewrite: Rewrite, node: Node) -> None:
    """A vector is a matrix of one row (left) or one column (right)."""
    a, b = _source(node), _source(node, 1)
    if len(shape(a)) > 1 and len(shape(b)) > 1:
        return
    build = _Builder(rewrite, node)
    a = build.reshape(a, (1, *shape(a)), "row") if len(shape(a)) == 1 else a
    b = build.reshape(b, (*shape(b), 1), "column") if len(shape(b)) == 1 else b
    build.finish_reshape(build.apply("MatMul", a, b, suffix="product"))


@_rule("Clip")
def _clip(rewrite: Rewrite, node: Node) -> None:
    """Max and Min where a bound is no number, or the dtype has no pointwise programs."""
    x, low, high = _source(node), node.input(1), node.input(2)
    constant_bounds = all(bound is None or bound.data is not None for bound in (low, high))
    if (_dtype(x) == np.float32 and constant_bounds) or (low is None and high is None):
        return
    build = _Builder(rewrite, node)
    if low is not None and high is not None:
        x = build.apply("Max", x, low, suffix="bounded")
    rewrite.replace(node, "Max" if high is None else "Min", [x, low if high is None else high])


@_rule("PRelu", "LeakyRelu")
def _leaky(rewrite: Rewrite, node: Node) -> None:
    """A comparison and a choice for dtypes that have no pointwise programs."""
    x = _source(node)
    if _dtype(x) == np.float32:
        return
    build = _Builder(rewrite, node)
    if node.op == "PRelu":
        slope = _source(node, 1)
    else:
        slope = constant(f"{build.name}.slope", np.asarray(attribute(node, "alpha"), _dtype(x)))
    zero = constant(f"{build.name}.zero", np.zeros((), _dtype(x)))
    scaled = build.apply("Mul", x, slope, suffix="scaled")
    negative = build.apply("Less", x, zero, suffix="negative")
    rewrite.replace(node, "Where", [negative, scaled, x])


@_rule("Pow")
def _pow(rewrite: Rewrite, node: Node) -> None:
    """Operands of one dtype; a fractional power of integers is taken in float64."""
    a, b = _source(node), _source(node, 1)
    if _dtype(a) == _dtype(b):
        return
    build = _Builder(rewrite, node)
    exact = _dtype(a).kind == "f" or _dtype(b).kind != "f"
    wide = _dtype(a) if exact else np.dtype(np.float64)
    a, b = (
        value if _dtype(value) == wide else build.apply("Cast", value, suffix=f"wide{i}", to=wide)
        for i, value in enumerate((a, b))
    )
    if exact:
        rewrite.replace(node, "Pow", [a, b])
    else:
        rewrite.replace(
            node, "Cast", [build.apply("Pow", a, b, suffix="power")], to=_dtype(node.outputs[0])
        )


@_rule("LpNormalization")
def _lp_normalization(rewrite: Rewrite, node: Node) -> None:
    """X / norm, where a zero norm (which divides zeros) counts as the smallest positive number."""
    build, x = _Builder(rewrite, node), _source(node)
    axes = _integers(f"{build.name}.axes", [attribute(node, "axis")])
    op = "ReduceL1" if attribute(node, "p") == 1 else "ReduceL2"
    norm = build.apply(op, x, axes, suffix="norm", keepdims=1)
    assert x.type is not None
    tiny = constant(f"{build.name}.tiny", np.asarray(np.finfo(x.type.dtype).tiny, x.type.dtype))
    rewrite.replace(node, "Div", [x, build.apply("Max", norm, tiny, suffix="positive")])
