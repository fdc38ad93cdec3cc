"""What a checkpoint holds, and what becomes of it in every precision, told without loading it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

from pyhades.llm.models import Checkpoint, open_checkpoint
from pyhades.llm.models.outline import EMBEDDING, outline
from pyhades.llm.models.packed import VALUES
from pyhades.llm.precision.packing import EmbeddingItem, Item, PackedItem, nbytes, plan
from pyhades.llm.precision.recipe import RECIPES
from pyhades.quant import FormatName, format_named
from pyhades.tables import as_html, as_table

ROUNDED = "~"
"""Stands before a format that does not have all values of the stored type."""
_VECTORS = "norms, biases, sinks"


@dataclass(frozen=True)
class Kept:
    """What a tensor is in one precision.

    Attributes
    ----------
    format
        Name of the format.
    nbytes
        In memory.
    is_exact
        Whether the format has every value that the stored types have.
    """

    format: FormatName
    nbytes: int
    is_exact: bool

    def __post_init__(self) -> None:
        format_named(self.format)

    def __str__(self) -> str:
        return f"{'' if self.is_exact else ROUNDED}{self.format}"


@dataclass(frozen=True)
class StoredKind:
    """Tensors of one name that are stored alike, in one layer or more.

    Attributes
    ----------
    name
        Of the outline, with ``*`` for the number of the layer.
    count
        How many there are.
    weights
        In all of them.
    types
        As the file calls them; several where it stores apart what is computed together.
    nbytes
        In the file.
    kept
        By precision, in all of them together.
    """

    name: str
    count: int
    weights: int
    types: tuple[str, ...]
    nbytes: int
    kept: Mapping[str, Kept]


@dataclass(frozen=True)
class CheckpointListing:
    """The tensors of a checkpoint; prints as a table.

    Attributes
    ----------
    source
        The path.
    model_type
        The architecture.
    layers
        How many.
    kinds
        Matrices in the order of the model, and then all vectors together.
    """

    source: str
    model_type: str
    layers: int
    kinds: tuple[StoredKind, ...]

    @property
    def nbytes(self) -> int:
        """Of all tensors in the file."""
        return sum(kind.nbytes for kind in self.kinds)

    @property
    def kept_nbytes(self) -> dict[str, int]:
        """Of all tensors in memory, by precision."""
        return {
            precision: sum(kind.kept[precision].nbytes for kind in self.kinds)
            for precision in self.kinds[0].kept
        }

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        weights = sum(kind.weights for kind in self.kinds)
        told = (
            f"{self.source}: {self.model_type}, {self.layers} layers, {weights / 1e9:.3f} billion "
            f"weights, {self.nbytes / 1e9:.3f} GB\n"
            f"{as_table(self._rows(), right=(1, 3))}"
        )
        kept = [kept for kind in self.kinds for kept in kind.kept.values()]
        if all(entry.is_exact for entry in kept):
            return told
        return f"{told}\n{ROUNDED}: rounded, as the format does not have all values of the type"

    def _repr_html_(self) -> str:
        return as_html(self._rows())

    def _rows(self) -> list[list[str]]:
        precisions = list(self.kinds[0].kept)
        rows = [["tensor", "count", "stored", "MB", *precisions]]
        for kind in self.kinds:
            kept = [f"{kind.kept[precision]}" for precision in precisions]
            megabytes = f"{kind.nbytes / 1e6:.1f}"
            rows.append([kind.name, str(kind.count), " + ".join(kind.types), megabytes, *kept])
        totals = [f"{nbytes / 1e6:.1f} MB" for nbytes in self.kept_nbytes.values()]
        rows.append(["all", "", "", f"{self.nbytes / 1e6:.1f}", *totals])
        return rows


def list_tensors(model: str | os.PathLike[str] | Checkpoint) -> CheckpointListing:
    """Say in which types a checkpoint stores its tensors, and what precisions make of them.

    Nothing is read but headers. ``auto`` is not listed: it measures, and its report tells.

    Parameters
    ----------
    model
        A path as for :class:`pyhades.LLM`, or an open checkpoint.

    Returns
    -------
    CheckpointListing
        Of a packed file, with the one precision that it has.

    Raises
    ------
    ModelError
        As for :func:`~pyhades.llm.models.open_checkpoint`.

    Examples
    --------
    >>> from pyhades.llm.checkpoint.locating import toy_model
    >>> head = list_tensors(toy_model()).kinds[0]
    >>> head.name, head.types, str(head.kept["exact"]), str(head.kept["fast"])
    ('head', ('BF16',), 'bf16', '~int4_g32')
    """
    checkpoint = model if isinstance(model, Checkpoint) else open_checkpoint(model)
    single = _packed(checkpoint) if checkpoint.packed is not None else _stored(checkpoint)
    grouped: dict[tuple[Any, ...], StoredKind] = {}
    for kind in single:
        key = (kind.name, kind.types, *(str(kept) for kept in kind.kept.values()))
        grouped[key] = _together(grouped[key], kind) if key in grouped else kind
    kinds = sorted(grouped.values(), key=lambda kind: kind.name == _VECTORS)
    config = checkpoint.config
    return CheckpointListing(
        str(checkpoint.source), config.model_type, config.num_hidden_layers, tuple(kinds)
    )


def _stored(checkpoint: Checkpoint) -> Iterator[StoredKind]:
    plans = {name: plan(checkpoint, recipe) for name, recipe in RECIPES.items()}
    seen = set()
    for items in zip(*plans.values(), strict=True):
        name, stored = items[0].name, checkpoint.tensors[items[0].name]
        size = 0 if id(stored) in seen else stored.nbytes  # a tied head is the embedding
        seen.add(id(stored))
        kept = {
            precision: _kept(item, checkpoint) for precision, item in zip(plans, items, strict=True)
        }
        is_matrix = isinstance(items[0], PackedItem | EmbeddingItem)
        yield StoredKind(
            _common(name) if is_matrix else _VECTORS, 1, prod(stored.shape), stored.dtypes,
            size, kept,
        )  # fmt: skip


def _kept(item: Item, checkpoint: Checkpoint) -> Kept:
    stored = checkpoint.tensors[item.name]
    format: FormatName = "f32"
    if isinstance(item, PackedItem):
        format = item.packed.format
    elif isinstance(item, EmbeddingItem):
        format = item.format
    return Kept(format, nbytes(item), stored.is_exact_in(format))


def _packed(checkpoint: Checkpoint) -> Iterator[StoredKind]:
    model = checkpoint.packed
    assert model is not None
    for name, shape in outline(checkpoint.config).items():
        format: FormatName = "f32"
        if name == EMBEDDING:
            names = [at for at in model.arrays if at.startswith(f"{EMBEDDING}.")]
            format = "bf16" if model.arrays[VALUES].itemsize == 2 else "int8_g32"
        else:
            names = [name]
            format = model.weights[name].format if name in model.weights else format
        size = sum(model.arrays[at].nbytes for at in names)
        is_matrix = name == EMBEDDING or name in model.weights
        yield StoredKind(
            _common(name) if is_matrix else _VECTORS, 1, prod(shape), (format,), size,
            {model.precision: Kept(format, size, True)},
        )  # fmt: skip


def _common(name: str) -> str:
    """``layers.3.qkv.weight`` as ``layers.*.qkv.weight``."""
    return ".".join("*" if part.isdigit() else part for part in name.split("."))


def _together(one: StoredKind, other: StoredKind) -> StoredKind:
    kept = {
        precision: Kept(kept.format, kept.nbytes + other.kept[precision].nbytes, kept.is_exact)
        for precision, kept in one.kept.items()
    }
    return StoredKind(
        one.name, one.count + other.count, one.weights + other.weights, one.types,
        one.nbytes + other.nbytes, kept,
    )  # fmt: skip
