"""What went back to float reads numbers as they were made, not those on grids of other products."""

from __future__ import annotations

import numpy as np
import pytest

import pyhades
from pyhades.ir.interpreter import interpret
from pyhades.onnx.quantised import quantised_chunks
from pyhades.segmentation.quantize.apply import Quantiser
from pyhades.segmentation.quantize.pieces import in_pieces, readers_of_makers
from pyhades.segmentation.quantize.placement import place_grids
from pyhades.segmentation.quantize.prepare import prepare
from pyhades.segmentation.quantize.products import find_products
from pyhades.segmentation.quantize.recipe import Recipe
from pyhades.segmentation.quantize.statistics import EdgeStatistics
from tests.support.quantised_models import run_as_written
from tests.support.small_networks import SIDE, Net, unet

PICTURE = {"x": np.random.default_rng(8).random((1, 3, SIDE, SIDE), np.float32)}
RECIPE = Recipe(activations="largest", rounding="nearest", bias_correction=False)


def usable(graph):
    return [product for product in find_products(graph) if not product.kept]


def passing(graph, names):
    """What passes along the edges with these names."""
    values = {value.name: value for value in graph.values()}
    graph.outputs, asked = [*graph.outputs, *(values[name] for name in names)], graph.outputs
    found = interpret(graph, PICTURE)
    graph.outputs = asked
    return {name: found[name] for name in names}


def quantiser_of(graph):
    outputs = {value.name for value in graph.outputs}
    names = [v.name for v in graph.values() if v.data is None and v.name not in {"x", *outputs}]
    seen = {n: EdgeStatistics.of(x, 1) for n, x in passing(graph, names).items()}
    return Quantiser(graph, usable(graph), seen, RECIPE)


def without(graph, *names):
    products = usable(graph)
    back = [product for product in products if product.name in names]
    assert len(back) == len(names)
    return [product for product in products if product not in back], back


def test_where_everything_is_on_grids_nothing_is_read_from_before_them():
    graph = prepare(unet())
    assert not place_grids(graph, usable(graph)).as_made


def test_a_pool_before_a_product_in_float_reads_from_before_the_grid():
    graph = prepare(unet())
    placement = place_grids(graph, *without(graph, "deep"))
    first = next(v for v in graph.values() if v.producer and v.producer.op == "Relu")
    assert first in placement.made
    readers = {node.op for node, value in placement.as_made if value is first}
    assert readers == {"MaxPool"}


def test_a_product_in_float_adds_what_is_in_float():
    graph = prepare(unet())
    placement = place_grids(graph, *without(graph, "again"))
    added = next(v for v in graph.values() if v.name == "added")
    rows = {node for node, _ in placement.as_made}
    assert added in placement.made and added.producer in rows


@pytest.mark.parametrize(
    ("back", "equal"), [(["deep"], ["deep"]), (["deep", "again"], ["deep", "again", "added"])]
)
def test_products_in_float_make_what_they_make_in_the_float_network(back, equal):
    graph = prepare(unet())
    quantised = quantiser_of(graph).quantised(without(graph, *back)[0])
    assert "FakeQuantize" in {node.op for node in quantised.nodes}
    wanted, found = passing(graph, equal), passing(quantised, equal)
    for name in equal:
        assert np.array_equal(found[name], wanted[name]), name


@pytest.mark.parametrize("back", ["deep", "again"])
def test_a_file_with_products_back_in_float_runs_alike_in_onnxruntime(back, tmp_path):
    graph = prepare(unet())
    quantised = quantiser_of(graph).quantised(without(graph, back)[0])
    path = tmp_path / "some.onnx"
    path.write_bytes(b"".join(quantised_chunks(quantised)))
    (theirs,) = run_as_written(path, PICTURE)
    ours = pyhades.compile(pyhades.load_onnx(path), threads=1)(PICTURE["x"])
    assert np.abs(ours - theirs).mean() < 1e-5 and np.abs(ours - theirs).max() < 0.01
    assert np.array_equal(ours, pyhades.compile(quantised, threads=1)(PICTURE["x"]))


def test_limits_of_pieces_stay_where_they_are_read_from_before_the_grid():
    """A grid that ends where a piece does makes its limit needless, for those who read the grid."""
    net = Net()
    middle = net.conv("middle", net.relu(net.conv("first", net.x, 16)), 24)
    for constant in middle.producer.inputs[1:]:
        constant.data[3] *= 40
    loud = net.relu(middle)
    pooled = net.one("MaxPool", loud, kernel_shape=[2, 2], strides=[2, 2])
    inner = net.relu(net.conv("inner", pooled, 16))
    outer = net.relu(net.conv("outer", loud, 16))
    both = net.one("Concat", net.grown(inner), outer, axis=1)
    graph = prepare(net.graph(net.conv("last", both, 1)))
    products = find_products(graph)
    names = [product.x.name for product in readers_of_makers(graph, products)]
    seen = {name: EdgeStatistics.of(x, 1) for name, x in passing(graph, names).items()}
    pieces = in_pieces(graph, products, seen)
    some, _ = without(pieces, "middle", "inner")
    every, part = (quantiser_of(pieces).quantised(p) for p in (usable(pieces), some))
    ops = [[node.op for node in g.nodes].count("Clip") for g in (pieces, every, part)]
    assert ops == [1, 0, 1]
    assert np.array_equal(passing(part, ["inner"])["inner"], passing(pieces, ["inner"])["inner"])
