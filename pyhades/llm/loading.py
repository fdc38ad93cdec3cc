"""Weights in memory: packed from a checkpoint, or mapped from a packed file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from tqdm import tqdm

from pyhades.errors import ArgumentError, ConfigurationError
from pyhades.llm.checkpoint import Checkpoint
from pyhades.llm.checkpoint.checkpoint import PackedModel, PackedShape
from pyhades.llm.checkpoint.outline import HEAD, NORM
from pyhades.llm.checkpoint.packed import SCALES, VALUES
from pyhades.llm.config import GptOssConfig
from pyhades.llm.packing import Array, Item, PackedItem, make, nbytes, plan
from pyhades.llm.precision import recipe_named
from pyhades.llm.weights import Embedding, Experts, LayerWeights, Linear, ModelWeights
from pyhades.quant import PackedWeight

_TOY = Path(__file__).parent / "data" / "toy"


def toy_model() -> Path:
    """Where the toy model lies that ships with the package.

    Raises
    ------
    ConfigurationError
        The installation lacks it.
    """
    if not _TOY.is_dir():
        raise ConfigurationError(f"{_TOY} is missing; install pyhades again, or name a model")
    return _TOY


def load_weights(
    checkpoint: Checkpoint, precision: str | None = None, progress: bool = True
) -> ModelWeights:
    """The weights of a checkpoint in the layout of the kernels.

    A packed file is used where it lies. Other tensors are packed one after the other, so that the
    peak is what is packed plus a layer.

    Parameters
    ----------
    checkpoint
        What :func:`~pyhades.llm.checkpoint.open_checkpoint` returns.
    precision
        ``"exact"``, ``"balanced"``, ``"fast"``; None is balanced, or what a packed file has.
    progress
        Show a bar, where standard error is a terminal.

    Returns
    -------
    ModelWeights
        Matrices packed, vectors in float32.

    Raises
    ------
    ArgumentError
        There is no such precision, or the packed file has another.
    ModelError
        A tensor is damaged.
    """
    if checkpoint.packed is not None:
        return _mapped(checkpoint, checkpoint.packed, precision, progress)
    recipe = recipe_named(precision)
    items = plan(checkpoint, recipe)
    arrays: dict[str, Array] = {}
    total = sum(map(nbytes, items))
    with progress_bar("packing", total, progress) as bar:
        for item, made in make(checkpoint, items):
            arrays |= made
            bar.update(nbytes(item))
    return assemble(
        checkpoint.config, recipe.precision, recipe.activations, arrays, packed_shapes(items)
    )


def packed_shapes(items: Iterable[Item]) -> dict[str, PackedShape]:
    """Of the matrices among the items."""
    return {item.name: item.packed for item in items if isinstance(item, PackedItem)}


def progress_bar(what: str, total: int, is_wanted: bool) -> tqdm[None]:
    """A bar that counts bytes."""
    hidden = not is_wanted or not sys.stderr.isatty()
    return tqdm(total=total, unit="B", unit_scale=True, desc=what, disable=hidden, leave=False)


def assemble(
    config: GptOssConfig,
    precision: str,
    activations: str,
    arrays: Mapping[str, Array],
    packed: Mapping[str, PackedShape],
) -> ModelWeights:
    """Put the arrays of a model together, by the names of its outline."""

    def weight(name: str) -> PackedWeight:
        shape = packed[name]
        return PackedWeight(arrays[name], shape.format, shape.shape, shape.row_order, shape.layout)

    def linear(name: str) -> Linear:
        return Linear(weight(f"{name}.weight"), arrays.get(f"{name}.bias"))

    def experts(name: str) -> Experts:
        return Experts(weight(f"{name}.weight"), arrays[f"{name}.bias"])

    def layer(at: str) -> LayerWeights:
        return LayerWeights(
            attention_norm=arrays[f"{at}.attention_norm"],
            qkv=linear(f"{at}.qkv"),
            sinks=arrays[f"{at}.sinks"],
            attention_output=linear(f"{at}.attention_output"),
            mlp_norm=arrays[f"{at}.mlp_norm"],
            router=linear(f"{at}.router"),
            gate_up=experts(f"{at}.gate_up"),
            down=experts(f"{at}.down"),
        )

    return ModelWeights(
        embedding=Embedding(arrays[VALUES], arrays.get(SCALES)),
        layers=tuple(layer(f"layers.{index}") for index in range(config.num_hidden_layers)),
        norm=arrays[NORM],
        head=Linear(weight(HEAD)),
        precision=precision,
        activations=activations,
    )


def _mapped(
    checkpoint: Checkpoint, packed: PackedModel, precision: str | None, progress: bool
) -> ModelWeights:
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
        checkpoint.config, packed.precision, packed.activations, packed.arrays, packed.weights
    )
