"""Rounded weights shift the mean of what they make; the bias takes it back.

How much is measured: beside every product of the float network stands the same with rounded
weights and activations, and the means of both over the pictures are compared. At borders, and with
dilated windows on small planes, sums of weights tell little of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pyhades.compiler import Program, compile
from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant, infer_types
from pyhades.ir.quantization import Quantization
from pyhades.numerics.array import Array
from pyhades.options import EngineOptions
from pyhades.passes.rewriting import clone
from pyhades.segmentation.quantize.edits import put_on_grid
from pyhades.segmentation.quantize.products import Product, rank_of

Shifts = dict[str, NDArray[np.float64]]
"""By the name of a product, what its bias lacks per output channel."""


def measure_shifts(
    graph: Graph,
    products: Sequence[Product],
    grids: Mapping[Value, Quantization],
    weights: Mapping[str, Array],
    pictures: Iterable[Mapping[str, Array]],
    options: EngineOptions,
) -> Shifts:
    """The mean error of each product per output channel, taken alone.

    Parameters
    ----------
    graph
        The prepared network.
    products
        Those that are quantised.
    grids
        Of what they read.
    weights
        Rounded, by the name of the product.
    pictures
        What the network is fed, one after the other.
    options
        Threads and tier.
    """
    both = _side_by_side(graph, products, grids, weights)
    programs: dict[object, Program] = {}
    sums: dict[str, NDArray[np.float64]] = {}
    count = 0
    for feeds in pictures:
        shapes = {name: array.shape for name, array in feeds.items()}
        key = tuple(shapes.items())
        if key not in programs:
            for program in programs.values():
                program.close()
            programs = {key: compile(both, shapes, options=options)}
        for name, means in programs[key].run(feeds).items():
            sums[name] = sums.get(name, 0.0) + means.astype(np.float64)
        count += 1
    for program in programs.values():
        program.close()
    return {p.name: _shift(p, sums, count) for p in products if count}


def _shift(
    product: Product, sums: Mapping[str, NDArray[np.float64]], count: int
) -> NDArray[np.float64]:
    """The rounded product was computed without its bias."""
    bias = product.node.input(2)
    own = 0.0 if bias is None or bias.data is None else bias.data.astype(np.float64)
    wanted, found = (sums[name] / count for name in _names(product))
    return np.asarray(wanted - own - found, np.float64)


def _names(product: Product) -> tuple[str, str]:
    return f"{product.name}.mean", f"{product.name}.rounded.mean"


def _side_by_side(
    graph: Graph,
    products: Sequence[Product],
    grids: Mapping[Value, Quantization],
    weights: Mapping[str, Array],
) -> Graph:
    """The float network with rounded products beside it; the outputs are means per channel."""
    result = clone(graph)
    twins = dict(zip(graph.values(), result.values(), strict=True))
    fresh: dict[Value, Value] = {}
    result.outputs = []
    for product in products:
        x, y = twins[product.x], twins[product.node.outputs[0]]
        if x not in fresh:
            result.nodes.append(put_on_grid(x, grids[product.x], fresh))
        weight = constant(f"{product.name}.rounded.weight", weights[product.name])
        rounded = Value(f"{product.name}.rounded")
        attributes = dict(product.node.attributes)
        node = Node(product.node.op, [fresh[x], weight], [rounded], attributes, rounded.name)
        result.nodes.append(node)
        rank = rank_of(product.node.outputs[0])
        channel = 1 if product.node.op.startswith("Conv") else rank - 1
        others = np.array([i for i in range(rank) if i != channel], np.int64)
        for value, name in zip((y, rounded), _names(product), strict=True):
            axes = constant(f"{name}.axes", others)
            result.outputs.append(Value(name))
            mean = Node("ReduceMean", [value, axes], result.outputs[-1:], {"keepdims": 0}, name)
            result.nodes.append(mean)
    infer_types(result)
    return result
