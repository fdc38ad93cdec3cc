"""Products of channels move before resizes and swallow one another; masks stay what they were."""

from __future__ import annotations

import numpy as np
import pytest

import pyhades
from pyhades.ir.graph import Graph
from pyhades.ir.interpreter import interpret
from pyhades.ir.quantization import Quantization
from pyhades.onnx.writer import onnx_chunks
from pyhades.passes import compose_products, multiply_before_resize, optimise
from tests.support.graphs import Builder, feeds_for
from tests.support.onnx_models import run_rival
from tests.support.tolerances import EPS32

SAMPLINGS = {
    "nearest": {"mode": "nearest"},
    "floor": {
        "mode": "nearest",
        "nearest_mode": "floor",
        "coordinate_transformation_mode": "asymmetric",
    },
    "linear": {"mode": "linear"},
    "align corners": {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    "cubic": {"mode": "cubic"},
    "cubic inside": {"mode": "cubic", "exclude_outside": 1},
    "antialias": {"mode": "linear", "antialias": 1},
}


def operators(graph: Graph) -> list[str]:
    return sorted(node.op for node in graph.nodes)


def multiplications(graph: Graph) -> int:
    """Of all products of a graph."""
    total = 0
    for node in graph.nodes:
        if node.op in ("Conv", "MatMul"):
            extents, weight = node.outputs[0].type.static_shape, node.inputs[1].data
            outputs = weight.shape[0] if node.op == "Conv" else weight.shape[-1]
            total += int(np.prod(extents)) * weight.size // outputs
    return total


def agrees(before: Graph, after: Graph, depth: int) -> None:
    """Both graphs agree, and so do onnxruntime and the compiled network.

    Sums of ``depth`` products differ in the order of their roundings.
    """
    feeds = feeds_for(before)
    truth = next(iter(interpret(before, feeds).values()))
    bound = 4 * EPS32 * depth**0.5 * max(1.0, float(np.abs(truth).max()))
    model = b"".join(bytes(chunk) for chunk in onnx_chunks(before))
    compiled = pyhades.compile(pyhades.load_onnx(model), threads=1)(*feeds.values())
    rival = run_rival(model, feeds)[0]
    for result in (next(iter(interpret(after, feeds).values())), compiled, rival):
        np.testing.assert_allclose(result, truth, rtol=0, atol=bound)


@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
def test_a_pointwise_convolution_moves_before_a_resize(sampling):
    b = Builder()
    scales = b.const([1, 1, 3, 2])
    large = b.op("Resize", b.input(1, 96, 11, 17), None, scales, None, **sampling)
    graph = b.graph(b.op("Conv", large, b.weight(48, 96, 1, 1), b.weight(48)))
    moved = multiply_before_resize(graph)
    assert [node.op for node in moved.nodes] == ["Conv", "Resize"]
    assert multiplications(moved) * 6 == multiplications(graph)
    agrees(graph, moved, 96)


def test_the_head_of_segformer():
    """Products of tokens, resizes, a concatenation and a convolution: four small products."""
    b = Builder()
    parts = []
    for channels, extent in ((64, 8), (40, 16), (32, 32)):
        tokens = b.input(1, extent * extent, channels)
        projected = b.op("Add", b.weight(64), b.op("MatMul", tokens, b.weight(channels, 64)))
        planes = b.op("Transpose", projected, perm=[0, 2, 1])
        image = b.op("Reshape", planes, b.ints(1, 64, extent, extent))
        if extent < 32:
            sizes = b.ints(1, 64, 32, 32)
            image = b.op("Resize", image, None, None, sizes, mode="linear")
        parts.append(image)
    joined = b.op("Concat", *parts, axis=1)
    fused = b.op("Relu", b.op("Conv", joined, b.weight(64, 192, 1, 1), b.weight(64)))
    graph = b.graph(fused)
    moved = compose_products(multiply_before_resize(graph))
    small = sum(64 * channels * extent**2 for channels, extent in ((64, 8), (40, 16), (32, 32)))
    assert multiplications(moved) == small
    assert operators(moved).count("Resize") == 2 and "Concat" not in operators(moved)
    agrees(graph, moved, 192 * 64)


def test_channels_last():
    b = Builder()
    large = b.op("Resize", b.input(1, 16, 16, 64), None, b.const([1, 2, 2, 1]), None, mode="linear")
    joined = b.op("Concat", b.input(1, 32, 32, 24), large, axis=-1)
    tokens = b.op("Reshape", joined, b.ints(1, 1024, 88))
    graph = b.graph(b.op("Add", b.op("MatMul", tokens, b.weight(88, 64)), b.weight(64)))
    moved = multiply_before_resize(graph)
    assert multiplications(moved) == 64 * (64 * 256 + 24 * 1024)
    agrees(graph, moved, 88)


def test_parts_of_one_size_share_a_product_and_nested_concatenations_are_seen_through():
    b = Builder()
    sampling = {"mode": "linear", "axes": [2, 3]}
    a, c = (
        b.op("Resize", b.input(1, 48, 8, 8), None, None, b.ints(32, 32), **sampling)
        for _ in range(2)
    )
    inner = b.op("Concat", b.input(1, 8, 32, 32), a, axis=1)
    joined = b.op("Concat", inner, c, b.input(1, 8, 32, 32), axis=1)
    graph = b.graph(b.op("Conv", joined, b.weight(64, 112, 1, 1)))
    moved = multiply_before_resize(graph)
    assert operators(moved) == ["Add", "Concat", "Concat", "Conv", "Conv", "Resize"]
    agrees(graph, moved, 112)


def test_it_repeats():
    """A product that has moved before one resize may move before the next."""
    b = Builder()
    x = b.input(1, 64, 8, 8)
    for _ in range(2):
        x = b.op("Resize", x, None, b.const([1, 1, 2, 2]), None, mode="linear")
    graph = b.graph(b.op("Conv", x, b.weight(64, 64, 1, 1)))
    moved = multiply_before_resize(graph)
    assert [node.op for node in moved.nodes] == ["Conv", "Resize", "Resize"]
    agrees(graph, moved, 64)


def _kept(name: str) -> Graph:
    b = Builder()
    x = b.input(1, 64, 16, 16)
    scales = b.const([1, 1, 2, 2])
    weight, attributes = b.weight(64, 64, 1, 1), {}
    sampling = {"mode": "linear"}
    if name == "smaller":
        scales = b.const([1, 1, 0.5, 0.5])
    elif name == "few channels":  # a resize of more channels costs what the product saves
        x, weight = b.input(1, 4, 16, 16), b.weight(64, 4, 1, 1)
    elif name == "wide kernel":
        weight, attributes = b.weight(64, 64, 3, 3), {"pads": [1, 1, 1, 1]}
    elif name == "strides":
        attributes = {"strides": [2, 2]}
    elif name == "padding":
        attributes = {"pads": [1, 1, 1, 1]}
    elif name == "groups":
        weight, attributes = b.weight(64, 16, 1, 1), {"group": 4}
    elif name == "resized channels":
        x, scales = b.input(1, 32, 16, 16), b.const([1, 2, 2, 2])
    elif name == "numbers from outside":
        sampling |= {"coordinate_transformation_mode": "tf_crop_and_resize"}
        roi = b.const([0, 0, -0.1, 0, 1, 1, 1, 1.2])
        large = b.op("Resize", x, roi, scales, None, extrapolation_value=3.0, **sampling)
        return b.graph(b.op("Conv", large, weight))
    large = b.op("Resize", x, None, scales, None, **sampling)
    if name == "activation":
        large = b.op("Relu", large)
    return b.graph(b.op("Conv", large, weight, **attributes))


@pytest.mark.parametrize(
    "name",
    [
        *("smaller", "few channels", "wide kernel", "strides", "padding", "groups"),
        *("resized channels", "numbers from outside", "activation"),
    ],
)
def test_what_does_not_commute_or_pay_is_left_alone(name):
    graph = _kept(name)
    assert operators(multiply_before_resize(graph)) == operators(graph)


def test_what_others_read_is_not_made_twice_without_gain():
    b = Builder()
    large = b.op("Resize", b.input(1, 64, 16, 16), None, b.const([1, 1, 2, 2]), None, mode="linear")
    y = b.op("Conv", large, b.weight(64, 64, 1, 1))
    assert operators(multiply_before_resize(b.graph(y))) == ["Conv", "Resize"]
    shared = multiply_before_resize(b.graph(y, large))
    assert operators(shared) == ["Conv", "Resize"] and shared.nodes[0].op == "Resize"


def test_side_outputs_of_one_channel_stay():
    """Six maps of one channel: the product costs less than the sums that would replace it."""
    b = Builder()
    maps = [b.input(1, 1, 64, 64)]
    for extent in (32, 16, 8, 4, 2):
        sizes = b.ints(1, 1, 64, 64)
        maps.append(b.op("Resize", b.input(1, 1, extent, extent), None, None, sizes, mode="linear"))
    graph = b.graph(b.op("Conv", b.op("Concat", *maps, axis=1), b.weight(1, 6, 1, 1)))
    assert operators(multiply_before_resize(graph)) == operators(graph)


def test_channels_of_volumes_stay_where_no_convolution_is_left():
    b = Builder()
    scales = b.const([1, 1, 2, 2, 2])
    large = b.op("Resize", b.input(1, 64, 8, 8, 8), None, scales, None, mode="nearest")
    last = b.op("Transpose", large, perm=[0, 2, 3, 4, 1])
    graph = b.graph(b.op("MatMul", last, b.weight(64, 64)))
    assert operators(multiply_before_resize(graph)) == operators(graph)
    agrees(graph, graph, 64)


@pytest.mark.parametrize("where", ["image", "weight"])
def test_products_on_grids_stay(where):
    b = Builder()
    x, weight = b.input(1, 64, 8, 8), b.weight(64, 64, 1, 1)
    large = b.op("Resize", x, None, b.const([1, 1, 4, 4]), None, mode="nearest")
    graph = b.graph(b.op("Conv", large, weight))
    grid = Quantization(np.float32(0.1), None, np.dtype(np.uint8))
    value = {"image": large, "weight": weight}[where]
    value.type = type(value.type)(value.type.dtype, value.type.shape, grid)
    assert multiply_before_resize(graph).nodes[0].op == "Resize"


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("strided", [False, True])
def test_a_convolution_takes_in_the_next(bias, strided):
    b = Builder()
    attributes = {"pads": [1, 1, 1, 1], "strides": [2, 2] if strided else [1, 1]}
    terms = [b.weight(96)] if bias else []
    wide = b.op("Conv", b.input(1, 16, 12, 12), b.weight(96, 16, 3, 3), *terms, **attributes)
    graph = b.graph(b.op("Conv", wide, b.weight(16, 96, 1, 1), b.weight(16)))
    composed = compose_products(graph)
    assert operators(composed) == ["Conv"]
    agrees(graph, composed, 16 * 9 * 96)


def test_a_product_of_low_rank_stays_two():
    b = Builder()
    low = b.op("MatMul", b.input(10, 64), b.weight(64, 8))
    graph = b.graph(b.op("MatMul", low, b.weight(8, 64)))
    assert operators(compose_products(graph)) == ["MatMul", "MatMul"]


def test_a_product_that_others_read_is_not_composed():
    b = Builder()
    first = b.op("MatMul", b.input(10, 64), b.weight(64, 64))
    graph = b.graph(b.op("MatMul", first, b.weight(64, 64)), first)
    assert operators(compose_products(graph)) == ["MatMul", "MatMul"]


def test_channels_that_a_view_splits_are_not_composed():
    b = Builder()
    heads = b.op("Reshape", b.op("MatMul", b.input(6, 32), b.weight(32, 32)), b.ints(12, 16))
    graph = b.graph(b.op("MatMul", heads, b.weight(16, 16)))
    assert operators(compose_products(graph)) == operators(graph)


def test_tokens_keep_names_of_results():
    b = Builder()
    x = b.op("MatMul", b.input(1, 9, 32), b.weight(32, 32))
    image = b.op("Reshape", b.op("Transpose", x, perm=[0, 2, 1]), b.ints(1, 32, 3, 3))
    y = b.op("Conv", image, b.weight(32, 32, 1, 1))
    graph = b.graph(y)
    composed = compose_products(graph)
    assert operators(composed) == ["MatMul", "Reshape", "Transpose"]
    assert [value.name for value in composed.outputs] == [y.name]
    agrees(graph, composed, 32 * 32)
    assert operators(optimise(graph)).count("FusedMatMul") == 1
