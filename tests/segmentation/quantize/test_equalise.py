"""Channels are followed through a network, and scaling them leaves it what it was."""

from __future__ import annotations

import numpy as np
import pytest

import pyhades
from pyhades.segmentation.quantize.channels import PINNED, trace_channels
from pyhades.segmentation.quantize.equalise import equalise, layers_with_known_channels
from pyhades.segmentation.quantize.prepare import prepare
from pyhades.segmentation.quantize.products import find_products
from pyhades.segmentation.quantize.statistics import EdgeStatistics
from tests.support.small_networks import SIDE, Net, transformer, unet

PICTURE = np.random.default_rng(5).random((1, 3, SIDE, SIDE), np.float32)


def statistics_of(graph, products, loud):
    """As if some channels were so much louder than the others."""
    rng = np.random.default_rng(6)
    found = {}
    for product in products:
        data = product.weight.data
        axis = 0 if product.node.op == "ConvTranspose" else 1 - product.channels
        count = data.shape[axis] * product.node.attributes.get("group", 1)
        x = rng.random((1, count, 8, 8)).astype(np.float32)
        x[:, ::5] *= loud
        found[product.x.name] = EdgeStatistics.of(x, 1)
    return found


def grouped():
    net = Net()
    x = net.relu(net.conv("first", net.x, 16))
    x = net.relu(net.conv("depthwise", x, 16, group=16))
    x = net.one("MaxPool", net.relu(net.conv("groups", x, 24, group=4)), kernel_shape=[2, 2],
                strides=[2, 2])  # fmt: skip
    x = net.one("ConvTranspose", x, net.array(24, 16, 2, 2), net.array(16), strides=[2, 2])
    x = net.one("LeakyRelu", x, alpha=0.1)
    return net.graph(net.conv("last", net.relu(net.conv("inner", x, 16)), 1), name="grouped")


@pytest.mark.parametrize("make", [unet, transformer, grouped])
def test_the_network_stays_what_it_was(make):
    graph = prepare(make())
    products = find_products(graph)
    assert layers_with_known_channels(graph, products)
    equal = equalise(graph, products, statistics_of(graph, products, 50.0))
    changed = sum(
        a.data is not None and not np.array_equal(a.data, b.data)
        for n, m in zip(graph.nodes, equal.nodes, strict=True)
        for a, b in zip(n.inputs, m.inputs, strict=True)
        if a is not None
    )
    assert changed >= 3
    wanted, found = (pyhades.compile(g, threads=1)(PICTURE) for g in (graph, equal))
    assert np.abs(found - wanted).max() < 2e-5 * np.abs(wanted).max()


def test_alike_channels_are_left_alone_by_a_network_that_gains_nothing():
    net = Net()
    x = net.relu(net.conv("first", net.x, 16))
    sigmoid = net.one("Sigmoid", net.conv("gate", x, 16))
    graph = prepare(net.graph(net.conv("last", net.one("Mul", x, sigmoid), 8)))
    products = find_products(graph)
    channels = trace_channels(graph, products)
    # Both operands of the product of activations are pinned, and so is what they are made of.
    for maker in channels.makers[:2]:
        assert (channels.classes(maker.ids) == PINNED).all()
    assert layers_with_known_channels(graph, products) == []


def test_both_operands_of_a_sum_get_one_factor():
    graph = prepare(unet())
    channels = trace_channels(graph, find_products(graph))
    classes = [channels.classes(maker.ids).tolist() for maker in channels.makers]
    assert sum(classes.count(each) == 2 for each in classes) == 2
    assert classes[-1] == [PINNED]


def test_a_slice_that_turns_channels_round_pins_them():
    net = Net()
    x = net.relu(net.conv("first", net.x, 16))
    one = net.build.integers
    turned = net.one("Slice", x, one([15]), one([-17]), one([1]), one([-1]))
    graph = prepare(net.graph(net.conv("last", turned, 8)))
    channels = trace_channels(graph, find_products(graph))
    assert channels.readers == []
    assert (channels.classes(channels.makers[0].ids) == PINNED).all()
