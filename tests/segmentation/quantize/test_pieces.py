"""Loud channels in pieces leave a network what it was, and make grids finer."""

from __future__ import annotations

import numpy as np
import pytest

import pyhades
from pyhades.ir.interpreter import interpret
from pyhades.segmentation.quantize.apply import Quantiser
from pyhades.segmentation.quantize.pieces import in_pieces, readers_of_makers
from pyhades.segmentation.quantize.prepare import prepare
from pyhades.segmentation.quantize.products import find_products
from pyhades.segmentation.quantize.recipe import Recipe
from pyhades.segmentation.quantize.statistics import EdgeStatistics
from tests.support.small_networks import SIDE, Net

PICTURE = np.random.default_rng(5).random((1, 3, SIDE, SIDE), np.float32)
RECIPE = Recipe(activations="largest", rounding="nearest", bias_correction=False)
LOUD = {3: 40.0, 17: 12.0}
"""Channels of the middle layer, and how much louder than others they are."""


def network(behind=lambda net, x: x, quiet=0.1):
    """What one layer makes is read through a pool, resizes and a Concat; ``behind`` comes first."""
    net = Net()
    x = net.relu(net.conv("first", net.x, 16))
    middle = net.conv("middle", x, 24)
    for channel, times in LOUD.items():
        for constant in middle.producer.inputs[1:]:
            constant.data[channel] *= times
    x = behind(net, net.relu(middle))
    pooled = net.one("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    inner = net.relu(net.conv("inner", pooled, 16))
    inner.producer.inputs[0].producer.inputs[1].data *= quiet
    sizes = net.build.integers([1, 24, SIDE, SIDE])
    told = net.one("Resize", pooled, None, None, sizes, mode="linear")
    both = net.one("Concat", net.grown(inner), told, x, axis=1)
    return net.graph(net.conv("last", net.relu(net.conv("outer", both, 16)), 1))


def seen(graph, names):
    """Statistics of edges, of one picture."""
    values = [value for value in graph.values() if value.name in names]
    graph.outputs, asked = [*graph.outputs, *values], graph.outputs
    found = interpret(graph, {"x": PICTURE})
    graph.outputs = asked
    return {value.name: EdgeStatistics.of(found[value.name], 1) for value in values}


def cut(graph):
    """The graph in pieces, from what is seen of it."""
    products = find_products(graph)
    names = {product.x.name for product in readers_of_makers(graph, products)}
    return in_pieces(graph, products, seen(graph, names))


def test_the_network_stays_what_it_was():
    graph = prepare(network())
    pieces = cut(graph)
    made = {value.name: value.type.shape[1] for value in pieces.values() if value.type.shape[1:]}
    assert 24 < made["middle"] <= 36 and made["first"] == 16 and made["inner"] == 16
    assert [node.op for node in pieces.nodes].count("Clip") == 1
    wanted, found = (pyhades.compile(g, threads=1)(PICTURE) for g in (graph, pieces))
    assert np.abs(found - wanted).max() < 2e-5 * np.abs(wanted).max()


def test_grids_are_finer_and_so_is_the_result():
    graph = prepare(network())
    wanted = pyhades.compile(graph, threads=1)(PICTURE)
    errors, steps = [], []
    for each in (graph, cut(graph)):
        products = [product for product in find_products(each) if not product.kept]
        names = {value.name for value in each.values() if value.data is None}
        quantiser = Quantiser(each, products, seen(each, names), RECIPE)
        quantised = quantiser.quantised(products)
        assert "Clip" not in [node.op for node in quantised.nodes]
        outer = next(product for product in products if product.name == "outer")
        steps.append(float(quantiser.read_grids(products)[outer.x].scale))
        found = pyhades.compile(quantised, threads=1)(PICTURE)
        errors.append(np.abs(found - wanted).mean())
    assert steps[1] < steps[0] / 3
    assert errors[1] < errors[0] / 1.5


def test_limits_stay_where_the_grid_reaches_further():
    """Another operand of the Concat is louder than a piece may be."""
    pieces = cut(prepare(network(quiet=10.0)))
    products = [product for product in find_products(pieces) if not product.kept]
    names = {value.name for value in pieces.values() if value.data is None}
    quantiser = Quantiser(pieces, products, seen(pieces, names), RECIPE)
    quantised = quantiser.quantised(products)
    assert "Clip" in [node.op for node in quantised.nodes]
    wanted, found = (pyhades.compile(g, threads=1)(PICTURE) for g in (pieces, quantised))
    assert np.abs(found - wanted).max() < 0.1 * np.abs(wanted).max()


def doubled(net, x):
    """A sum: what it consists of is not known piece by piece."""
    return net.one("Add", x, x)


def depthwise(net, x):
    return net.relu(net.conv("depthwise", x, 24, group=24))


def gated(net, x):
    return net.one("Mul", x, net.one("Sigmoid", x))


@pytest.mark.parametrize("behind", [doubled, depthwise, gated])
def test_what_needs_whole_channels_keeps_them(behind):
    graph = prepare(network(behind))
    products = find_products(graph)
    names = {value.name for value in graph.values() if value.data is None}
    found = in_pieces(graph, products, seen(graph, names))
    middle = next(value for value in found.values() if value.name == "middle")
    assert middle.type.shape[1] == 24


def test_alike_channels_are_left_alone(monkeypatch):
    monkeypatch.setattr(f"{__name__}.LOUD", {})
    graph = prepare(network())
    assert cut(graph) is graph


def test_a_network_that_another_reads_in_the_middle_is_left_alone():
    graph = prepare(network())
    graph.outputs.append(next(v for v in graph.values() if v.producer and v.producer.op == "Relu"
                              and v.producer.inputs[0].name == "middle"))  # fmt: skip
    assert cut(graph) is graph
