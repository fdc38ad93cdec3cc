"""Grids: their arithmetic, the types that name them, and which operators leave numbers on them."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades.errors import ShapeError
from pyhades.ir.inference import infer_node
from pyhades.ir.interpreter import interpret
from pyhades.ir.quantization import Quantization
from pyhades.numerics.quantization import LIMITS, fake_quantize, kept_as
from tests.support.graphs import Builder

STORAGES = ("int2", "uint2", "int4", "uint4", "int8", "uint8", "int16", "uint16")


@pytest.mark.parametrize("storage", STORAGES)
def test_every_integer_survives(storage):
    low, high = LIMITS[storage]
    q = np.arange(low, high + 1)
    zero = np.array((low + high) // 3, kept_as(storage))
    scale = np.float32(0.0371)
    x = ((q - zero.astype(np.int64)) * scale).astype(np.float32)
    grid = Quantization(np.asarray(scale), zero, storage)
    assert np.array_equal(grid.integers(x), q)
    assert np.array_equal(fake_quantize(x, np.asarray(scale), zero, storage), x)
    beyond = fake_quantize(np.float32([-1e9, 1e9]), np.asarray(scale), zero, storage)
    assert np.array_equal(beyond, x[[0, -1]])


def test_halves_go_to_even():
    zero = np.zeros((), np.int8)
    x = np.float32([-1.5, -0.5, 0.5, 1.5, 2.5])
    assert fake_quantize(x, np.float32(1), zero, "int8").tolist() == [-2, 0, 0, 2, 2]


def test_blocks_and_axes():
    b = Builder()
    q = b.const(np.arange(20).reshape(2, 10), np.uint8)
    scale = b.const(np.arange(1, 7).reshape(2, 3))
    y = b.op("DequantizeLinear", q, scale, axis=1, block_size=4, storage="uint4")
    (result,) = interpret(b.graph(y), {}).values()
    wide = np.repeat(scale.data, 4, 1)[:, :10]
    assert np.array_equal(result, q.data * wide)
    assert y.type.quantization.block_size == 4
    assert str(y.type) == "float32[2,10] on uint4 per axis 1 in blocks of 4"


def quantised(b, x, axis=None):
    scale = b.const(0.25) if axis is None else b.const(np.arange(1, x.type.shape[axis] + 1))
    return b.op("FakeQuantize", x, scale, b.const(3, np.uint8), axis=axis or 0, storage="uint8")


def typed(b, value):
    for node in b.nodes:
        infer_node(node)
    return value.type.quantization


def test_moving_keeps_the_grid():
    b = Builder()
    y = quantised(b, b.input(1, 4, 6, 6))
    y = b.op("MaxPool", y, kernel_shape=[2, 2])
    y = b.op("Transpose", y, perm=[0, 2, 3, 1])
    y = b.op("Reshape", y, b.ints(5, -1))
    assert str(typed(b, y)) == "uint8 * 0.25 from 3"
    assert typed(b, b.op("Relu", y)) is None


def test_the_axis_follows():
    b = Builder()
    y = quantised(b, b.input(2, 4, 6), 1)
    y = b.op("Transpose", y, perm=[2, 0, 1])
    assert typed(b, y).axis == 2
    assert typed(b, b.op("Unsqueeze", y, b.ints(0))).axis == 3
    assert typed(b, b.op("Reshape", y, b.ints(-1))) is None


def test_joining_keeps_a_common_grid_only():
    b = Builder()
    x = b.input(1, 4)
    y = quantised(b, x)
    assert typed(b, b.op("Concat", y, quantised(b, x), axis=0)) is not None
    assert typed(b, b.op("Concat", y, x, axis=0)) is None


@pytest.mark.parametrize(
    ("scale", "attributes"),
    [
        (np.ones(3), {"axis": 1}),
        (np.ones(4), {"axis": 5}),
        (np.ones((1, 3)), {"axis": 1, "block_size": 2}),
        (np.ones((1, 2)), {"axis": 1, "block_size": -2}),
        (np.ones(2), {"axis": 1, "block_size": 2}),
        (np.ones(4), {"axis": 1, "storage": "int5"}),
    ],
)
def test_grids_that_do_not_fit(scale, attributes):
    b = Builder()
    b.op("FakeQuantize", b.input(1, 4), b.const(scale), **attributes)
    with pytest.raises(ShapeError, match="FakeQuantize"):
        infer_node(b.nodes[-1])


def test_blocks_turn_with_their_tensor():
    b = Builder()
    q, scale = b.const(np.arange(20).reshape(2, 10), np.uint8), b.const(np.ones((2, 3)))
    y = b.op("DequantizeLinear", q, scale, axis=1, block_size=4, storage="uint4")
    grid = typed(b, b.op("Transpose", y, perm=[1, 0]))
    assert (grid.axis, grid.scale.shape) == (0, (3, 2))
