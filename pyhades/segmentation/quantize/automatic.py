"""``precision="int8"`` and ``"auto"`` of a float model: quantised in memory, and kept for later."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyhades
from pyhades.compiler.program import multiplies_bfloat16, require_bfloat16
from pyhades.errors import ArgumentError, ConfigurationError
from pyhades.ir.graph import Graph
from pyhades.onnx.importer import load_onnx
from pyhades.options import EngineOptions
from pyhades.passes import is_quantised
from pyhades.segmentation.catalogue import Identification
from pyhades.segmentation.image.reading import ImageLike
from pyhades.segmentation.network import CompiledNetwork
from pyhades.segmentation.quantize.calibration import Calibration, digest_of_graph, work_folder
from pyhades.segmentation.quantize.face import DEFAULT_BUDGET
from pyhades.segmentation.quantize.network import quantize_graph
from pyhades.segmentation.quantize.pictures import (
    Picture,
    digest_of,
    given_pictures,
    made_pictures,
    split,
)
from pyhades.segmentation.quantize.recipe import Recipe
from pyhades.segmentation.quantize.result import RECORD_KEY
from pyhades.segmentation.quantize.scores import Budget, Score, mean_of
from pyhades.segmentation.store.places import cache_folder

log = logging.getLogger(__name__)

RUNS = 5
"""Of each network, in turn, of which the fastest count."""


@dataclass(frozen=True)
class Chosen:
    """A network in the precision that was asked for.

    Attributes
    ----------
    graph
        The network.
    precision
        ``"fp32"``, ``"bf16"`` or ``"int8"``.
    why
        How it came to that.
    """

    graph: Graph
    precision: str
    why: str

    def options(self, given: EngineOptions) -> EngineOptions:
        """What the network is compiled with: that it is quantised shows in the graph."""
        precision = "bf16" if self.precision == "bf16" else None
        return EngineOptions(threads=given.threads, isa=given.isa, precision=precision)


def in_precision(
    graph: Graph,
    found: Identification,
    options: EngineOptions,
    calibration: str | os.PathLike[str] | Sequence[ImageLike] | None,
    budget: str | Budget | None,
) -> Chosen:
    """The network as it is, in bfloat16, quantised, or what is fastest within the budget.

    Parameters
    ----------
    graph
        As it was read.
    found
        Its manifest, and how it is fed.
    options
        With the precision that is asked for.
    calibration
        Pictures; None for those that ship and that code makes.
    budget
        See :func:`pyhades.quantize`.
    """
    wanted = options.precision or "fp32"
    if is_quantised(graph):
        return Chosen(graph, "int8" if wanted != "fp32" else "fp32", "the file is quantised")
    if wanted == "fp32":
        return Chosen(graph, "fp32", "asked for" if options.precision else "the default")
    if wanted == "bf16":
        require_bfloat16(options)
        return Chosen(graph, "bf16", "asked for")
    limits = Budget.parse(DEFAULT_BUDGET if budget is None else budget)
    pictures = made_pictures() if calibration is None else given_pictures(calibration)
    where = graph.source or graph.name
    if wanted == "auto":
        return _told(where, _fastest(graph, found, pictures, limits, options))
    small, record = _kept(graph, found, pictures, limits, options)
    mean = _shown(record["mean"])
    if not record["holds"]:
        log.warning("%s: int8 does not hold %s: %s", where, limits, mean)
    return _told(where, Chosen(small, "int8", f"asked for; beside fp32: {mean}"))


def _shown(mean: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in mean.items())


def _fastest(
    graph: Graph,
    found: Identification,
    pictures: Sequence[Picture],
    limits: Budget,
    options: EngineOptions,
) -> Chosen:
    """Of what holds the budget; bfloat16 only where there are instructions for it."""
    candidates, notes = [Chosen(graph, "fp32", "")], []

    def consider(chosen: Chosen, holds: bool, mean: Mapping[str, float]) -> None:
        if holds:
            candidates.append(replace(chosen, why=f" ({_shown(mean)})"))
        else:
            notes.append(f"{chosen.precision} does not hold {limits}: {_shown(mean)}")

    if multiplies_bfloat16(options):
        narrow = Chosen(graph, "bf16", "")
        scores = _scores([*candidates, narrow], found, split(pictures)[1], options)
        if any(score.mae for score in scores):
            consider(narrow, limits.holds(scores), mean_of(scores))
        else:
            notes.append("no product gains by bf16")
    try:
        small, record = _kept(graph, found, pictures, limits, options)
        consider(Chosen(small, "int8", ""), record["holds"], record["mean"])
    except ArgumentError as error:
        notes.append(str(error))
    if len(candidates) == 1:
        return replace(candidates[0], why="; ".join(notes))
    times = _times(candidates, found, pictures[0], options)
    shown = [
        f"{seconds * 1e3:.1f} ms in {chosen.precision}{chosen.why}"
        for chosen, seconds in zip(candidates, times, strict=True)
    ]
    return replace(candidates[times.index(min(times))], why="; ".join([", ".join(shown), *notes]))


def _scores(
    candidates: Sequence[Chosen],
    found: Identification,
    pictures: Sequence[Picture],
    options: EngineOptions,
) -> tuple[Score, ...]:
    """Of the masks in the second precision, beside those in the first."""
    first, second = (
        Calibration(found, chosen.options(options), lambda *_: None) for chosen in candidates
    )
    wanted = list(first.masks(candidates[0].graph, pictures))
    return second.scores(candidates[1].graph, pictures, wanted)


def _told(where: str, chosen: Chosen) -> Chosen:
    log.info("%s: precision %s: %s", where, chosen.precision, chosen.why)
    return chosen


def _kept(
    graph: Graph,
    found: Identification,
    pictures: Sequence[Picture],
    budget: Budget,
    options: EngineOptions,
) -> tuple[Graph, dict[str, Any]]:
    """The quantised network and its record, from the cache where it is there."""
    recipe = Recipe()
    parts = (
        pyhades.__version__, digest_of_graph(graph), found.manifest.to_json(),
        digest_of(pictures), recipe.digest, repr(budget),
    )  # fmt: skip
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    path = quantised_folder() / f"{key}.onnx"
    if path.is_file():
        with contextlib.suppress(Exception):  # what is damaged is made again
            small = load_onnx(path)
            return small, json.loads(small.metadata[RECORD_KEY])
    log.warning(
        "%s: quantising, which takes a while and is kept in %s", graph.source or graph.name, path
    )
    work = _made(work_folder(path))
    result = quantize_graph(
        graph, found, pictures, budget=budget, recipe=recipe, options=options,
        step=lambda what, done, total: None, work=work,
    )  # fmt: skip
    try:
        result.save(path)
        shutil.rmtree(work_folder(path), ignore_errors=True)
    except (ArgumentError, ConfigurationError) as error:
        log.warning("the quantised network is not kept: %s", error)
    return result.graph, result.to_dict()


def _made(folder: Path) -> Path | None:
    """A folder; None where it cannot be made, and an interrupted call begins anew."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder


def quantised_folder() -> Path:
    """Where quantised networks are kept."""
    return cache_folder().with_name("quantized")


def _times(
    candidates: Sequence[Chosen], found: Identification, picture: Picture, options: EngineOptions
) -> list[float]:
    """Seconds of a run of each network, in turn."""
    planes = Calibration(found, candidates[0].options(options), lambda *_: None).planes(picture)
    networks = [
        CompiledNetwork(
            chosen.graph, found.manifest.output, plan=found.inputs, options=chosen.options(options)
        )
        for chosen in candidates
    ]
    times: list[list[float]] = [[] for _ in networks]
    for _ in range(RUNS + 1):
        for network, row in zip(networks, times, strict=True):
            begin = time.perf_counter()
            network(planes)
            row.append(time.perf_counter() - begin)
    for network in networks:
        network.close()
    # The first run of each compiles.
    return [statistics.median(sorted(row[1:])[: RUNS // 2 + 1]) for row in times]
