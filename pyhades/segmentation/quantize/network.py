"""A float network in, a quantised one out: all that is done to it, in its order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyhades.errors import ArgumentError
from pyhades.ir.graph import Graph
from pyhades.options import EngineOptions
from pyhades.segmentation.catalogue import Identification
from pyhades.segmentation.quantize.apply import Quantiser
from pyhades.segmentation.quantize.calibration import Calibration, Step, digest_of_graph
from pyhades.segmentation.quantize.candidates import Candidates
from pyhades.segmentation.quantize.fitting import fit
from pyhades.segmentation.quantize.judging import Judge
from pyhades.segmentation.quantize.kept import Kept, Numbers
from pyhades.segmentation.quantize.pictures import Picture, digest_of, split
from pyhades.segmentation.quantize.prepare import prepare
from pyhades.segmentation.quantize.products import Product
from pyhades.segmentation.quantize.recipe import Recipe
from pyhades.segmentation.quantize.result import Layer, Quantized
from pyhades.segmentation.quantize.scores import Budget
from pyhades.segmentation.quantize.search import Choice, choose
from pyhades.segmentation.quantize.shaping import shaped
from pyhades.segmentation.quantize.work import work_of

LEAST_HELD = 60
"""Pictures that are held out, and are not fewer where they are large, if there are so many."""


def quantize_graph(
    graph: Graph,
    found: Identification,
    pictures: Sequence[Picture],
    *,
    budget: Budget,
    recipe: Recipe,
    options: EngineOptions,
    step: Step,
    work: Path | None = None,
) -> Quantized:
    """Quantise a network whose manifest is known; the budget may not hold afterwards.

    Parameters
    ----------
    graph
        As it was read.
    found
        Its manifest, and how it is fed.
    pictures
        For calibration and for checking.
    budget, recipe, options, step
        See :func:`pyhades.quantize`.
    work
        A folder in which statistics are kept, so that an interrupted call goes on.
    """
    # A precision that was asked for is that of the result.
    flat = EngineOptions(threads=options.threads, isa=options.isa)
    calibration = Calibration(found, flat, step)
    for_ranges, held = split(pictures)
    for_ranges = calibration.enough(for_ranges, len(for_ranges))
    held = calibration.enough(held, len(held), least=LEAST_HELD)
    prepared = prepare(graph)
    digest = digest_of(pictures)
    key = hashlib.sha256(f"{digest_of_graph(prepared)} {digest} {recipe.digest}".encode())
    kept = Kept(work, key.hexdigest()[:16])
    equal, products = shaped(prepared, recipe, calibration, for_ranges, kept)
    usable = [product for product in products if not product.kept]
    if not usable:
        raise ArgumentError(
            f"{graph.source or graph.name}: there is nothing to quantise: of {len(products)} "
            f"products with constant weights all stay in float ({_reasons(products)})"
        )
    statistics = calibration.observe(equal, usable, for_ranges, "ranges", kept.path("ranges"))
    quantiser = Quantiser(equal, usable, statistics, recipe)
    fit(quantiser, usable, calibration, for_ranges, kept)
    ranks = kept.numbers("ranks")
    operations = work_of(equal, products, calibration.feeds(held[0]))
    choice = _choose(calibration, graph, quantiser, usable, operations, held, budget, ranks)
    layers = tuple(_layer(product, choice, operations[product.name]) for product in products)
    return Quantized(
        choice.graph, found.manifest, recipe, budget, layers, choice.scores,
        (digest, len(for_ranges)), found,
    )  # fmt: skip


def _choose(
    calibration: Calibration,
    graph: Graph,
    quantiser: Quantiser,
    products: Sequence[Product],
    work: Mapping[str, float],
    held: Sequence[Picture],
    budget: Budget,
    ranks: Numbers,
) -> Choice:
    judge = Judge(calibration, graph, held, budget)
    candidates = Candidates(calibration, quantiser.graph)

    def error_of(some: Sequence[Product], indices: Sequence[int]) -> float:
        def measured() -> float:
            masks = candidates.masks(quantiser.quantised(some), judge.pictures(indices))
            return budget.spent(judge.compared(indices, masks))

        name = " ".join([str(budget), *map(str, indices), *(product.name for product in some)])
        return ranks.of(hashlib.sha256(name.encode()).hexdigest()[:24], measured)

    return choose(
        products, work, quantiser.quantised, judge, error_of,
        lambda done, total: calibration.step("ranks", done, total),
    )  # fmt: skip


def _layer(product: Product, choice: Choice, work: float) -> Layer:
    names = {each.name for each in choice.products}
    is_int8 = product.name in names
    reason = "" if is_int8 else product.kept or "budget"
    data = product.weight.data
    assert data is not None
    return Layer(
        product.name, product.node.op, data.shape, "int8" if is_int8 else "float", reason,
        choice.errors.get(product.name), work,
    )  # fmt: skip


def _reasons(products: Sequence[Product]) -> str:
    return ", ".join(sorted({product.kept for product in products})) or "there are none"
