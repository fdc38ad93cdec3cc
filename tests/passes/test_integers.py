"""Products of integers against their emulation in floats: the same numbers, bit for bit."""

from __future__ import annotations

import logging
from collections import Counter

import numpy as np
import pytest

from pyhades import _native
from pyhades.compiler.program import compile as compile_graph
from pyhades.ir.interpreter import interpret
from pyhades.passes import PASSES, fold_constants, optimise, specialise
from tests.support.graphs import Builder, feeds_for

TIERS = [tier for tier in ("scalar", "avx2", "avx512", "avx512_vnni") if tier in _native.tiers()]
SHAPE = (1, 8, 12, 14)


class Quantised(Builder):
    """Values on grids of bytes, constants on grids of int8."""

    def grid(self, x, scale=0.05, zero=99, storage="uint8"):
        parameters = self.const(scale), self.const(zero, storage)
        q = self.op("QuantizeLinear", x, *parameters, storage=storage)
        return self.op("DequantizeLinear", q, *parameters, storage=storage)

    def weights(self, *shape, axis=None, storage="int8", zero=0, low=-128, high=128):
        q = self.random.integers(low, high, shape)
        count = () if axis is None else (shape[axis],)
        scale = (0.001 + self.random.random(count) * 0.01).astype(np.float32)
        inputs = [self.const(q, storage), self.const(scale)]
        if zero:
            inputs.append(self.const(np.full(count, zero), storage))
        return self.op("DequantizeLinear", *inputs, axis=axis or 0, storage=storage)

    def conv(self, x, outputs, kernel=3, bias=True, group=1, channels=SHAPE[1], **attributes):
        w = self.weights(outputs, channels // group, kernel, kernel, axis=0)
        vector = [self.weight(outputs)] if bias else []
        return self.op("Conv", x, w, *vector, group=group, **attributes)


def emulated(graph):
    """Without integers."""
    graph = fold_constants(specialise(graph))
    for transform in PASSES[1:]:
        if transform.__name__ not in ("compute_in_integers", "store_integers"):
            graph = transform(graph)
    return graph


def same_everywhere(graph):
    """By the interpreter in floats and in integers, and compiled for every tier."""
    feeds = feeds_for(graph, 5)
    want = list(interpret(emulated(graph), feeds).values())
    found = optimise(graph)
    got = list(interpret(found, feeds).values())
    for y, expected in zip(got, want, strict=True):
        np.testing.assert_array_equal(y, expected)
    for tier in TIERS:
        with compile_graph(graph, threads=2, isa=tier) as program:
            for y, expected in zip(program.run(feeds).values(), want, strict=True):
                np.testing.assert_array_equal(y, expected)
    return Counter(node.op for node in found.nodes)


@pytest.mark.parametrize(
    ("outputs", "options"),
    [
        (16, {"pads": [1, 1, 1, 1]}),
        (16, {"pads": [2, 2, 2, 2], "dilations": [2, 2], "strides": [2, 1]}),
        (8, {"group": 8, "pads": [1, 1, 1, 1]}),
        (12, {"group": 2, "kernel": 1}),
        (5, {"kernel": 5, "auto_pad": "SAME_UPPER", "bias": False}),
    ],
)
@pytest.mark.parametrize("storage", ["uint8", "int8"])
def test_convolutions(outputs, options, storage):
    b = Quantised()
    x = b.grid(b.input(*SHAPE), 0.03, 7, storage)
    y = b.grid(b.conv(x, outputs, **options), 0.4, 20, storage)
    assert same_everywhere(b.graph(y)) == {"QuantizeU8": 1, "QConv": 1, "DequantizeU8": 1}


def test_a_signal():
    b = Quantised()
    w = b.weights(6, 8, 3, axis=0)
    y = b.op("Conv", b.grid(b.input(2, 8, 31)), w, b.weight(6), pads=[1, 1])
    assert "QConv" in same_everywhere(b.graph(b.grid(b.op("Relu", y), 0.1, 0)))


@pytest.mark.parametrize("axis", [None, 1])
@pytest.mark.parametrize("strides", [[2, 2], [3, 1]])
def test_transposed_convolutions(axis, strides):
    b = Quantised()
    w = b.weights(8, 6, 3, 4, axis=axis)
    x = b.grid(b.input(*SHAPE))
    y = b.op("ConvTranspose", x, w, b.weight(6), strides=strides, pads=[1, 0, 0, 1])
    assert same_everywhere(b.graph(b.grid(b.op("Relu", y), 0.1, 0)))["QConvTranspose"] == 1


@pytest.mark.parametrize(
    ("function", "attributes"),
    [
        ("Relu", {}),
        ("LeakyRelu", {"alpha": 0.1}),
        ("HardSwish", {}),
        ("HardSigmoid", {"alpha": 0.2}),
    ],
)
def test_what_follows_joins_the_product(function, attributes):
    b = Quantised()
    x = b.grid(b.input(*SHAPE))
    y = b.op(function, b.conv(x, 16), **attributes)
    assert same_everywhere(b.graph(b.grid(y, 0.1, 3))) == {
        "QuantizeU8": 1,
        "QConv": 1,
        "DequantizeU8": 1,
    }


@pytest.mark.parametrize("on_grid", [False, True])
def test_residuals(on_grid):
    b = Quantised()
    x = b.grid(b.input(*SHAPE))
    other = b.input(*SHAPE)
    other = b.grid(other, 0.04, 3) if on_grid else other
    y = b.op("Relu", b.op("Add", b.conv(x, 8, pads=[1, 1, 1, 1]), other))
    counts = same_everywhere(b.graph(b.grid(y, 0.1, 0)))
    assert counts["QConv"] == 1 and "Pointwise" not in counts


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("ends", [(-127, 128), (-128, -127)])
def test_a_normalisation_keeps_the_grid(op, ends):
    """Scales of both signs: -128 has no opposite."""
    b = Quantised()
    x = b.grid(b.input(*SHAPE))
    shape = (16, 8, 3, 3) if op == "Conv" else (8, 16, 3, 3)
    w = b.weights(*shape, axis=0 if op == "Conv" else 1, low=ends[0], high=ends[1])
    y = b.op(op, x, w)
    signs = b.const(np.where(np.arange(16) % 3, 1.5, -0.5))
    y = b.op("BatchNormalization", y, signs, b.weight(16), b.weight(16), b.const(np.ones(16)))
    counts = same_everywhere(b.graph(b.grid(b.op("Relu", y), 0.3, 0)))
    assert ("QConv" in counts or "QConvTranspose" in counts) == (ends[0] == -127)


def test_products_of_matrices():
    b = Quantised()
    x = b.grid(b.input(2, 5, 24), 0.03, 120)
    y = b.op("Add", b.op("MatMul", x, b.weights(24, 18, axis=1)), b.weight(18))
    z = b.op("MatMul", b.grid(y, 0.05, 120), b.weights(18, 4))
    assert same_everywhere(b.graph(b.grid(z, 0.3, 120), z))["QMatMul"] == 2


def test_general_products():
    b = Quantised()
    x = b.grid(b.input(5, 24), 0.03, 120)
    y = b.op("Gemm", x, b.weights(18, 24, axis=0), b.weight(18), transB=1)
    z = b.op("Gemm", b.grid(y, 0.05, 120), b.weights(18, 4, axis=1), b.weight(4), alpha=0.5)
    assert same_everywhere(b.graph(b.grid(z, 0.3, 120)))["QMatMul"] == 2


def test_bytes_are_moved_as_they_are():
    b = Quantised()
    x = b.grid(b.conv(b.grid(b.input(*SHAPE)), 8), 0.2, 50)
    x = b.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = b.op("Resize", x, None, b.const([1, 1, 2, 2]), mode="nearest")
    x = b.op("Pad", x, b.ints(0, 0, 1, 0, 0, 0, 2, 3))
    left, right = b.op("Split", x, outputs=2, axis=1, num_outputs=2)
    x = b.op("Concat", right, left, axis=1)
    y = b.conv(b.op("Transpose", x, perm=[0, 1, 3, 2]), 4)
    counts = same_everywhere(b.graph(b.grid(y, 0.5, 9)))
    assert counts["QConv"] == 2
    assert counts["QuantizeU8"] == 1 and counts["DequantizeU8"] == 1
    assert "Requantize" not in counts and "Pointwise" not in counts


def test_joined_grids():
    """Where parts lie on other grids than what joins them, each is brought there."""
    b = Quantised()
    x = b.grid(b.input(*SHAPE))
    first = b.grid(b.conv(x, 8, pads=[1, 1, 1, 1]), 0.2, 50)
    second = b.op("Relu", b.conv(x, 4, pads=[1, 1, 1, 1]))  # not on a grid yet
    joined = b.grid(b.op("Concat", first, second, x, axis=1), 0.3, 60)
    counts = same_everywhere(b.graph(b.grid(b.conv(joined, 4, channels=20), 0.5, 9)))
    assert counts["Requantize"] == 2 and counts["QuantizeU8"] == 1 and counts["QConv"] == 3


@pytest.mark.parametrize("scale", [0.2, 0.25])
@pytest.mark.parametrize("factors", [(2, 2), (4, 1), (1, 8)])
def test_interpolation(scale, factors):
    b = Quantised()
    x = b.grid(b.conv(b.grid(b.input(*SHAPE)), 8), 0.2, 50)
    y = b.op("Resize", x, None, b.const([1, 1, *factors]), mode="linear")
    y = b.grid(y, scale, 50)
    assert same_everywhere(b.graph(b.grid(b.conv(y, 4), 0.5, 9)))["QResize"] == 1


def test_volumes_are_interpolated_in_floats():
    b = Quantised()
    x = b.grid(b.input(1, 2, 3, 4, 5))
    y = b.grid(b.op("Resize", x, None, b.const([1, 1, 2, 2, 2]), mode="linear"), 0.05, 99)
    y = b.op("Reshape", y, b.ints(1, 6, 16, 10))
    w = b.weights(4, 6, 3, 3, axis=0)
    counts = Counter(node.op for node in optimise(b.graph(b.grid(b.op("Conv", y, w)))).nodes)
    assert counts["Resize"] == 1 and counts["QConv"] == 1


@pytest.mark.parametrize("scale", [0.2, 0.3, 0.1, 0.017])
def test_interpolation_into_another_grid(scale):
    """Two roundings, one pass, and the same bytes."""
    b = Quantised()
    x = b.grid(b.input(*SHAPE), 0.2, 50)
    y = b.op("Resize", x, None, b.const([1, 1, 2, 2]), mode="linear")
    y = b.grid(y, 0.2, 50)
    joined = b.op("Concat", y, b.grid(b.input(1, 4, 24, 28), scale, 9), axis=1)
    joined = b.grid(joined, scale, 9)
    counts = same_everywhere(b.graph(b.grid(b.conv(joined, 4, channels=12), 0.5, 9)))
    assert counts["QResize"] == 1 and counts["QConv"] == 1
    assert "Requantize" not in counts


def test_means():
    b = Quantised()
    x = b.grid(b.conv(b.grid(b.input(*SHAPE)), 8), 0.2, 50)
    window = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    y = b.grid(b.op("AveragePool", x, **window), 0.2, 50)
    z = b.grid(b.op("GlobalAveragePool", x), 0.1, 50)
    gate = b.op("Sigmoid", b.conv(z, 8, kernel=1))
    y = b.grid(b.op("Mul", y, gate), 0.1, 0)
    counts = same_everywhere(b.graph(b.grid(b.conv(y, 4), 0.5, 9)))
    assert counts["QAveragePool"] == 2 and counts["QConv"] == 3


def test_sums_of_bytes_are_one_pass():
    b = Quantised()
    x = b.grid(b.input(*SHAPE))
    y = b.grid(b.conv(x, 8, pads=[1, 1, 1, 1]), 0.1, 50)
    total = b.grid(b.op("Add", x, y), 0.15, 60)
    counts = same_everywhere(b.graph(b.grid(b.conv(total, 4), 0.5, 9)))
    assert counts["Pointwise"] == 0 and counts["DequantizeU8"] == 1
    assert counts["QConv"] == 2 and counts["QuantizeU8"] == 1


@pytest.mark.parametrize("before", ["Relu", "Sigmoid", None])
@pytest.mark.parametrize("after", ["Relu", "LeakyRelu", None])
def test_sums_of_two_products_on_grids(before, after):
    """What tools write for a residual: each addend and the sum go to grids of their own."""
    b = Quantised()
    x = b.grid(b.input(*SHAPE))
    y, z = b.conv(x, 8, pads=[1, 1, 1, 1]), b.grid(b.conv(x, 8, 1), 0.2, 77)
    y = b.grid(y if before is None else b.op(before, y), 0.013, 50)
    total = b.op("Add", y, z)
    total = b.grid(total if after is None else b.op(after, total), 0.15, 60)
    counts = same_everywhere(b.graph(b.grid(b.conv(total, 4), 0.5, 9)))
    assert counts["Pointwise"] == 0 and counts["QConv"] == 3


def test_a_grid_that_is_read_twice_is_stored():
    b = Quantised()
    x = b.grid(b.input(*SHAPE))
    y = b.grid(b.conv(x, 8, pads=[1, 1, 1, 1]), 0.1, 50)
    total = b.grid(b.op("Add", x, y), 0.15, 60)
    counts = same_everywhere(b.graph(b.grid(b.conv(total, 4), 0.5, 9), b.conv(y, 3)))
    assert counts["QConv"] == 3 and counts["Pointwise"] == 1


def test_functions_of_bytes_are_looked_up():
    """A GELU as other tools write it, with a grid behind each of its steps."""
    b = Quantised()
    x = b.grid(b.conv(b.grid(b.input(*SHAPE)), 16), 0.02, 120)
    erf = b.grid(b.op("Erf", b.op("Div", x, b.const(np.sqrt(2)))), 0.0079, 128)
    half = b.grid(b.op("Mul", b.op("Add", erf, b.const(1.0)), b.const(0.5)), 0.004, 0)
    y = b.grid(b.op("Mul", x, half), 0.015, 9)
    ops = same_everywhere(b.graph(b.conv(y, 4, channels=16)))
    assert ops["LookUp"] == 1 and ops["QuantizeU8"] == 1 and ops["Pointwise"] == 0


def test_functions_of_two_bytes_are_no_tables():
    b = Quantised()
    x = b.grid(b.input(*SHAPE))
    y = b.grid(b.conv(x, 8, 1), 0.02, 120)
    one = b.grid(b.op("Tanh", b.op("Mul", x, y)), 0.01, 128)
    many = b.grid(b.op("Tanh", b.op("Mul", y, b.weight(8, 1, 1))), 0.01, 128)
    joined = b.op("Concat", one, many, axis=1)
    ops = same_everywhere(b.graph(b.conv(joined, 4, channels=16)))
    assert ops["LookUp"] == 0


def test_weights_with_a_zero_point():
    b = Quantised()
    w = b.weights(16, 8, 3, 3, axis=0, storage="uint8", zero=128, low=0, high=256)
    y = b.op("Conv", b.grid(b.input(*SHAPE)), w, b.weight(16))
    assert same_everywhere(b.graph(b.grid(y, 0.4, 20)))["QConv"] == 1


def test_what_stays_in_floats_is_said(caplog):
    b = Quantised()
    x = b.grid(b.input(*SHAPE))
    y = b.grid(b.conv(x, 8), 0.4, 20)
    w = b.weights(16, 8, 3, 3, storage="uint8", zero=3, low=0, high=256)
    z = b.op("Conv", y, w)
    b.nodes[-1].name = "wide"
    wide = b.op("MatMul", b.grid(b.input(3, 8), 0.01, 0, "int16"), b.weights(8, 4))
    graph = b.graph(b.grid(z, 0.4, 20), wide)
    with caplog.at_level(logging.INFO, "pyhades.passes.integers"):
        counts = same_everywhere(graph)
    assert counts["QConv"] == 1 and counts["FusedConv"] == 1
    said = caplog.messages[0]
    assert "1 products" in said and "wide: weights minus their zero point do not fit" in said
    assert "8 bits" in said


def test_a_graph_without_such_products_stays():
    b = Quantised()
    y = b.op("Relu", b.grid(b.input(*SHAPE)))
    assert same_everywhere(b.graph(b.grid(y, 0.1, 0))) == {"Pointwise": 1}


def test_integers_that_go_in_and_out():
    """A file of integer operators reads bytes and gives bytes."""
    b = Quantised()
    q = b.input(*SHAPE, dtype=np.uint8)
    grid = b.const(0.05), b.const(99, np.uint8)
    x = b.op("DequantizeLinear", q, *grid, storage="uint8")
    y = b.op("QuantizeLinear", b.conv(x, 8), *grid, storage="uint8")
    assert same_everywhere(b.graph(y)) == {"QConv": 1}


def at_run_time(b, x, point):
    """Steps of a grid whose zero point is computed."""
    zero = b.op("Cast", point, to=np.dtype(np.uint8))
    q = b.op("QuantizeLinear", x, b.const(0.03), zero, storage="uint8")
    return q, zero


def test_zero_points_that_are_computed():
    b = Quantised()
    x, point = b.input(*SHAPE), b.op("Abs", b.input())
    q, zero = at_run_time(b, x, point)
    w = b.const(b.random.integers(-128, 128, (6, 8, 3, 3)), np.int8)
    sums = b.op("ConvInteger", q, w, zero, pads=[1, 1, 1, 1])
    y = b.op("Mul", b.op("Cast", sums, to=np.dtype(np.float32)), b.const(0.01))
    assert same_everywhere(b.graph(y))["QConv"] == 1


def test_rows_whose_zero_point_is_computed():
    b = Quantised()
    x, point = b.input(3, 40), b.op("Abs", b.input())
    q, zero = at_run_time(b, x, point)
    w = b.const(b.random.integers(0, 256, (40, 9)), np.uint8)
    sums = b.op("MatMulInteger", q, w, zero, b.const(128, np.uint8))
    y = b.op("Mul", b.op("Cast", sums, to=np.dtype(np.float32)), b.const(0.01))
    assert same_everywhere(b.graph(y))["QMatMul"] == 1
