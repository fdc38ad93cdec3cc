"""Tensors of a checkpoint, converted and packed for the kernels one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pyhades import kernels
from pyhades.config import thread_count
from pyhades.errors import ArgumentError, ModelError
from pyhades.kernels.moe import gate_up_order
from pyhades.kernels.qgemm import aligned_empty
from pyhades.llm.checkpoint.stored import WHOLE, Part, StoredTensor
from pyhades.llm.models import Checkpoint
from pyhades.llm.models.checkpoint import PackedShape
from pyhades.llm.models.outline import EMBEDDING, outline
from pyhades.llm.models.packed import SCALES, VALUES
from pyhades.llm.precision.recipe import Recipe
from pyhades.quant import (
    BLOCK,
    LAYOUT,
    TILE,
    FormatName,
    QuantizedTensor,
    RowOrder,
    format_named,
)
from pyhades.quant.conversion import row_slices

Array = NDArray[Any]
Arrays = dict[str, Array]
ArrayTypes = dict[str, tuple[str, tuple[int, ...]]]


class Item(Protocol):
    """A tensor of the model that becomes one array or two."""

    @property
    def name(self) -> str:
        """As in the outline."""

    @property
    def types(self) -> ArrayTypes:
        """Safetensors dtype and shape of every array that :meth:`make` returns."""

    def make(self) -> Arrays:
        """Read, convert, and pack."""


@dataclass(frozen=True)
class PackedItem:
    """A matrix, or one per expert."""

    name: str
    stored: StoredTensor
    packed: PackedShape

    @property
    def types(self) -> ArrayTypes:
        n, k = self.packed.shape[-2:]
        matrices = self.packed.shape[0] if len(self.packed.shape) == 3 else 1
        return {
            self.name: ("U8", (matrices * format_named(self.packed.format).packed_bytes(n, k),))
        }

    def make(self) -> Arrays:
        return {self.name: packed(self.stored, self.packed)}


@dataclass(frozen=True)
class VectorItem:
    """A bias, a norm, sinks."""

    name: str
    stored: StoredTensor
    row_order: RowOrder

    @property
    def types(self) -> ArrayTypes:
        return {self.name: ("F32", self.stored.shape)}

    def make(self) -> Arrays:
        values = np.array(self.stored.floats(), np.float32)
        return {self.name: gate_up_order(values) if self.row_order == "gate_up" else values}


@dataclass(frozen=True)
class EmbeddingItem:
    """The embedding, whose rows are looked up rather than multiplied."""

    name: str
    stored: StoredTensor
    format: FormatName

    @property
    def types(self) -> ArrayTypes:
        rows, columns = self.stored.shape
        if self.format == "bf16":
            return {VALUES: ("BF16", (rows, columns))}
        return {VALUES: ("I8", (rows, columns)), SCALES: ("F16", (rows, columns // BLOCK))}

    def make(self) -> Arrays:
        tensor = converted(self.stored, self.format)
        if tensor.scales is None:
            return {VALUES: tensor.values}
        return {VALUES: tensor.values, SCALES: tensor.scales}


def plan(checkpoint: Checkpoint, recipe: Recipe) -> list[Item]:
    """What is made of every tensor, in an order in which little is in flight at the end."""
    items: list[Item] = []
    for name, shape in outline(checkpoint.config).items():
        stored = checkpoint.tensors[name]
        row_order: RowOrder = "gate_up" if ".gate_up." in name else "plain"
        if name == EMBEDDING:
            items.append(EmbeddingItem(name, stored, recipe.embedding_format(stored.format)))
        elif len(shape) == 1 or name.endswith(".bias"):
            items.append(VectorItem(name, stored, row_order))
        else:
            format_name = recipe.format_of(name, stored.format)
            packed = PackedShape(format_name, shape, row_order, LAYOUT)
            items.append(PackedItem(name, stored, packed))
    return items


def make(checkpoint: Checkpoint, items: list[Item]) -> Iterator[tuple[Item, Arrays]]:
    """Make every item, and give the pages of the files that it was made of back.

    Raises
    ------
    ModelError
        A tensor cannot be packed; it names file and tensor.
    """
    for item in items:
        try:
            arrays = item.make()
        except ArgumentError as error:
            raise ModelError(f"{checkpoint.source}: tensor {item.name!r}: {error}") from error
        checkpoint.release()
        yield item, arrays


def nbytes(item: Item) -> int:
    """Bytes of the arrays that an item becomes."""
    sizes = {"U8": 1, "I8": 1, "BF16": 2, "F16": 2, "F32": 4}
    return sum(
        sizes[dtype] * int(np.prod(shape, dtype=np.int64)) for dtype, shape in item.types.values()
    )


def converted(stored: StoredTensor, format_name: FormatName) -> QuantizedTensor:
    """A stored matrix in another format."""
    if stored.format == format_name and stored.is_view:
        return stored.read(WHOLE)
    first, *others = row_slices(*stored.shape)
    piece = stored.read_as(first, format_name)
    values = np.empty((stored.shape[0], piece.values.shape[-1]), piece.values.dtype)
    scales = None
    if piece.scales is not None:
        scales = np.empty((stored.shape[0], piece.scales.shape[-1]), piece.scales.dtype)

    def store(rows: slice, piece: QuantizedTensor) -> None:
        values[rows] = piece.values
        if scales is not None:
            scales[rows] = piece.scales

    store(first, piece)
    _in_parallel(lambda rows: store(rows, stored.read_as(rows, format_name)), others)
    return QuantizedTensor(format_name, stored.shape, values, scales)


def packed(stored: StoredTensor, shape: PackedShape) -> Array:
    """A stored matrix, or one per expert, packed piece by piece: nothing else is held of it."""
    if stored.format == shape.format and stored.is_view:
        return kernels.pack_weight(stored.read(WHOLE), shape.row_order).data
    *stack, n, k = shape.shape
    nbytes = format_named(shape.format).packed_bytes(n, k)
    tile_bytes = nbytes // -(-n // TILE)
    data = aligned_empty(prod(stack) * nbytes)

    def store(part: Part) -> None:
        piece = stored.read_as(part, shape.format)
        made = kernels.pack_weight(piece, shape.row_order, threads=1).data
        begin = part * nbytes if isinstance(part, int) else part.start // TILE * tile_bytes
        data[begin : begin + made.nbytes] = made

    _in_parallel(store, range(*stack) if stack else row_slices(n, k, multiple=2 * TILE))
    return data


def _in_parallel(store: Callable[[Any], None], parts: Iterable[Part]) -> None:
    with ThreadPoolExecutor(thread_count(None).count) as pool:
        for _ in pool.map(store, parts):
            pass
