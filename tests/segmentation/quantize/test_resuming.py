"""Networks that are run from their middle on, and what is kept of pictures meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

import pyhades
from pyhades.options import EngineOptions
from pyhades.segmentation.catalogue import identify
from pyhades.segmentation.quantize import observe, resuming
from pyhades.segmentation.quantize.apply import Quantiser
from pyhades.segmentation.quantize.calibration import Calibration
from pyhades.segmentation.quantize.candidates import Candidates
from pyhades.segmentation.quantize.observe import Observer
from pyhades.segmentation.quantize.pictures import Picture
from pyhades.segmentation.quantize.prepare import prepare
from pyhades.segmentation.quantize.products import find_products
from pyhades.segmentation.quantize.ranking import rank_products
from pyhades.segmentation.quantize.recipe import Recipe
from pyhades.segmentation.quantize.resuming import Carried, first_change, frontier, resumed, sized
from pyhades.segmentation.quantize.statistics import EdgeStatistics
from tests.support.small_networks import SIDE, pictures, unet

OPTIONS = EngineOptions(threads=1)
RNG = np.random.default_rng(4)
FEEDS = [{"x": RNG.random((1, 3, SIDE, SIDE), np.float32)} for _ in range(3)]


def run(graph, feeds):
    with pyhades.compile(graph, threads=1) as program:
        return program.run({name: feeds[name] for name in program.inputs})


@pytest.fixture(scope="module")
def network():
    return sized(prepare(unet()), FEEDS[0])


@pytest.fixture(scope="module")
def quantiser():
    graph = prepare(unet())
    inner = [v for v in graph.values() if v.data is None]
    with_all = resumed(graph, [], [v for v in inner if v.producer is not None])
    seen = run(sized(with_all, FEEDS[0]), FEEDS[0]) | FEEDS[0]
    statistics = {name: EdgeStatistics.of(array, 1) for name, array in seen.items()}
    products = [product for product in find_products(graph) if not product.kept]
    recipe = Recipe(rounding="nearest", bias_correction=False)
    return Quantiser(graph, products, statistics, recipe)


def test_a_network_in_two_halves_makes_what_it_makes_as_a_whole(network):
    wanted = run(network, FEEDS[0])
    for position in range(len(network.nodes)):
        ends = frontier(network, position, network.outputs)
        first = {v.name for v in ends} - {"x"}
        made = [v for v in ends if v.name in first]
        left = run(resumed(network, ["x"], made), FEEDS[0]) if made else {}
        rest = resumed(network, [v.name for v in ends], network.outputs)
        assert {v.name for v in rest.inputs} <= {v.name for v in ends}
        found = run(rest, left | FEEDS[0])
        for name, mask in wanted.items():
            np.testing.assert_allclose(found[name], mask, rtol=1e-4, atol=1e-5)


def test_what_is_fed_is_not_computed(network):
    middle = next(v for v in network.values() if v.name == "added")
    rest = resumed(network, ["added", "x"], network.outputs)
    assert middle.producer is not None and "added" in {v.name for v in rest.inputs}
    assert all("added" not in {v.name for v in node.outputs} for node in rest.nodes)


def test_a_candidate_begins_where_its_first_product_reads(network, quantiser):
    for product in quantiser.products:
        candidate = sized(quantiser.quantised([product]), FEEDS[0])
        position = first_change(network, candidate)
        order = {node.outputs[0].name: i for i, node in enumerate(network.nodes)}
        assert 0 < position <= order[product.name]
    assert first_change(network, network) == len(network.nodes)


@pytest.mark.parametrize("room", [resuming.MOST_CARRIED, 0])
def test_candidates_in_any_order_make_what_they_make_alone(network, quantiser, room, monkeypatch):
    monkeypatch.setattr(resuming, "MOST_CARRIED", room)
    carried = Carried(network, [lambda feeds=feeds: feeds for feeds in FEEDS], OPTIONS)
    for product in [*quantiser.products, *quantiser.products[::-1]]:
        candidate = sized(quantiser.quantised([product]), FEEDS[0])
        found = list(carried.outputs(candidate))
        assert len(found) == len(FEEDS)
        for outputs, feeds in zip(found, FEEDS, strict=True):
            for name, mask in run(candidate, feeds).items():
                # A number that is near the middle of two points of a grid may go to either.
                assert np.abs(outputs[name] - mask).mean() < 1e-3


@pytest.mark.parametrize("side", [SIDE, "side"])
def test_masks_of_candidates_are_those_of_whole_networks(side):
    source = unet(side)
    graph = prepare(source)
    found = identify(source, None, input_size=(SIDE, SIDE))
    calibration = Calibration(found, OPTIONS, lambda *_: None)
    named = [Picture(str(i), image) for i, image in enumerate(pictures(3))]
    products = [product for product in find_products(graph) if not product.kept]
    seen = calibration.observe(graph, products, named, "ranges")
    quantiser = Quantiser(graph, products, seen, Recipe(rounding="nearest"))
    candidates = Candidates(calibration, graph)
    for some in ([products[-1]], products, [products[0]]):
        candidate = quantiser.quantised(some)
        for few in (named, named[1:]):
            ours = list(candidates.masks(candidate, few))
            wanted = list(calibration.masks(candidate, few))
            assert len(ours) == len(few)
            assert all(np.abs(a - b).mean() < 1e-3 for a, b in zip(ours, wanted, strict=True))


@pytest.mark.parametrize("room", [1, 40_000, 1 << 30])
@pytest.mark.parametrize("side", [SIDE, "side"])
def test_edges_are_the_same_however_the_network_is_cut(side, room, monkeypatch):
    graph = prepare(unet(side))
    edges = {v: 1 for v in graph.values() if v.producer is not None and v not in graph.outputs}
    wanted = dict(Observer(graph, edges, OPTIONS).pass_along(FEEDS[0]))
    monkeypatch.setattr(observe, "BYTES_AT_ONCE", room)
    observer = Observer(graph, edges, OPTIONS)
    found = dict(observer.pass_along(FEEDS[0]))
    observer.close()
    assert found.keys() == wanted.keys() == edges.keys()
    for edge, array in wanted.items():
        np.testing.assert_allclose(found[edge], array, rtol=1e-4, atol=1e-5)


def test_large_pictures_need_to_be_fewer():
    named = [Picture(str(i), image) for i, image in enumerate(pictures(20))]
    few = {}
    for side in (32, 1024):
        graph = unet("side")
        found = identify(graph, None, input_size=(side, side))
        calibration = Calibration(found, OPTIONS, lambda *_: None)
        few[side] = [len(calibration.enough(named, most, least)) for most, least in
                     ((8, 1), (20, 1), (300, 1), (20, 15), (8, 60))]  # fmt: skip
    assert few == {32: [8, 20, 20, 20, 20], 1024: [4, 10, 10, 15, 20]}


def test_only_groups_that_cause_most_of_the_error_are_taken_apart():
    class Named:
        def __init__(self, name):
            self.name = name

    products = [Named(str(i)) for i in range(64)]
    costs = {product.name: 0.01 for product in products} | {"17": 1.0, "18": 0.5}
    asked = []

    def error_of(some):
        asked.append(len(some))
        return sum(costs[product.name] ** 2 for product in some) ** 0.5

    ranked = rank_products(products, error_of, lambda *_: None)
    assert [product.name for product, _ in ranked[:2]] == ["17", "18"]
    assert asked == [4] * 16 + [1] * 4 and len(ranked) == 64
