"""float16 graphs in float32: the same bits, and conversions at the borders only."""

from __future__ import annotations

from collections import Counter

import numpy as np

import pyhades
from pyhades.ir.interpreter import interpret
from pyhades.passes import decompose, fuse_epilogue, optimise, widen_float16
from tests.support.graphs import Builder, feeds_for

HALF = np.float16


def check(graph, transform=widen_float16):
    """Operators of the widened graph, which has to give the very same numbers."""
    feeds = feeds_for(graph)
    expected = interpret(graph, feeds)
    widened = transform(graph)
    for have, want in zip(interpret(widened, feeds).values(), expected.values(), strict=True):
        assert have.dtype == want.dtype and have.shape == want.shape
        np.testing.assert_array_equal(have, want)
    inner = [value for node in widened.nodes for value in node.outputs if node.op != "Cast"]
    assert not any(value.type.dtype == HALF for value in inner if value not in widened.outputs)
    return Counter(node.op for node in widened.nodes)


def test_what_computes_is_rounded_and_what_moves_is_not():
    b = Builder()
    x = b.input(2, 3, 4, dtype=HALF)
    y = b.op("Add", x, b.const(np.full(4, 1 / 3), HALF))
    y = b.op("Relu", b.op("Transpose", y, perm=[2, 0, 1]))
    y = b.op("Concat", y, b.op("Neg", y), axis=0)
    y = b.op("Exp", b.op("Slice", y, b.ints(1), b.ints(6), b.ints(0)))
    assert check(b.graph(y)) == {
        **{"Add": 1, "Exp": 1, "RoundFloat16": 2, "Cast": 2},
        **{"Transpose": 1, "Relu": 1, "Neg": 1, "Concat": 1, "Slice": 1},
    }


def test_a_conversion_is_a_rounding_and_its_inverse_nothing():
    b = Builder()
    x = b.input(3, 5)
    y = b.op("Cast", b.op("Cast", x, to=np.dtype(HALF)), to=np.dtype(np.float32))
    z = b.op("CastLike", x, b.const([1], HALF))
    same = b.op("Cast", z, to=np.dtype(HALF))
    assert check(b.graph(b.op("Exp", y), same)) == {"RoundFloat16": 2, "Exp": 1, "Cast": 1}


def test_other_dtypes_come_and_go():
    b = Builder()
    whole, wide = b.input(4, dtype=np.int64), b.input(4, dtype=np.float64)
    x = b.op("Cast", whole, to=np.dtype(HALF))
    y = b.op("Mul", x, b.op("Cast", wide, to=np.dtype(HALF)))
    flags = b.op("Less", y, x)
    chosen = b.op("Where", flags, y, x)
    counts = b.op("Cast", chosen, to=np.dtype(np.int32))
    total = b.op("ReduceSum", chosen, b.ints(0))
    check(b.graph(flags, chosen, counts, total, b.op("Cast", y, to=np.dtype(np.float64))))


def test_operators_that_need_float16_get_it():
    b = Builder()
    x = b.op("Sqrt", b.op("Abs", b.input(3, 4, dtype=HALF)))
    positions = b.const([[1, 0], [0, 1], [2, 1]], np.int64)
    y = b.op("ScatterElements", x, positions, b.const(np.ones((3, 2)), HALF), axis=1)
    original = b.graph(b.op("Exp", y))
    graph = widen_float16(original)
    scatter = next(node for node in graph.nodes if node.op == "ScatterElements")
    assert [value.type.dtype for value in scatter.inputs] == [HALF, np.int64, HALF]
    feeds = feeds_for(graph)
    want = interpret(original, feeds)
    np.testing.assert_array_equal(*interpret(graph, feeds).values(), *want.values())


def test_a_graph_without_float16_is_left_alone():
    b = Builder()
    graph = b.graph(b.op("Exp", b.input(3)))
    assert widen_float16(graph) is graph


def test_inputs_and_constants_may_be_outputs():
    b = Builder()
    x, c = b.input(3, dtype=HALF), b.const([1, 2, 3], HALF)
    moved = b.op("Identity", x)
    check(b.graph(x, c, moved, b.op("Cast", x, to=np.dtype(np.float32))))


def residual_block(b, x):
    y = b.op("Conv", x, b.const(b.weight(8, 8, 3, 3, scale=0.1).data, HALF), pads=[1] * 4)
    y = b.op("Relu", y)
    y = b.op("Conv", y, b.const(b.weight(8, 8, 1, 1, scale=0.3).data, HALF))
    return b.op("Relu", b.op("Add", y, x))


def test_roundings_move_into_the_products_before_them():
    b = Builder()
    x = b.input(1, 8, 6, 6, dtype=HALF)
    graph = fuse_epilogue(widen_float16(decompose(b.graph(residual_block(b, x)))))
    kinds = Counter(node.op for node in graph.nodes)
    assert kinds == {"FusedConv": 2, "Relu": 1, "Cast": 2}
    stages = [(n.attributes["activation"], n.attributes["after"]) for n in graph.nodes[1:3]]
    assert stages == [("round_float16", "relu"), ("round_float16", "round_float16")]


def test_a_compiled_network_agrees_with_float16_storage(isa):
    b = Builder()
    y = residual_block(b, residual_block(b, b.input(2, 8, 9, 7, dtype=HALF)))
    y = b.op("Resize", y, None, b.const([1, 1, 2, 2]), mode="nearest")
    y = b.op("Sigmoid", b.op("Mul", y, b.const(0.5, HALF)))
    graph = b.graph(y, b.op("ReduceMean", y, b.ints(2, 3)))
    feeds = feeds_for(graph)
    with pyhades.compile(graph, isa=isa, threads=1) as program:
        actual = program.run(feeds)
    for name, want in interpret(graph, feeds).items():
        assert actual[name].dtype == HALF
        # A sum that ends near the middle of two numbers may be rounded to either.
        np.testing.assert_allclose(actual[name], want, rtol=2e-3, atol=2e-3)
    used = {node.op for node in optimise(graph).nodes}
    assert "RoundFloat16" not in used
