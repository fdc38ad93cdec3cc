"""``pyhades.quantize``: a float segmentation model in, a quantised one out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.onnx.importer import load_onnx
from pyhades.onnx.source import ModelSource
from pyhades.options import EngineOptions, engine_options, refuse_precision
from pyhades.segmentation.catalogue import Profile, identify
from pyhades.segmentation.image.reading import ImageLike
from pyhades.segmentation.opening import check_model
from pyhades.segmentation.quantize.calibration import Step, work_folder
from pyhades.segmentation.quantize.files import check_writable
from pyhades.segmentation.quantize.network import quantize_graph
from pyhades.segmentation.quantize.pictures import given_pictures, made_pictures
from pyhades.segmentation.quantize.recipe import Recipe
from pyhades.segmentation.quantize.result import Quantized
from pyhades.segmentation.quantize.scores import Budget

DEFAULT_BUDGET = "mae=.004,iou=.9975"


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
    target = None if output is None else Path(output).expanduser()
    if target is not None:
        check_writable(target)
    limits = Budget.parse(budget)
    chosen = engine_options(options, threads=threads, isa=isa)
    refuse_precision(chosen, "what is quantised", "int8")
    source, entry = check_model(model, download)
    graph = load_onnx(source)
    path = None if isinstance(source, bytes) else source
    found = identify(graph, path, entry=entry, profile=profile, **manifest)
    pictures = made_pictures() if images is None else given_pictures(images)
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
