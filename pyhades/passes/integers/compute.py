"""Let bytes flow between the products that multiply them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np

from pyhades.ir.carried import moves
from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.decompose.rule import Builder, dtype_of, source
from pyhades.passes.integers.edges import ByteGrid, Edge, Edges
from pyhades.passes.integers.tables import tabulated
from pyhades.passes.integers.weights import NotInIntegers, Weight, scaling_of, weight_of
from pyhades.passes.rewriting import Rewrite

log = logging.getLogger(__name__)

PRODUCTS = {
    "Conv": "QConv",
    "ConvTranspose": "QConvTranspose",
    "MatMul": "QMatMul",
    "FusedMatMul": "QMatMul",
}
"""Products of floats, and the products of integers that compute the same."""

_FLOAT32 = np.dtype(np.float32)


def compute_in_integers(graph: Graph) -> Graph:
    """Replace products of numbers on grids of 8 bits, and what moves such numbers.

    A graph of which no product can be computed in integers stays as it is.
    """
    flow = _Flow(Rewrite(graph))
    for node in flow.rewrite.nodes:
        node.inputs = flow.rewrite.inputs(node)
        flow.visit(node)
    _report(graph, flow)
    return flow.rewrite.finish() if flow.done else graph


def _report(graph: Graph, flow: _Flow) -> None:
    if flow.reasons:
        named = "; ".join(f"{name}: {reason}" for name, reason in flow.reasons.items())
        log.info(
            "%s: %d products of quantised numbers run on int8 kernels, %d in float32 (%s)",
            graph.source or graph.name,
            flow.done,
            len(flow.reasons),
            named,
        )


class _Flow:
    """What is known of values so far."""

    def __init__(self, rewrite: Rewrite) -> None:
        self.rewrite = rewrite
        self.edges = Edges()
        self.run_time: dict[Value, Node] = {}
        """Steps of 1 from a zero point that is computed, to the node that counts them."""
        self._run_time_bytes: dict[Node, Value] = {}
        self.done = 0
        self.reasons: dict[str, str] = {}
        self._weights: dict[int, tuple[Weight, Value]] = {}

    def visit(self, node: Node) -> None:
        """Rewrite one node, after those before it."""
        build = Builder(self.rewrite, node)
        if node.op == "FakeQuantize":
            self._put_on_grid(build, node)
        elif node.op == "DequantizeU8":
            grid = ByteGrid(float(attribute(node, "scale")), int(attribute(node, "zero")))
            self.edges[node.outputs[0]] = Edge(source(node), grid)
        elif node.op in PRODUCTS:
            self._multiply(build, node)
        elif node.op == "Pad":
            self._pad(build, node)
        elif moves(node) and len(node.outputs) == 1:
            self._move(build, node)

    def _multiply(self, build: Builder, node: Node) -> None:
        x = self.edges.get(source(node))
        weight_value = source(node, 1)
        if dtype_of(node.outputs[0]) != _FLOAT32 or not _is_on_grid(weight_value):
            return
        try:
            dynamic = None if node.op == "ConvTranspose" else self.run_time.get(source(node))
            if x is None and dynamic is None:
                if _is_on_grid(source(node)):
                    raise NotInIntegers("the first operand has other grids than one of 8 bits")
                return
            weight = weight_of(node)
            scaling = scaling_of(node, 1.0 if x is None else x.grid.scale, weight.scales)
        except NotInIntegers as reason:
            self.reasons[node.name or node.outputs[0].name] = str(reason)
            return
        self.done += 1
        name = build.name
        bias, factor, offset = (
            None if array is None else constant(f"{name}.{what}", array)
            for what, array in (
                ("bias", scaling.bias),
                ("factor", scaling.factor),
                ("offset", scaling.offset),
            )
        )
        attributes = {key: item for key, item in node.attributes.items() if key != "alpha"}
        w = constant(f"{weight_value.name}.int8", weight.integers)
        if x is not None:
            inputs = _trimmed([x.q, w, bias, None, factor, offset])
            attributes["x_zero"] = x.grid.zero
        else:
            assert dynamic is not None
            q = self._bytes_at_run_time(dynamic)
            inputs = [q, w, bias, None, factor, offset, source(dynamic, 2)]
        build.become(PRODUCTS[node.op], *inputs, **attributes)

    def _put_on_grid(self, build: Builder, node: Node) -> None:
        grid = ByteGrid.of(node.outputs[0])
        if grid is None and _has_run_time_zero(node):
            self.run_time[node.outputs[0]] = node
            return
        if grid is None or dtype_of(source(node)) != _FLOAT32:
            return
        q = self._bytes(build, source(node), grid)
        self._become(build, node, Edge(q, grid))

    def _bytes_at_run_time(self, node: Node) -> Value:
        """Bytes whose zero point is computed: ``limit(round(x) + zero)``."""
        if node not in self._run_time_bytes:
            build = Builder(self.rewrite, node)
            point = build.reshape(build.cast(source(node, 2), _FLOAT32, "zero"), (), "point")
            steps = build.apply("Round", source(node), suffix="round")
            shifted = build.apply("Add", steps, point, suffix="shifted")
            q = self._run_time_bytes[node] = build.apply("QuantizeU8", shifted, suffix="bytes")
            build.become("Sub", build.apply("DequantizeU8", q, suffix="wide"), point)
        return self._run_time_bytes[node]

    def _bytes(self, build: Builder, x: Value, grid: ByteGrid) -> Value:
        """What puts ``x`` on a grid of bytes."""
        edge = self.edges.find(x)
        if edge is not None:
            return edge.on(build, grid, "bytes")
        joined = self.rewrite.private(x, "Concat")
        if joined is not None:
            parts = self._parts(build, joined, grid)
            return build.apply("Concat", *parts, suffix="bytes", **joined.attributes)
        pooled = self.rewrite.private(x, *_POOLS)
        edge = None if pooled is None else self.edges.get(source(pooled))
        if pooled is not None and edge is not None:
            q = _POOLS[pooled.op](build, pooled, edge, grid)
            if q is not None:
                return q
        looked_up = tabulated(build, self.edges, x, grid)
        if looked_up is not None:
            return looked_up
        return build.apply("QuantizeU8", x, suffix="bytes", scale=grid.scale, zero=grid.zero)

    def _parts(self, build: Builder, joined: Node, grid: ByteGrid) -> list[Value]:
        parts = []
        for index, part in enumerate(self.rewrite.inputs(joined)):
            assert part is not None
            edge, suffix = self.edges.find(part), f"part{index}"
            parts.append(
                edge.on(build, grid, suffix)
                if edge is not None
                else build.apply(
                    "QuantizeU8", part, suffix=suffix, scale=grid.scale, zero=grid.zero
                )
            )
        return parts

    def _move(self, build: Builder, node: Node) -> None:
        count = len(node.inputs) if node.op == "Concat" else 1
        moved = [self.edges.find(value) for value in node.inputs[:count]]
        first = moved[0]
        if first is None or any(edge is None or edge.grid != first.grid for edge in moved):
            return
        inputs = [*(edge.q for edge in moved if edge is not None), *node.inputs[count:]]
        q = build.apply(node.op, *inputs, suffix="bytes", **node.attributes)
        self._become(build, node, Edge(q, first.grid))

    def _pad(self, build: Builder, node: Node) -> None:
        """Pads of zeros, or of what is there, lie on the grid."""
        edge = self.edges.get(source(node))
        fill = node.input(2)
        zeros = fill is None or (fill.data is not None and not fill.data.any())
        if edge is None or not (zeros or attribute(node, "mode") != "constant"):
            return
        zero = constant(f"{build.name}.zero", np.array(edge.grid.zero, np.uint8))
        inputs = [edge.q, node.inputs[1], zero, *node.inputs[3:]]
        q = build.apply("Pad", *inputs, suffix="bytes", **node.attributes)
        self._become(build, node, Edge(q, edge.grid))

    def _become(self, build: Builder, node: Node, edge: Edge) -> None:
        self.edges[node.outputs[0]] = edge
        build.become("DequantizeU8", edge.q, scale=edge.grid.scale, zero=edge.grid.zero)


def _trimmed(inputs: Sequence[Value | None]) -> list[Value | None]:
    present = list(inputs)
    while present and present[-1] is None:
        present.pop()
    return present


def _has_run_time_zero(node: Node) -> bool:
    """Whether a node counts steps of 1 from a byte that is computed."""
    scale, zero = source(node, 1), node.input(2)
    is_byte = zero is not None and zero.data is None and dtype_of(zero) == np.uint8
    is_unit = scale.data is not None and scale.data.size == 1 and bool((scale.data == 1).all())
    return is_byte and is_unit and zero is not None and shape(zero) in ((), (1,))


def _is_on_grid(value: Value) -> bool:
    return value.type is not None and value.type.quantization is not None


def _grids(grid: ByteGrid, to: ByteGrid) -> dict[str, float]:
    names = ("x_scale", "x_zero", "y_scale", "y_zero")
    return dict(zip(names, (grid.scale, grid.zero, to.scale, to.zero), strict=True))


def _resize(build: Builder, node: Node, edge: Edge, grid: ByteGrid) -> Value | None:
    """Interpolation of images; cropping may put other numbers around them."""
    before, after = shape(edge.q), shape(node.outputs[0])
    if len(before) > 4 or before[:-2] != after[:-2]:
        return None
    if attribute(node, "coordinate_transformation_mode") == "tf_crop_and_resize":
        return None
    inputs = [edge.q, *build.rewrite.inputs(node)[1:]]
    attributes = {**node.attributes, **_grids(edge.grid, grid)}
    return build.apply("QResize", *inputs, suffix="bytes", **attributes)


def _average(build: Builder, node: Node, edge: Edge, grid: ByteGrid) -> Value | None:
    attributes = {**node.attributes, **_grids(edge.grid, grid)}
    return build.apply("QAveragePool", edge.q, suffix="bytes", **attributes)


def _mean(build: Builder, node: Node, edge: Edge, grid: ByteGrid) -> Value | None:
    """The mean of a plane is that of one window."""
    axes, extents = node.input(1), shape(edge.q)
    if len(extents) != 4 or axes is None or axes.data is None:
        return None
    if sorted(axis % 4 for axis in axes.data.reshape(-1).tolist()) != [2, 3]:
        return None
    # Of steps, whose sums are exact.
    steps, ends = ByteGrid(1.0, edge.grid.zero), ByteGrid(grid.steps_of(edge.grid), grid.zero)
    attributes = {"kernel_shape": list(extents[2:]), **_grids(steps, ends)}
    q = build.apply("QAveragePool", edge.q, suffix="mean", **attributes)
    return build.reshape(q, shape(node.outputs[0]), "bytes")


_POOLS: dict[str, Callable[[Builder, Node, Edge, ByteGrid], Value | None]] = {
    "Resize": _resize,
    "AveragePool": _average,
    "ReduceMean": _mean,
}
"""What computes with numbers of one grid and ends on another."""
