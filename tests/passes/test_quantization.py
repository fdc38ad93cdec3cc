"""Integers between float operators become floats on grids; integers that are asked for stay."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pyhades.compiler.program import compile as compile_graph
from pyhades.ir.grid_points import GridPoints
from pyhades.ir.interpreter import interpret
from pyhades.passes import eliminate, fold_constants, merge_quantization, optimise
from tests.support.graphs import Builder, feeds_for


def kinds(graph):
    return Counter(node.op for node in graph.nodes)


def merged(graph):
    return eliminate(merge_quantization(eliminate(fold_constants(graph))))


def same(graph, transformed):
    """Both by the interpreter, bit for bit."""
    feeds = feeds_for(graph, 3)
    before, after = interpret(graph, feeds), interpret(transformed, feeds)
    for y, want in zip(after.values(), before.values(), strict=True):
        assert y.dtype == want.dtype
        assert np.array_equal(y, want)


class Quantised(Builder):
    """uint8 grids."""

    def grid(self, scale, zero):
        return self.const(scale), self.const(zero, np.uint8)

    def there(self, x, scale=0.05, zero=99):
        return self.op("QuantizeLinear", x, *self.grid(scale, zero), storage="uint8")

    def back(self, q, scale=0.05, zero=99):
        return self.op("DequantizeLinear", q, *self.grid(scale, zero), storage="uint8")


def test_there_and_back_is_one_operator():
    b = Quantised()
    x = b.input(1, 4, 8, 8)
    graph = b.graph(b.op("Neg", b.back(b.there(x))), b.op("Abs", b.back(b.there(x))))
    result = merged(graph)
    assert kinds(result) == {"FakeQuantize": 1, "Neg": 1, "Abs": 1}
    same(graph, result)


def test_integers_that_were_moved():
    b = Quantised()
    x, y = b.input(1, 4, 8, 8), b.input(1, 2, 8, 8)
    q = b.op("Concat", b.there(x), b.there(y), axis=1)
    q = b.op("MaxPool", q, kernel_shape=[2, 2], strides=[2, 2])
    q = b.op("Transpose", q, perm=[0, 2, 3, 1])
    graph = b.graph(b.back(q))
    result = merged(graph)
    assert kinds(result) == {"FakeQuantize": 2, "Concat": 1, "MaxPool": 1, "Transpose": 1}
    same(graph, result)


@pytest.mark.parametrize(("scale", "zero"), [(0.05, 98), (0.02, 99)])
def test_another_grid_is_no_way_back(scale, zero):
    b = Quantised()
    x = b.input(1, 4, 8, 8)
    graph = b.graph(b.back(b.there(x), scale, zero))
    result = merged(graph)
    same(graph, result)
    assert kinds(result)["DequantizeLinear"] == (zero != 99)


def test_integers_that_are_asked_for_stay():
    b = Quantised()
    q = b.there(b.input(1, 4, 8, 8))
    graph = b.graph(q, b.op("Relu", b.back(q)))
    result = merged(graph)
    assert kinds(result) == {"QuantizeLinear": 1, "FakeQuantize": 1, "Relu": 1}
    feeds = feeds_for(graph, 1)
    with compile_graph(graph, threads=1) as program:
        results = program.run(feeds).values()
        for y, want in zip(results, interpret(graph, feeds).values(), strict=True):
            assert y.dtype == want.dtype
            np.testing.assert_allclose(y, want, rtol=1e-6)


def test_a_grid_is_not_computed_twice():
    b = Quantised()
    y = b.back(b.there(b.input(1, 4, 8, 8)))
    y = b.op("MaxPool", y, kernel_shape=[2, 2])
    graph = b.graph(b.back(b.there(y)))
    result = merged(graph)
    assert kinds(result) == {"FakeQuantize": 1, "MaxPool": 1}
    same(graph, result)


def test_weights_keep_their_integers():
    b = Quantised()
    q = b.random.integers(-128, 128, (8, 4, 3, 3)).astype(np.int8)
    scale = b.random.random(8).astype(np.float32) * 0.01
    weight = b.op("DequantizeLinear", b.const(q, np.int8), b.const(scale), axis=0, storage="int8")
    graph = b.graph(b.op("Conv", b.back(b.there(b.input(1, 4, 8, 8))), weight))
    (node,) = (node for node in merged(graph).nodes if node.op == "Conv")
    x, constant = node.inputs
    assert np.array_equal(constant.type.quantization.integers(constant.data), q)
    assert x.type.quantization.storage == "uint8"
    # Compiled, both are integers and the scales come after their sum.
    (node,) = (node for node in optimise(graph).nodes if node.op == "QConv")
    assert np.array_equal(node.inputs[1].data, q)
    assert node.inputs[0].type.dtype == np.uint8


def wide_weight(b, *shape):
    """Enough integers to be kept as they are, with a scale per output channel."""
    q = b.random.integers(-128, 128, shape).astype(np.int8)
    scale = (0.5 + b.random.random(shape[0])).astype(np.float32) * 0.01
    return q, (b.const(q, np.int8), b.const(scale))


def test_integers_of_large_weights_stay_integers(monkeypatch):
    """From the file to the kernel: the numbers that they stand for are never computed."""
    b = Quantised()
    q, (weight, scale) = wide_weight(b, 64, 32, 3, 3)
    w = b.op("DequantizeLinear", weight, scale, axis=0, storage="int8")
    x = b.input(1, 32, 8, 8)
    y = b.back(b.there(b.op("Conv", b.back(b.there(x)), w)))
    columns, (weight, scale) = wide_weight(b, 512, 64)
    w = b.op("DequantizeLinear", weight, scale, axis=0, storage="int8")
    rows = b.op("Reshape", y, b.const([1, 36, 64], np.int64))
    graph = b.graph(b.op("MatMul", rows, b.op("Transpose", w, perm=[1, 0])))
    want = list(interpret(graph, feeds := feeds_for(graph, 3)).values())
    folded = fold_constants(graph)
    kept = [v.kept for v in folded.values() if isinstance(v.kept, GridPoints)]
    assert [points.integers.tolist() for points in kept] == [q.tolist(), columns.T.tolist()]

    def refuse(points):
        raise AssertionError(f"{points.integers.shape} became floats")

    monkeypatch.setattr(GridPoints, "numbers", refuse)
    (got,) = compile_graph(graph, threads=1).run(feeds).values()
    np.testing.assert_allclose(got, want[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("zero", [0, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_what_is_kept_as_integers_reads_like_an_array(zero, dtype):
    b = Quantised()
    q, (weight, scale) = wide_weight(b, 48, 400)
    points = b.const(np.full(48, zero), np.int8)
    w = b.op("DequantizeLinear", weight, scale, points, axis=0, storage="int8", to=np.dtype(dtype))
    graph = b.graph(
        b.op("Transpose", w, perm=[1, 0]),
        b.op("Reshape", w, b.const([6, 8, 400], np.int64)),
        b.op("Neg", w),
    )
    folded = fold_constants(graph)
    turned, reshaped, negative = folded.outputs
    assert isinstance(turned.kept, GridPoints)
    want = ((q.astype(np.float32) - zero) * scale.data[:, None]).astype(dtype)
    for value, expected in ((turned, want.T), (reshaped, want.reshape(6, 8, 400))):
        assert value.data.dtype == value.type.dtype == dtype
        np.testing.assert_array_equal(value.data, expected)
    np.testing.assert_array_equal(negative.data, -want)
    same(graph, folded)


def test_grids_join_the_chains_around_them():
    b = Quantised()
    x = b.input(1, 4, 8, 8)
    y = b.op("Relu", b.op("Add", b.back(b.there(x)), b.const(np.ones((4, 1, 1)))))
    graph = b.graph(b.back(b.there(y)))
    result = optimise(graph)
    assert kinds(result) == {"Pointwise": 1}
    assert result.outputs[0].type.quantization is not None
    same(graph, result)


def test_sums_of_integers_become_sums_of_floats():
    b = Quantised()
    x, zero = b.input(1, 4, 8, 8), b.const(99, np.uint8)
    q = b.op("QuantizeLinear", x, b.const(0.05), zero, storage="uint8")
    weight = b.const(b.random.integers(0, 256, (8, 4, 3, 3)), np.uint8)
    sums = b.op("ConvInteger", q, weight, zero, b.const(128, np.uint8))
    y = b.op("Mul", b.op("Cast", sums, to=np.dtype(np.float32)), b.const(0.01))
    graph = b.graph(y)
    result = merged(graph)
    assert kinds(result) == {
        "Div": 1,
        "FakeQuantize": 1,
        "DequantizeLinear": 1,
        "Conv": 1,
        "Mul": 1,
    }
    same(graph, result)


def test_results_do_not_depend_on_the_tier():
    b = Quantised()
    y = b.back(b.there(b.input(1, 32, 20, 20)))
    q = b.random.integers(-128, 128, (32, 32, 3, 3))
    weight = b.op("DequantizeLinear", b.const(q, np.int8), b.const(1.0), storage="int8")
    scaled = b.op("Conv", y, weight, pads=[1, 1, 1, 1])
    graph = b.graph(b.back(b.there(scaled, 40.0)))
    feeds = feeds_for(graph, 5)
    results = []
    for tier in ("scalar", "avx2"):
        with compile_graph(graph, threads=1, isa=tier) as program:
            results.append(next(iter(program.run(feeds).values())))
    assert np.array_equal(*results)
