"""Which products are quantised, and which edges share a grid."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades.errors import ArgumentError
from pyhades.segmentation.quantize.placement import place_grids
from pyhades.segmentation.quantize.prepare import prepare
from pyhades.segmentation.quantize.products import find_products
from tests.support.small_networks import Net, first_and_last, transformer, unet


def reasons(graph):
    return {p.name: p.kept for p in find_products(prepare(graph))}


def test_first_last_and_narrow_layers_stay_in_float():
    found = reasons(unet())
    assert found["first"] == "first layer" and found["last"] == "last layer"
    inner = {name: kept for name, kept in found.items() if name not in ("first", "last")}
    assert len(inner) == 3 and not any(inner.values())
    narrow = find_products(prepare(unet()), float_channels=17)
    assert {p.kept for p in narrow} == {"first layer", "last layer", "few channels"}


def test_products_with_weights_that_are_computed_are_no_products():
    assert set(reasons(transformer())) == {"patches", "hidden", "narrow", "last"}


def test_offsets_stay_in_float():
    net = Net()
    x = net.relu(net.conv("first", net.x, 16))
    where = net.conv("where", x, 18)
    deformed = net.one("DeformConv", x, net.array(16, 16, 3, 3), where, pads=[1] * 4)
    last = net.conv("last", net.relu(net.conv("inner", deformed, 16)), 1)
    found = reasons(net.graph(last))
    assert found["where"] == "offsets" and found["inner"] == ""


def test_concat_resize_and_pool_share_one_grid():
    graph = prepare(unet())
    products = [p for p in find_products(graph) if not p.kept]
    placement = place_grids(graph, products)
    ops = [{v.producer.op for v in group} for group in placement.groups]
    # The pool of the first layer, the sum, its enlargement and the Concat are one; deep alone.
    assert {"Relu", "MaxPool", "Add", "Resize", "Concat"} in ops
    assert {"Relu"} in ops and len(ops) == 2
    made = {v.producer.op for v in placement.made}
    assert "MaxPool" not in made and "Concat" not in made and "Resize" in made


def test_a_product_that_only_a_sum_reads_is_not_rounded_before_it():
    graph = prepare(unet())
    placement = place_grids(graph, [p for p in find_products(graph) if not p.kept])
    added = next(v for v in graph.values() if v.name == "added")
    first, second = added.producer.inputs
    assert added in placement.made and second in placement.made
    assert first not in placement.made


def test_features_that_nobody_asked_for_do_not_keep_layers_in_float():
    graph = prepare(unet())
    inner = next(p.node for p in find_products(graph) if not p.kept)
    graph.outputs.append(inner.outputs[0])
    every = {p.node: p.kept for p in find_products(graph)}
    asked = {p.node: p.kept for p in find_products(graph, outputs={"mask"})}
    assert (every[inner], asked[inner]) == ("last layer", "")
    assert "last layer" in asked.values()


def test_zeros_of_padding_stay_on_the_grid():
    net = Net()
    x = net.relu(net.conv("first", net.x, 16))
    padded = net.one("Pad", x, net.build.integers([0, 0, 1, 1, 0, 0, 1, 1]))
    last = net.conv("last", net.relu(net.conv("inner", padded, 16)), 1)
    graph = prepare(net.graph(last))
    products = [p for p in find_products(graph) if not p.kept]
    placement = place_grids(graph, products)
    assert [len(group) for group in placement.groups] == [2]
    assert {v.producer.op for v in placement.made} == {"Relu"}


def test_prepare_makes_one_float32_network_of_float16():
    net = Net()
    half = net.one("Cast", net.x, to=np.dtype(np.float16))
    weight = net.build.constant(net.rng.normal(size=(8, 3, 1, 1)), np.float16)
    y = net.one("Cast", net.one("Conv", half, weight), to=np.dtype(np.float32))
    graph = prepare(net.graph(y))
    assert all(v.type.dtype == np.float32 for v in graph.values())
    assert "Cast" not in {node.op for node in graph.nodes}


def test_prepare_folds_and_spells_in_standard_operators():
    assert "BatchNormalization" not in {node.op for node in prepare(unet()).nodes}
    net = Net()
    ones = [net.build.constant(np.linspace(0.5, 2, 3), np.float32) for _ in range(4)]
    normal = net.one("BatchNormalization", net.x, *ones)
    graph = prepare(net.graph(net.conv("last", normal, 8)))
    assert [node.op for node in graph.nodes] == ["Mul", "Add", "Conv"]


def test_open_sizes_stay_open():
    graph = prepare(unet("side"))
    assert graph.inputs[0].type.shape == (1, 3, "side", "side")
    assert sum(not p.kept for p in find_products(graph)) == 3


def test_what_is_quantised_already_is_refused():
    net = Net()
    scale = net.build.constant(0.1, np.float32)
    x = net.one("FakeQuantize", net.x, scale, axis=0, storage="uint8")
    with pytest.raises(ArgumentError, match="quantised already"):
        prepare(net.graph(net.conv("last", x, 8)))


def test_two_layers_have_nothing_in_between():
    assert set(reasons(first_and_last()).values()) == {"first layer", "last layer"}
