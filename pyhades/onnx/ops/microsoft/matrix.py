"""Matrix products with transpositions, factors and activations."""

from __future__ import annotations

from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.ops.microsoft.activation import activated, square, zero_like
from pyhades.onnx.translate import MICROSOFT, OnnxNode, onnx_op, same

same("Inverse", domain=MICROSOFT)


def _turned(node: OnnxNode, graph: GraphBuilder, index: int, letter: str) -> Value:
    """An operand with its first axis moved behind the stack, and its last two exchanged."""
    x, shape = node.input(index), node.shape(index)
    swap = node.attributes.get(f"trans{letter}", 0)
    unstack = node.attributes.get(f"transBatch{letter}", 0)
    if not swap and not unstack:
        return x
    if shape is None:
        raise node.unsupported(f"the rank of input {index} is unknown; export with a fixed rank")
    perm = list(range(len(shape)))
    if len(perm) < 2:
        return x
    if unstack:
        perm = [*perm[1:-1], perm[0], perm[-1]]
    if swap:
        perm[-2:] = perm[:-3:-1]
    return graph.one("Transpose", x, perm=perm)


@onnx_op("FusedMatMul", "FusedMatMulActivation", "TransposeMatMul", since=1, domain=MICROSOFT)
def fused_matmul(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """A scaled product of transposed operands."""
    a, b = _turned(node, graph, 0, "A"), _turned(node, graph, 1, "B")
    y, alpha = graph.one("MatMul", a, b), node.attributes.get("alpha", 1.0)
    if alpha != 1.0:
        y = graph.one("Mul", y, graph.constant(alpha, node.dtype(0)))
    return [_finished(node, graph, y)]


@onnx_op("FusedGemm", since=1, domain=MICROSOFT)
def fused_gemm(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Gemm and an activation."""
    names = ("alpha", "beta", "transA", "transB")
    attributes = {name: node.attributes[name] for name in names if name in node.attributes}
    y = graph.emit("Gemm", [node.input(0), node.input(1), node.optional(2)], attributes)[0]
    return [_finished(node, graph, y)]


def _finished(node: OnnxNode, graph: GraphBuilder, y: Value) -> Value:
    names = ("activation_alpha", "activation_beta", "activation_gamma")
    given = [node.attributes[name] for name in names if name in node.attributes]
    return activated(node, graph, y, node.attributes.get("activation", ""), given)


@onnx_op("CDist", since=1, domain=MICROSOFT)
def distances(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Distances of rows, |a - b|^2 = |a|^2 + |b|^2 - 2 a b."""
    a, b = node.input(0), node.input(1)
    lengths = [graph.one("ReduceSum", square(graph, x), graph.integers([1])) for x in (a, b)]
    twice = graph.one("Add", b, b)
    product = graph.one("MatMul", a, graph.one("Transpose", twice, perm=[1, 0]))
    both = graph.one("Add", lengths[0], graph.one("Transpose", lengths[1], perm=[1, 0]))
    y = graph.one("Max", graph.one("Sub", both, product), zero_like(graph, a))
    euclidean = node.attributes.get("metric", "sqeuclidean") == "euclidean"
    return [graph.one("Sqrt", y) if euclidean else y]
