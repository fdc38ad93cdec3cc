"""Tensors of a checkpoint, converted and packed for the kernels one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pyhades import kernels, quant
from pyhades.config import thread_count
from pyhades.errors import ArgumentError, ModelError
from pyhades.kernels.moe import gate_up_order
from pyhades.llm.checkpoint.stored import WHOLE, Part, StoredTensor
from pyhades.llm.models import Checkpoint
from pyhades.llm.models.checkpoint import PackedShape
from pyhades.llm.models.outline import EMBEDDING, outline
from pyhades.llm.models.packed import SCALES, VALUES
from pyhades.llm.precision.recipe import Recipe
from pyhades.quant import BLOCK, LAYOUT, FormatName, QuantizedTensor, RowOrder, format_named

Array = NDArray[Any]
Arrays = dict[str, Array]
ArrayTypes = dict[str, tuple[str, tuple[int, ...]]]

_PIECE = 1 << 18
"""Weights that are converted at a time, so that what is in flight fits the cache."""


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
        tensor = converted(self.stored, self.packed.format)
        return {self.name: kernels.pack_weight(tensor, self.packed.row_order).data}


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
        if (self.stored.format, self.format) == ("int4_g32", "int8_g32"):
            tensor = _widened(self.stored.read())
        else:
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
    """A stored matrix, or one per expert, in another format."""
    if stored.format == format_name and (stored.is_view or len(stored.shape) == 2):
        return stored.read(WHOLE)
    first, *others = _parts(stored.shape)
    piece = _piece(stored, first, format_name)
    rows = stored.shape[:-1]
    values = np.empty((*rows, piece.values.shape[-1]), piece.values.dtype)
    scales = None
    if piece.scales is not None:
        scales = np.empty((*rows, piece.scales.shape[-1]), piece.scales.dtype)

    def store(part: Part, piece: QuantizedTensor) -> None:
        values[part] = piece.values
        if scales is not None:
            scales[part] = piece.scales

    store(first, piece)
    with ThreadPoolExecutor(thread_count(None).count) as pool:
        for _ in pool.map(lambda part: store(part, _piece(stored, part, format_name)), others):
            pass
    return QuantizedTensor(format_name, stored.shape, values, scales)


def _piece(stored: StoredTensor, part: Part, format_name: FormatName) -> QuantizedTensor:
    """An expert, or some rows, in another format."""
    piece = stored.read(part)
    if piece.format == format_name:
        return piece
    chunks = [
        quant.quantize(quant.dequantize(_rows_of(piece, rows)), format_name)
        for rows in _row_slices(piece.shape)
    ]
    values = np.concatenate([chunk.values for chunk in chunks])
    scales = [chunk.scales for chunk in chunks if chunk.scales is not None]
    return QuantizedTensor(
        format_name, piece.shape, values, np.concatenate(scales) if scales else None
    )


def _rows_of(tensor: QuantizedTensor, rows: slice) -> QuantizedTensor:
    values, scales = tensor.values[rows], tensor.scales
    shape = (len(values), tensor.shape[1])
    return QuantizedTensor(tensor.format, shape, values, None if scales is None else scales[rows])


def _row_slices(shape: tuple[int, ...]) -> Iterator[slice]:
    rows = max(1, _PIECE // shape[1])
    yield from (slice(first, first + rows) for first in range(0, shape[0], rows))


def _parts(shape: tuple[int, ...]) -> Iterator[Part]:
    """Experts, or some rows at a time."""
    yield from range(shape[0]) if len(shape) == 3 else _row_slices(shape)


def _widened(tensor: QuantizedTensor) -> QuantizedTensor:
    """``int4_g32`` as ``int8_g32`` with the same values."""
    codes = np.stack([tensor.values & 15, tensor.values >> 4], axis=-1)
    values = codes.reshape(tensor.shape).astype(np.int8) - np.int8(8)
    return QuantizedTensor("int8_g32", tensor.shape, values, tensor.scales)
