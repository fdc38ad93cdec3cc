"""Weights and biases of a quantised network, fitted to what its products read on pictures."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

from pyhades.numerics.array import Array
from pyhades.segmentation.quantize.apply import Quantiser
from pyhades.segmentation.quantize.bias import measure_shifts
from pyhades.segmentation.quantize.calibration import Calibration
from pyhades.segmentation.quantize.kept import Kept
from pyhades.segmentation.quantize.learned import learn_weights
from pyhades.segmentation.quantize.pictures import Picture
from pyhades.segmentation.quantize.products import Product

FOR_WEIGHTS = 24
"""Pictures that weights are rounded for."""
FOR_SHIFTS = 32
"""Pictures that biases are corrected on."""


def fit(
    quantiser: Quantiser,
    products: Sequence[Product],
    calibration: Calibration,
    pictures: Sequence[Picture],
    kept: Kept,
) -> None:
    """Round weights, and correct biases, for what the products read on the pictures."""
    graph, step = quantiser.graph, calibration.step
    grids = quantiser.read_grids(products)
    if quantiser.recipe.rounding == "learned":
        few = calibration.enough(pictures, FOR_WEIGHTS)
        feeds = [functools.partial(calibration.feeds, picture) for picture in few]
        quantiser.learned = kept.arrays(
            "weights",
            lambda: learn_weights(
                graph, products, grids, quantiser.scales(products), feeds, calibration.options,
                lambda done, total: step("weights", done, total),
            ),
        )  # fmt: skip
    if quantiser.recipe.bias_correction:
        told = _told(calibration.enough(pictures, FOR_SHIFTS), calibration)
        weights = quantiser.rounded_weights(products)
        quantiser.shifts = kept.arrays(
            "biases",
            lambda: measure_shifts(graph, products, grids, weights, told, calibration.options),
        )


def _told(pictures: Sequence[Picture], calibration: Calibration) -> Iterator[dict[str, Array]]:
    for index, picture in enumerate(pictures):
        yield calibration.feeds(picture)
        calibration.step("biases", index + 1, len(pictures))
