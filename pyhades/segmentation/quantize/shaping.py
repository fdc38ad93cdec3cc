"""Networks that are easier to quantise and compute the same: channels alike, or in pieces."""

from __future__ import annotations

from collections.abc import Sequence

from pyhades.ir.graph import Graph
from pyhades.segmentation.quantize.calibration import Calibration
from pyhades.segmentation.quantize.equalise import equalise, layers_with_known_channels
from pyhades.segmentation.quantize.kept import Kept
from pyhades.segmentation.quantize.pictures import Picture
from pyhades.segmentation.quantize.pieces import in_pieces, readers_of_makers
from pyhades.segmentation.quantize.prepare import named_apart
from pyhades.segmentation.quantize.products import Product, find_products
from pyhades.segmentation.quantize.recipe import Recipe

FOR_PEAKS = 16
"""Pictures that the peaks of channels are found on, before they are made alike."""
FOR_LOUDNESS = 12
"""Pictures that loud channels are found on."""


def shaped(
    graph: Graph,
    recipe: Recipe,
    calibration: Calibration,
    pictures: Sequence[Picture],
    kept: Kept,
) -> tuple[Graph, list[Product]]:
    """The network as its recipe wants it before it is quantised, and its products.

    Parameters
    ----------
    graph
        As :func:`~pyhades.segmentation.quantize.prepare.prepare` leaves it.
    recipe
        What is done to it.
    calibration, pictures
        By what peaks of channels are found.
    kept
        Where they are kept.
    """
    graph, products = _equalised(graph, recipe, calibration, pictures, kept)
    if recipe.pieces:
        return _in_pieces(graph, products, recipe, calibration, pictures, kept)
    return graph, products


def _equalised(
    graph: Graph,
    recipe: Recipe,
    calibration: Calibration,
    pictures: Sequence[Picture],
    kept: Kept,
) -> tuple[Graph, list[Product]]:
    """The network with its channels alike where they can be, and its products."""
    outputs = calibration.outputs(graph)
    products = find_products(graph, recipe.float_channels, outputs)
    layers = layers_with_known_channels(graph, products, recipe.equalisation)
    if not layers:
        return graph, products
    few = calibration.enough(pictures, FOR_PEAKS)
    peaks = calibration.observe(graph, layers, few, "peaks", kept.path("peaks"))
    result = named_apart(equalise(graph, products, peaks, recipe.equalisation))
    return result, find_products(result, recipe.float_channels, outputs)


def _in_pieces(
    graph: Graph,
    products: list[Product],
    recipe: Recipe,
    calibration: Calibration,
    pictures: Sequence[Picture],
    kept: Kept,
) -> tuple[Graph, list[Product]]:
    """The network with its loudest channels in pieces, and its products."""
    layers = readers_of_makers(graph, products)
    if not layers:
        return graph, products
    few = calibration.enough(pictures, FOR_LOUDNESS)
    peaks = calibration.observe(graph, layers, few, "peaks", kept.path("loudness"))
    result = named_apart(in_pieces(graph, products, peaks))
    return result, find_products(result, recipe.float_channels, calibration.outputs(graph))
