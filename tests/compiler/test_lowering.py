"""Lowering and memory plan, executed by NumPy, agree with the interpreter."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pyhades.compiler.lowering import RULES
from pyhades.compiler.placement import lower
from pyhades.errors import UnsupportedOperatorError
from pyhades.ir.interpreter import interpret
from pyhades.passes import optimise
from tests.passes.test_passes import attention, random_graph
from tests.support.graphs import Builder, feeds_for
from tests.support.numpy_executor import execute


def check(graph, keep_all=False):
    """Operators of the lowered graph, after comparing it with the interpreter."""
    feeds = feeds_for(graph)
    expected = interpret(graph, feeds).values()
    lowered = lower(optimise(graph))
    for have, want in zip(execute(lowered, feeds, keep_all), expected, strict=True):
        assert have.dtype == want.dtype and have.shape == want.shape
        np.testing.assert_allclose(have, want, rtol=2e-5, atol=2e-5)
    return Counter(instruction.op for instruction in lowered.instructions)


@pytest.mark.parametrize("keep_all", [False, True])
@pytest.mark.parametrize("seed", range(40, 60))
def test_random_graphs(seed, keep_all):
    check(random_graph(seed), keep_all)


def test_views_cost_nothing():
    b = Builder()
    x = b.input(2, 3, 4, 6)
    y = b.op("Transpose", x, perm=[0, 2, 3, 1])
    y = b.op("Slice", y, b.ints(1), b.ints(6), b.ints(2), b.ints(2))
    y = b.op("Unsqueeze", y, b.ints(0))
    y = b.op("Expand", y, b.ints(2, 1, 1, 1, 1))
    assert check(b.graph(b.op("Exp", y))) == {"map": 1}


def test_concat_of_convolutions_is_written_in_place():
    b = Builder()
    x = b.op("Relu", b.op("Conv", b.input(1, 3, 8, 8), b.weight(4, 3, 3, 3), pads=[1] * 4))
    parts = [b.op("Conv", x, b.weight(n, 4, 1, 1)) for n in (2, 3)]
    inner = b.op("Concat", *parts, axis=1)
    outer = b.op("Concat", inner, b.op("MaxPool", x, kernel_shape=[1, 1]), axis=1)
    y = b.op("Conv", outer, b.weight(2, 9, 3, 3))
    z = b.op("Conv", inner, b.weight(2, 5, 1, 1))
    ops = check(b.graph(y, z))
    # One copy into channels-last, one per output back.
    assert ops == {"conv2d": 5, "max_pool": 1, "copy": 3}


def test_channels_stay_last_through_normalisation_resize_and_reduction():
    b = Builder()
    x = b.op("Conv", b.input(1, 3, 6, 8), b.weight(8, 3, 3, 3), pads=[1] * 4)
    x = b.op("Reshape", x, b.ints(0, 2, -1))
    x = b.op("InstanceNormalization", x, b.weight(2), b.weight(2))
    x = b.op("Reshape", x, b.ints(1, 8, 6, 8))
    x = b.op("Relu", b.op("Add", b.op("Mul", x, b.weight(8, 1, 1)), b.weight(8, 1, 1)))
    x = b.op("Resize", x, None, b.const([1, 1, 2, 2]), mode="linear")
    parts = [b.op("Unsqueeze", b.op("Conv", x, b.weight(8, 8, 1, 1)), b.ints(0)) for _ in range(2)]
    x = b.op("ReduceSum", b.op("Concat", *parts, axis=0), b.ints(0), keepdims=0)
    y = b.op("Conv", x, b.weight(1, 8, 1, 1))
    ops = check(b.graph(y))
    # A copy in; one channel needs none out.
    assert ops == {"copy": 1, "conv2d": 4, "group_norm": 1, "resize": 1, "reduce": 1}


@pytest.mark.parametrize("axis", range(5))
def test_stacked_images_are_written_in_place_where_kernels_can(axis):
    b = Builder()
    x = b.input(2, 3, 4, 5)
    parts = [b.op("Conv", x, b.weight(8, 3, 1, 1)) for _ in range(2)]
    parts = [b.op("Unsqueeze", part, b.ints(axis)) for part in parts]
    ops = check(b.graph(b.op("Exp", b.op("Concat", *parts, axis=axis))))
    assert ops["copy"] == (1 if axis in (0, 1, 3) else 3)


def test_a_stack_inside_another_concat():
    b = Builder()
    x = b.input(1, 3, 4, 5)
    parts = [b.op("Conv", x, b.weight(8, 3, 1, 1)) for _ in range(3)]
    parts = [b.op("Reshape", part, b.ints(8, 2, 10)) for part in parts]
    inner = b.op("Concat", parts[0], parts[1], axis=1)
    check(b.graph(b.op("Exp", b.op("Concat", inner, inner, axis=0)), b.op("Exp", parts[2])))


def test_resize_chooses_a_layout_that_vectors_can_read():
    for channels, copies in ((3, 0), (12, 2)):
        b = Builder()
        y = b.op("Resize", b.input(1, channels, 5, 6), None, b.const([1, 1, 2, 3]), mode="linear")
        assert check(b.graph(y)).get("copy", 0) == copies


def test_a_value_in_two_concats_and_twice_in_one():
    b = Builder()
    x = b.op("Conv", b.input(1, 3, 4, 4), b.weight(4, 3, 1, 1))
    first = b.op("Concat", x, x, axis=1)
    second = b.op("Concat", b.op("Sigmoid", first), x, axis=1)
    check(b.graph(b.op("Exp", second), first, x))


def test_windows_attention_and_back():
    b = Builder()
    x = b.input(1, 16, 8)
    windows = b.op("Reshape", x, b.ints(1, 2, 2, 2, 2, 8))
    windows = b.op("Transpose", windows, perm=[0, 1, 3, 2, 4, 5])
    rows = b.op("Reshape", windows, b.ints(4, 4, 8))
    qkv = b.op("Add", b.op("MatMul", rows, b.weight(8, 24)), b.weight(24))
    qkv = b.op("Transpose", b.op("Reshape", qkv, b.ints(4, 4, 3, 2, 4)), perm=[2, 0, 3, 1, 4])
    q, k, v = (b.op("Gather", qkv, b.const(i, np.int64), axis=0) for i in range(3))
    for value in (q, k, v):
        value.type = None
    graph = b.graph(q)
    y = attention(b, q, k, v, b.weight(1, 2, 4, 4))
    y = b.op("Reshape", b.op("Transpose", y, perm=[0, 2, 1, 3]), b.ints(4, 4, 8))
    y = b.op("MatMul", y, b.weight(8, 8))
    y = b.op("Reshape", y, b.ints(1, 2, 2, 2, 2, 8))
    y = b.op("Reshape", b.op("Transpose", y, perm=[0, 1, 3, 2, 4, 5]), b.ints(1, 16, 8))
    graph = b.graph(b.op("Add", x, y))
    # Only the partition is copied: the way back is read through strides by the addition.
    assert check(graph) == {"copy": 1, "gemm": 2, "attention": 1, "map": 1}


def test_outputs_that_are_inputs_constants_or_repeated():
    b = Builder()
    x = b.input(2, 3)
    y = b.op("Relu", x)
    check(b.graph(x, y, b.op("Identity", y), b.op("Add", b.weight(2), b.weight(2))))


@pytest.mark.parametrize("rank", [3, 4])
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"strides": 2},
        {"strides": 3, "pads": 1},
        {"strides": 2, "dilations": 2, "output_padding": 1, "pads": 2},
        {"group": 2, "pads": 2},
    ],
)
def test_transposed_convolution(rank, attributes):
    b = Builder()
    spatial = rank - 2
    lists = {
        name: value if name == "group" else [value] * (spatial * (2 if name == "pads" else 1))
        for name, value in attributes.items()
    }
    x = b.input(2, 4, *(5, 6)[:spatial])
    weight = b.weight(4, 3, *(3, 2)[:spatial])
    groups = lists.get("group", 1)
    check(b.graph(b.op("ConvTranspose", x, weight, b.weight(3 * groups), **lists)))


@pytest.mark.parametrize(
    ("outputs", "kernel", "attributes", "convolutions"),
    [
        (3, 4, {"strides": [4, 4]}, 4),  # a row's phases are one convolution
        (3, 4, {"strides": [2, 2], "pads": [1] * 4}, 2 * 3),  # all but its first and last column
        (40, 4, {"strides": [2, 2], "pads": [1] * 4}, 2 * 2),  # wide enough by themselves
        (3, 5, {"strides": [2, 2], "pads": [1] * 4}, 2 * 2),  # they see different inputs
        (1, 2, {"strides": [2, 2], "group": 4}, 2 * 2),  # channels of groups cannot be joined
        (3, 2, {"strides": [3, 3]}, 1),  # gaps between windows: spread out with zeros
    ],
)
def test_a_transposed_convolution_is_a_convolution_per_phase(
    outputs, kernel, attributes, convolutions
):
    b = Builder()
    weight = b.weight(4, outputs, kernel, kernel)
    y = b.op("ConvTranspose", b.input(2, 4, 5, 6), weight, **attributes)
    (stride, _), pad = attributes["strides"], attributes.get("pads", [0])[0]
    extents = [(extent - 1) * stride + kernel - 2 * pad for extent in (5, 6)]
    residual = b.input(2, outputs * attributes.get("group", 1), *extents)
    y = b.op("Relu", b.op("Add", y, residual))
    kinds = check(b.graph(y))
    assert kinds["conv2d"] == convolutions
    assert convolutions == 1 or set(kinds) <= {"conv2d", "copy"}


def test_an_operator_without_kernel_is_refused_by_name(monkeypatch):
    monkeypatch.delitem(RULES, "TopK")
    b = Builder()
    values, _ = b.op("TopK", b.input(3, 5), b.ints(2), outputs=2)
    with pytest.raises(UnsupportedOperatorError, match=r"TopK 'node0'.*no native kernel"):
        lower(optimise(b.graph(values)))
