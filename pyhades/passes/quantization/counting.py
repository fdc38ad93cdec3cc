"""Products of numbers on grids are sums of integers: multiply the integers, and scale the sums.

A number on a grid is a count of steps times the scale. Where a convolution or a matrix product
reads such numbers, it gets the counts, as floats: products and sums of integers are exact in
float32 up to 2^24, in any order and on any tier. What is multiplied by the scales is the sum, once.
Where the sum goes to a grid again, its scale joins theirs, so that there is one multiplication
between the integers of one layer and those of the next, as integer kernels have it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pyhades.ir.carried import moves
from pyhades.ir.graph import Graph, Node, TensorType, Value
from pyhades.ir.grid_points import integers_of
from pyhades.ir.inference import constant
from pyhades.ir.quantization import Quantization
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.numerics.quantization import spread
from pyhades.passes.decompose.rule import Builder, dtype_of, source
from pyhades.passes.rewriting import Array, Rewrite

_FLOAT32 = np.dtype(np.float32)
_LARGEST_BIAS = 1 << 23


def count_steps(graph: Graph) -> Graph:
    """Let products read counts of steps; scales move behind them, and behind what moves numbers."""
    rewrite = Rewrite(graph)
    counts = _Counts(rewrite)
    for node in rewrite.nodes:
        node.inputs = rewrite.inputs(node)
        if dtype_of(node.outputs[0]) == _FLOAT32:
            counts.visit(node)
        elif node.op == "QuantizeU8":
            counts.store_bytes(node)
    return rewrite.finish()


@dataclass
class _Counts:
    """What is known of values so far."""

    rewrite: Rewrite
    counts: dict[Value, Value] = field(default_factory=dict)
    """Values on a grid with one scale, to their counts of steps."""
    bytes: dict[Value, Node] = field(default_factory=dict)
    """Values that bytes stand for, to what makes them of bytes."""
    sums: dict[Value, tuple[Value, Array]] = field(default_factory=dict)
    """Products, to their sums of integers and what these are multiplied by."""
    means: dict[Value, tuple[Value, Array]] = field(default_factory=dict)
    """Means of numbers on a grid, to those of their counts of steps, and the step."""

    def visit(self, node: Node) -> None:
        """Rewrite one node, after those before it."""
        build = Builder(self.rewrite, node)
        if node.op == "FakeQuantize":
            self._put_on_grid(build, node)
        elif node.op == "DequantizeU8":
            self.bytes[node.outputs[0]] = node
        elif node.op == "Relu":
            self._keep_sign(build, node)
        elif node.op in ("Conv", "ConvTranspose", "MatMul", "FusedMatMul"):
            self._multiply(build, node)
        elif _averages(node):
            self._average(build, node)
        elif moves(node) and len(node.outputs) == 1:
            self._move(build, node)

    def store_bytes(self, node: Node) -> None:
        """One multiplication from the sums of a product to bytes."""
        scale, x = np.float32(attribute(node, "scale")), source(node)
        if x in self.sums and scale != 1:
            build, (sums, factor) = Builder(self.rewrite, node), self.sums[x]
            both = constant(f"{build.name}.factor", np.asarray(factor / scale, np.float32))
            quotient = build.apply("Mul", sums, both, suffix="quotient")
            build.become("QuantizeU8", quotient, scale=1.0, zero=attribute(node, "zero"))

    def _count_bytes(self, node: Node, grid: Quantization) -> Value:
        """The steps of bytes, made where the first product asks for them."""
        if _is_one(grid.scale):
            return node.outputs[0]
        attributes = {"scale": 1.0, "zero": attribute(node, "zero")}
        build = Builder(self.rewrite, node)
        return build.apply("DequantizeU8", source(node), suffix="steps", **attributes)

    def _put_on_grid(self, build: Builder, node: Node) -> None:
        grid = _one_grid(node.outputs[0])
        if grid is None:
            return
        x = source(node)
        if dtype_of(x) != _FLOAT32:
            return
        if _is_one(grid.scale):
            self.counts[node.outputs[0]] = node.outputs[0]
            return
        scale = grid.scale.reshape(())
        one = constant(f"{build.name}.one", np.ones((), np.float32))
        if x in self.sums:
            sums, factor = self.sums[x]
            both = constant(f"{build.name}.factor", np.asarray(factor / scale, np.float32))
            quotient = build.apply("Mul", sums, both, suffix="quotient")
        elif x in self.means:
            means, step = self.means[x]
            steps_of_x = constant(f"{build.name}.step", np.asarray(scale / step, np.float32))
            quotient = build.apply("Div", means, steps_of_x, suffix="quotient")
        else:
            quotient = build.apply("Div", x, source(node, 1), suffix="quotient")
        inputs = [quotient, one, node.input(2)]
        steps = build.apply("FakeQuantize", *inputs, suffix="steps", **node.attributes)
        self._scale_later(build, node, steps, scale)

    def _move(self, build: Builder, node: Node) -> None:
        grid = _one_grid(node.outputs[0])
        if grid is None:
            return
        count = len(node.inputs) if node.op == "Concat" else 1
        moved = [self._count_of(value) for value in node.inputs[:count]]
        if any(value is None for value in moved):
            return
        inputs = [*moved, *node.inputs[count:]]
        steps = build.apply(node.op, *inputs, suffix="steps", **node.attributes)
        self._scale_later(build, node, steps, grid.scale.reshape(()))

    def _average(self, build: Builder, node: Node) -> None:
        """Weights that add up to one: of counts as of numbers, and scaled once."""
        x = source(node)
        grid, count = _one_grid(x), self._count_of(x)
        if grid is None or count is None or _is_one(grid.scale):
            return
        inputs = [count, *node.inputs[1:]]
        means = build.apply(node.op, *inputs, suffix="means", **node.attributes)
        scale = grid.scale.reshape(())
        self.means[node.outputs[0]] = means, scale
        build.become("Mul", means, constant(f"{build.name}.scale", np.asarray(scale, np.float32)))

    def _count_of(self, value: Value | None) -> Value | None:
        """The steps of a value with one scale, which may be constant."""
        grid = None if value is None else _one_grid(value)
        if value is None or grid is None:
            return None
        if value.is_constant:
            return _constant_counts(value, grid)
        if value in self.bytes and value not in self.counts:
            self.counts[value] = self._count_bytes(self.bytes[value], grid)
        return self.counts.get(value)

    def _scale_later(self, build: Builder, node: Node, steps: Value, scale: Array) -> None:
        self.counts[node.outputs[0]] = steps
        build.become("Mul", steps, constant(f"{build.name}.scale", np.asarray(scale, np.float32)))

    def _keep_sign(self, build: Builder, node: Node) -> None:
        """Where the sum is negative, so is the product: ``relu`` may come before the scale."""
        x = source(node)
        if x in self.sums and (self.sums[x][1] > 0).all():
            sums, factor = self.sums[x]
            positive = build.apply("Relu", sums, suffix="positive")
            self.sums[node.outputs[0]] = positive, factor

    def _multiply(self, build: Builder, node: Node) -> None:
        a, b = source(node), source(node, 1)
        grids = (_one_grid(a), _grid(b))
        if grids[0] is None or grids[1] is None:
            return
        left, scales = self._count_of(a), _scales_of_outputs(node, grids[1])
        right = self._count_of(b) if not b.is_constant else _constant_counts(b, grids[1])
        if left is None or right is None or scales is None:
            return
        factor = np.asarray(grids[0].scale.reshape(()) * scales, np.float32)
        if _is_one(factor):
            return
        whole, rest = _split_bias(build, node, factor)
        attributes = {key: item for key, item in node.attributes.items() if key != "alpha"}
        inputs = [left, right, *([] if whole is None else [whole])]
        sums = build.apply(node.op, *inputs, suffix="sums", **attributes)
        if node.op == "FusedMatMul":
            factor = np.asarray(factor * np.float32(attribute(node, "alpha")), np.float32)
        if rest is None:
            self.sums[node.outputs[0]] = sums, factor
        multiplier = constant(f"{build.name}.factor", factor)
        if rest is None:
            build.become("Mul", sums, multiplier)
        else:
            build.become("Add", build.apply("Mul", sums, multiplier, suffix="scaled"), rest)


def _averages(node: Node) -> bool:
    """Whether sums of counts are exact, or nearly: those of a window are left as they are."""
    if node.op == "Resize":
        mode = attribute(node, "coordinate_transformation_mode")
        return bool(attribute(node, "mode") != "nearest" and mode != "tf_crop_and_resize")
    return node.op == "ReduceMean"


def _grid(value: Value) -> Quantization | None:
    return None if value.type is None else value.type.quantization


def _one_grid(value: Value) -> Quantization | None:
    """The grid of a value that has one scale for the whole tensor."""
    grid = _grid(value)
    return grid if grid is not None and grid.axis is None else None


def _is_one(scale: Array) -> bool:
    return bool((scale == 1).all())


def _constant_counts(value: Value, grid: Quantization) -> Value:
    """How many steps from 0 the numbers of a constant are."""
    assert value.kept is not None
    counts: Array = integers_of(value.kept, grid).astype(np.float32)
    if grid.zero_point is not None:
        zero = spread(grid.zero_point, counts.shape, grid.axis or 0, grid.block_size)
        counts = np.asarray(counts - zero, np.float32)
    centred = grid.zero_point is None or not grid.zero_point.any()
    storage = grid.storage if centred else "int32"
    unit = Quantization(np.ones((), np.float32), None, storage)
    kind = TensorType(counts.dtype, counts.shape, unit)
    return Value(f"{value.name}.steps", kind, counts)


def _scales_of_outputs(node: Node, grid: Quantization) -> Array | None:
    """What sums are multiplied by for the second operand; None if that differs within a sum."""
    rank = len(shape(source(node, 1)))
    own = {"Conv": 0, "ConvTranspose": 1}.get(node.op, rank - 1)
    if grid.axis is None:
        return grid.scale.reshape(())
    if grid.axis != own or grid.block_size or grid.scale.ndim != 1:
        return None
    if node.op == "ConvTranspose" and attribute(node, "group") != 1:
        return None
    if not node.op.startswith("Conv"):
        return grid.scale
    return grid.scale.reshape(-1, *[1] * (rank - 2))


def _split_bias(build: Builder, node: Node, factor: Array) -> tuple[Value | None, Value | None]:
    """The bias as an integer to add to the sums, or as a number to add to the scaled ones."""
    bias = node.input(2)
    if bias is None:
        return None, None
    data = bias.data
    if data is not None and (node.op != "FusedMatMul" or attribute(node, "alpha") == 1):
        ratio = data.astype(np.float64) / factor.astype(np.float64).reshape(-1)
        whole = np.rint(ratio)
        close = np.abs(ratio - whole) <= np.abs(ratio) * 2.0**-22
        if close.all() and np.abs(whole).max(initial=0) < _LARGEST_BIAS:
            return constant(f"{build.name}.bias", whole.astype(np.float32)), None
    rank = len(shape(node.outputs[0]))
    column = (-1, *[1] * (rank - 2)) if node.op.startswith("Conv") else (-1,)
    if data is not None:
        return None, constant(f"{build.name}.bias", data.reshape(column))
    return None, build.reshape(bias, [shape(bias)[0], *column[1:]], "bias")
