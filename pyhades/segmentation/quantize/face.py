"""``pyhades.quantize``: a float segmentation model in, a quantised one out."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.ir.graph import Graph
from pyhades.numerics.array import Array
from pyhades.onnx.importer import load_onnx
from pyhades.onnx.source import ModelSource
from pyhades.options import EngineOptions, engine_options, refuse_precision
from pyhades.segmentation.catalogue import Identification, Profile, identify
from pyhades.segmentation.image.reading import ImageLike
from pyhades.segmentation.quantize.apply import Quantiser
from pyhades.segmentation.quantize.bias import measure_shifts
from pyhades.segmentation.quantize.calibration import (
    Calibration,
    Step,
    digest_of_graph,
    work_folder,
)
from pyhades.segmentation.quantize.candidates import Candidates
from pyhades.segmentation.quantize.equalise import equalise, layers_with_known_channels
from pyhades.segmentation.quantize.judging import Judge
from pyhades.segmentation.quantize.kept import Kept, Numbers
from pyhades.segmentation.quantize.learned import learn_weights
from pyhades.segmentation.quantize.pictures import (
    Picture,
    digest_of,
    given_pictures,
    made_pictures,
    split,
)
from pyhades.segmentation.quantize.pieces import in_pieces, readers_of_makers
from pyhades.segmentation.quantize.prepare import named_apart, prepare
from pyhades.segmentation.quantize.products import Product, find_products
from pyhades.segmentation.quantize.recipe import Recipe
from pyhades.segmentation.quantize.result import Layer, Quantized
from pyhades.segmentation.quantize.scores import Budget
from pyhades.segmentation.quantize.search import Choice, choose
from pyhades.segmentation.quantize.work import work_of
from pyhades.segmentation.remover import check_model

DEFAULT_BUDGET = "mae=.004,iou=.9975"
FOR_PEAKS = 16
"""Pictures that the peaks of channels are found on, before they are made alike."""
FOR_LOUDNESS = 12
"""Pictures that loud channels are found on."""
FOR_WEIGHTS = 24
"""Pictures that weights are rounded for."""
FOR_SHIFTS = 32
"""Pictures that biases are corrected on."""
LEAST_HELD = 60
"""Pictures that are held out, and are not fewer where they are large, if there are so many."""


def quantize(
    model: ModelSource | None = None,
    images: str | os.PathLike[str] | Sequence[ImageLike] | None = None,
    output: str | os.PathLike[str] | None = None,
    *,
    budget: str | Budget = DEFAULT_BUDGET,
    recipe: Recipe | None = None,
    force: bool = False,
    step: Step = lambda what, done, total: None,
    threads: int | None = None,
    isa: str | None = None,
    options: EngineOptions | None = None,
    profile: Profile = "reference",
    download: bool = False,
    **manifest: Any,
) -> Quantized:
    """Quantise a segmentation model to int8.

    Ranges of activations are found on four fifths of the pictures; the masks of the others say
    how good the result is. Products that cost much of the mask and little time go back to float
    until the budget holds.

    Parameters
    ----------
    model
        See making a :class:`~pyhades.Remover`. It must be a float model.
    images
        Pictures like those that the model will see: a folder, or a list; 100 to 300 are good. By
        default photographs that ship with pyhades and scenes made by code, and scenes
        more to judge masks on. Of pictures that the model sees at more than 512 times 512 pixels,
        fewer are looked at.
    output
        ONNX file to write. A call that is interrupted goes on where it was, from a folder beside
        it. None to write nothing.
    budget
        What masks may differ by in the mean over pictures like those that are held out:
        ``"mae=.004,iou=.9975"``; see :class:`~pyhades.segmentation.quantize.Budget`.
    recipe
        How; see :class:`~pyhades.segmentation.quantize.Recipe`.
    force
        Write the file also where the budget does not hold.
    step
        Called with what is done, how much of it is done, and how much there is.
    threads, isa, options
        Of the engine meanwhile; the result does not depend on them.
    profile, download, **manifest
        See making a :class:`~pyhades.Remover`.

    Returns
    -------
    Quantized
        The network, its layers and its scores.

    Raises
    ------
    ArgumentError
        There are no pictures; the output is the model itself; the model is quantised already, or
        has nothing to quantise; the budget is none, or cannot be held and ``force`` is false:
        nothing is written then.
    ImageError
        A picture cannot be read.
    ModelError
        The file is not a model that gives a mask.
    ConfigurationError
        The file cannot be written.

    Examples
    --------
    >>> from pyhades.segmentation.plausibility import SAMPLES
    >>> small = quantize(images=SAMPLES, budget="mae=.02")
    >>> small.holds
    True
    """
    one_of("profile", profile, Profile)
    limits = Budget.parse(budget)
    chosen = engine_options(options, threads=threads, isa=isa)
    refuse_precision(chosen, "what is quantised", "int8")
    source, entry = check_model(model, download)
    graph = load_onnx(source)
    path = None if isinstance(source, bytes) else source
    found = identify(graph, path, entry=entry, profile=profile, **manifest)
    pictures = made_pictures() if images is None else given_pictures(images)
    target = None if output is None else Path(output).expanduser()
    if target is not None and path is not None and target.exists() and target.samefile(path):
        raise ArgumentError(f"{target} is the model itself, which the result would replace; "
                            "choose another output")  # fmt: skip
    result = quantize_graph(
        graph, found, pictures, budget=limits, recipe=recipe or Recipe(), options=chosen,
        step=step, work=None if target is None else work_folder(target),
    )  # fmt: skip
    if not result.holds and not force:
        raise ArgumentError(
            f"{graph.source or graph.name}: the budget {limits} does not hold: {_best(result)}. "
            "Nothing was written; allow more, or force=True (--force) writes it as it is"
        )
    if target is not None:
        result.save(target)
        shutil.rmtree(work_folder(target), ignore_errors=True)
    return result


def _best(result: Quantized) -> str:
    bound = ", ".join(f"{name}={value:.5f}" for name, value in result.bound.items())
    back = sum(layer.reason == "budget" for layer in result.layers)
    return (
        f"the best that was found, with {back} products back in float, has up to {bound}, judged "
        f"on {len(result.scores)} pictures"
    )


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
        See :func:`quantize`.
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
    equal, products = _equalised(prepared, recipe, calibration, for_ranges, kept)
    if recipe.pieces:
        equal, products = _in_pieces(equal, products, recipe, calibration, for_ranges, kept)
    usable = [product for product in products if not product.kept]
    if not usable:
        raise ArgumentError(
            f"{graph.source or graph.name}: there is nothing to quantise: of {len(products)} "
            f"products with constant weights all stay in float ({_reasons(products)})"
        )
    statistics = calibration.observe(equal, usable, for_ranges, "ranges", kept.path("ranges"))
    quantiser = Quantiser(equal, usable, statistics, recipe)
    _fit(quantiser, usable, calibration, for_ranges, kept)
    ranks = kept.numbers("ranks")
    operations = work_of(equal, products, calibration.feeds(held[0]))
    choice = _choose(calibration, graph, quantiser, usable, operations, held, budget, ranks)
    layers = tuple(_layer(product, choice, operations[product.name]) for product in products)
    return Quantized(
        choice.graph, found.manifest, recipe, budget, layers, choice.scores,
        (digest, len(for_ranges)), found,
    )  # fmt: skip


def _fit(
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


__all__ = ["DEFAULT_BUDGET", "quantize", "quantize_graph"]
