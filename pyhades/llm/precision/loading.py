"""Weights in memory: packed from a checkpoint, or mapped from a packed file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError, ModelError
from pyhades.llm.models import Checkpoint
from pyhades.llm.models.checkpoint import PackedModel, PackedShape
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.outline import HEAD, NORM
from pyhades.llm.models.packed import SCALES, VALUES
from pyhades.llm.models.registry import architecture_of
from pyhades.llm.models.weights import Embedding, Experts, Linear, ModelWeights, Vector
from pyhades.llm.precision.adaptive import adapt
from pyhades.llm.precision.packing import Array, Item, PackedItem, make, nbytes, plan
from pyhades.llm.precision.recipe import AUTO, Precision, Recipe, recipe_named
from pyhades.llm.precision.report import PrecisionReport
from pyhades.quant import PackedWeight


@dataclass(frozen=True)
class LoadedWeights(ModelWeights[Any]):
    """Weights, and for ``precision="auto"`` how their formats were chosen."""

    report: PrecisionReport | None = None


def load_weights(
    checkpoint: Checkpoint,
    precision: str | None = None,
    progress: bool = True,
    *,
    error_budget: float | None = None,
    calibration: Sequence[int] | None = None,
) -> LoadedWeights:
    """The weights of a checkpoint in the layout of the kernels.

    A packed file is used where it lies. Other tensors are packed one after the other, so that the
    peak is what is packed plus a layer.

    Parameters
    ----------
    checkpoint
        What :func:`~pyhades.llm.models.open_checkpoint` returns.
    precision
        ``"exact"``, ``"balanced"``, ``"fast"``, ``"auto"``; None is balanced, or what a packed file
        has.
    progress
        Show a bar, where standard error is a terminal.
    error_budget, calibration
        For ``"auto"`` only, see :func:`pyhades.llm.precision.adaptive.adapt`.

    Returns
    -------
    LoadedWeights
        Matrices packed, vectors in float32.

    Raises
    ------
    ArgumentError
        There is no such precision, or the packed file has another; or a budget for another
        precision than auto.
    ModelError
        A tensor is damaged.
    """
    if checkpoint.packed is not None:
        if error_budget is not None or calibration is not None:
            raise ArgumentError(f"{checkpoint.source} is packed; its formats cannot be chosen anew")
        return _mapped(checkpoint, checkpoint.packed, precision, progress)
    recipe = recipe_for(checkpoint, precision, error_budget, calibration, progress=progress)
    return pack_by(checkpoint, recipe, progress)


def recipe_for(
    checkpoint: Checkpoint,
    precision: str | None,
    error_budget: float | None,
    calibration: Sequence[int] | None,
    *,
    progress: bool,
) -> Recipe:
    """The recipe of a precision; for ``"auto"``, made from measurements."""
    if precision is not None:
        one_of("precision", precision, Precision)
    if precision == AUTO:
        return adapt(
            checkpoint, lambda recipe: pack_by(checkpoint, recipe, progress), error_budget,
            calibration, progress=progress,
        )  # fmt: skip
    if error_budget is not None or calibration is not None:
        raise ArgumentError(
            f"error_budget and calibration are for precision={AUTO!r}, not {precision!r}"
        )
    return recipe_named(precision)


def pack_by(checkpoint: Checkpoint, recipe: Recipe, progress: bool) -> LoadedWeights:
    """Pack a checkpoint by a recipe, tensor by tensor."""
    items = plan(checkpoint, recipe)
    arrays: dict[str, Array] = {}
    total = sum(map(nbytes, items))
    with progress_bar("packing", total, progress) as bar:
        for item, made in make(checkpoint, items):
            arrays |= made
            bar.update(nbytes(item))
    return assemble(
        checkpoint.config, recipe.precision, recipe.activations, arrays, packed_shapes(items),
        recipe.report,
    )  # fmt: skip


def packed_shapes(items: Iterable[Item]) -> dict[str, PackedShape]:
    """Of the matrices among the items."""
    return {item.name: item.packed for item in items if isinstance(item, PackedItem)}


def progress_bar(what: str, total: int, is_wanted: bool) -> tqdm[None]:
    """A bar that counts bytes, where standard error is a terminal."""
    hidden = None if is_wanted else True
    return tqdm(total=total, unit="B", unit_scale=True, desc=what, disable=hidden, leave=False)


def assemble(
    config: ModelConfig,
    precision: str,
    activations: str,
    arrays: Mapping[str, Array],
    packed: Mapping[str, PackedShape],
    report: PrecisionReport | None = None,
) -> LoadedWeights:
    """Put the arrays of a model together, by the names of its outline."""
    architecture = architecture_of(config)
    names = {name: len(shape) for name, shape in architecture.layer_shapes(config).items()}

    def weight(name: str) -> PackedWeight:
        shape = packed[name]
        return PackedWeight(arrays[name], shape.format, shape.shape, shape.row_order, shape.layout)

    def part(name: str, axes: int) -> Linear | Experts | Vector:
        whole, _, kind = name.rpartition(".")
        if kind != "weight":
            return arrays[name]
        made = Linear if axes == 2 else Experts
        return made(weight(name), arrays.get(f"{whole}.bias"))

    layers = (
        architecture.layer_weights(
            **{
                name.removesuffix(".weight"): part(f"layers.{index}.{name}", axes)
                for name, axes in names.items()
                if not name.endswith(".bias")
            }
        )
        for index in range(config.num_hidden_layers)
    )
    return LoadedWeights(
        embedding=Embedding(arrays[VALUES], arrays.get(SCALES)),
        layers=tuple(layers),
        norm=arrays[NORM],
        head=Linear(weight(HEAD)),
        precision=precision,
        activations=activations,
        report=report,
    )


def _mapped(
    checkpoint: Checkpoint, packed: PackedModel, precision: str | None, progress: bool
) -> LoadedWeights:
    if precision is not None:
        one_of("precision", precision, Precision)
    if precision not in (None, packed.precision):
        raise ArgumentError(
            f"{checkpoint.source} is packed with precision={packed.precision!r}, not "
            f"{precision!r}; open the original checkpoint, or convert it again"
        )
    for file in checkpoint.files:
        with progress_bar("mapping", file.data.nbytes, progress) as bar:
            for piece in file.populate():
                bar.update(piece)
    return assemble(
        checkpoint.config, packed.precision, packed.activations, packed.arrays, packed.weights,
        report_of(checkpoint),
    )  # fmt: skip


def report_of(checkpoint: Checkpoint) -> PrecisionReport | None:
    """How the formats of a packed checkpoint were chosen, where they were.

    Raises
    ------
    ModelError
        The report is damaged.
    """
    packed = checkpoint.packed
    if packed is None or packed.report is None:
        return None
    try:
        return PrecisionReport.from_json(packed.report)
    except ValueError as error:
        raise ModelError(
            f"{checkpoint.source}: the metadata 'report' is damaged: {error}; write it again with "
            "'pyhades convert'"
        ) from None
