"""Put grids on the edges of a float network, and its weights on theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.inference import constant, infer_types, type_of
from pyhades.ir.quantization import Quantization
from pyhades.numerics.array import Array
from pyhades.passes.rewriting import clip_bounds, clone, live
from pyhades.segmentation.quantize.bias import Shifts
from pyhades.segmentation.quantize.edits import put_on_grid
from pyhades.segmentation.quantize.grids import (
    LEVELS,
    activation_grid,
    on_weight_grid,
    weight_grid,
    weight_scales,
)
from pyhades.segmentation.quantize.placement import Placement, place_grids
from pyhades.segmentation.quantize.products import Product
from pyhades.segmentation.quantize.recipe import Recipe
from pyhades.segmentation.quantize.statistics import EdgeStatistics, Statistics

_LARGEST_BIAS = 1 << 24
"""Integers up to here are exact in float32."""


@dataclass
class Quantiser:
    """Makes quantised networks of a float one, with any choice of its products.

    Parameters
    ----------
    graph
        The prepared network.
    products
        All that may be quantised.
    statistics
        Of the edges that any choice may put on a grid.
    recipe
        How.
    learned
        Weights that are rounded already, see :mod:`~pyhades.segmentation.quantize.learned`.
    shifts
        What biases lack, see :mod:`~pyhades.segmentation.quantize.bias`.
    """

    graph: Graph
    products: Sequence[Product]
    statistics: Statistics
    recipe: Recipe
    learned: dict[str, Array] = field(default_factory=dict)
    shifts: Shifts = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._weight_grids: dict[str, Quantization] = {}
        self._nearest: dict[str, Array] = {}
        self._grids: dict[tuple[str, ...], Quantization] = {}

    def quantised(self, products: Sequence[Product]) -> Graph:
        """The network with ``products``, and what lies between them, on grids."""
        placement = self._placement(products)
        grids = self._grids_of(placement)
        biases = {p.name: self._bias(p, grids[p.x]) for p in products}
        chosen = {product.name: product for product in products}
        result = clone(self.graph)
        twins = dict(zip(self.graph.values(), result.values(), strict=True))
        nodes_of = dict(zip(self.graph.nodes, result.nodes, strict=True))
        on_grid = {twins[v]: grids[v] for v in placement.made}
        as_made = {(nodes_of[node], twins[v]) for node, v in placement.as_made}
        whole = {value for _, value in as_made}
        fresh: dict[Value, Value] = {}
        nodes: list[Node] = []
        for value in result.inputs:
            if value in on_grid:
                nodes.append(put_on_grid(value, on_grid[value], fresh))
        for node in result.nodes:
            node.inputs = [
                v if v is None or (node, v) in as_made else fresh.get(v, v) for v in node.inputs
            ]
            product = chosen.get(node.outputs[0].name)
            if product is not None:
                self._round_constants(node, product, biases[product.name])
            if node.outputs[0] in on_grid and node.outputs[0] not in whole:
                _drop_limit(node, on_grid[node.outputs[0]])
            nodes.append(node)
            nodes += [put_on_grid(v, on_grid[v], fresh) for v in node.outputs if v in on_grid]
        result.nodes = live(nodes, result.outputs)
        infer_types(result)
        return result

    def _placement(self, products: Sequence[Product]) -> Placement:
        chosen = set(products)
        return place_grids(self.graph, products, [p for p in self.products if p not in chosen])

    def _grids_of(self, placement: Placement) -> dict[Value, Quantization]:
        grids = {}
        for group in placement.groups:
            names = tuple(v.name for v in group if v in placement.made)
            seen = [self.statistics[name] for name in names if name in self.statistics]
            if names not in self._grids:
                self._grids[names] = activation_grid(_together(seen), self.recipe)
            grids.update(dict.fromkeys(group, self._grids[names]))
        return grids

    def read_grids(self, products: Sequence[Product]) -> dict[Value, Quantization]:
        """The grids of what ``products`` read."""
        return self._grids_of(self._placement(products))

    def rounded_weights(self, products: Sequence[Product]) -> dict[str, Array]:
        """By name."""
        return {product.name: self._weight(product) for product in products}

    def scales(self, products: Sequence[Product]) -> dict[str, Array]:
        """Of weights, by name."""
        return {product.name: self._weight_grid(product).scale for product in products}

    def _weight_grid(self, product: Product) -> Quantization:
        """It does not depend on what else is quantised."""
        if product.name not in self._weight_grids:
            data = product.weight.data
            assert data is not None
            how = self.recipe.weights, self.recipe.percentile
            grid = weight_grid(weight_scales(data, product.channels, *how), product.channels)
            self._weight_grids[product.name] = grid
        return self._weight_grids[product.name]

    def _weight(self, product: Product) -> Array:
        """Weights on their grid: those that were learned, else the nearest points."""
        if product.name in self.learned:
            return self.learned[product.name]
        if product.name not in self._nearest:
            data = product.weight.data
            assert data is not None
            self._nearest[product.name] = on_weight_grid(data, self._weight_grid(product))
        return self._nearest[product.name]

    def _bias(self, product: Product, grid: Quantization) -> Value | None:
        """The bias on the grid of the sums; None where the product has none, and needs none."""
        given = product.node.input(2)
        bias = None if given is None else given.data
        weights = self._weight_grid(product)
        if product.name in self.shifts and product.node.op != "MatMul":
            shift = self.shifts[product.name]
            bias = shift if bias is None else bias + shift
        if bias is None:
            return None
        scale = np.asarray(grid.scale * weights.scale, np.float32)
        steps = np.rint(bias / scale.astype(np.float64))
        name = f"{product.name}.bias"
        if np.abs(steps).max(initial=0) >= _LARGEST_BIAS:
            return constant(name, bias.astype(np.float32))
        data = np.asarray(steps.astype(np.float32) * scale, np.float32)
        kind = replace(type_of(data), quantization=Quantization(scale, None, "int32", 0))
        return Value(name, kind, data)

    def _round_constants(self, node: Node, product: Product, bias: Value | None) -> None:
        data, grid = self._weight(product), self._weight_grid(product)
        kind = replace(type_of(data), quantization=grid)
        node.inputs[1] = Value(f"{product.name}.weight", kind, data)
        if bias is not None:
            node.inputs[2:] = [bias]


def _drop_limit(node: Node, grid: Quantization) -> None:
    """A Clip from 0 up to where a grid ends, or further, is a Relu on that grid."""
    bounds = clip_bounds(node)
    if bounds is None or bounds[0] != 0 or grid.zero_point is None or grid.zero_point != 0:
        return
    if float(grid.scale) * LEVELS <= bounds[1] * (1 + 1e-6):
        node.op, node.inputs = "Relu", node.inputs[:1]


def _together(seen: Sequence[EdgeStatistics]) -> EdgeStatistics:
    """Of several edges with one grid. Channels have no meaning there."""
    none = np.zeros(1, np.float32)
    first, *others = (replace(each, peaks=none, means=none, squares=none) for each in seen)
    for other in others:
        first = first + other
    return first
