"""The packed layout "r16k32", written and read in NumPy: its specification.

Rows are filled up to whole tiles of 16, then axes change places: the values of a block are
``[groups of columns][16 rows][columns of a group]``. A group is what one lane reads at once: 4
bytes, 2 bfloat16 or 1 float32. Bytes of nibbles hold column c in the low half and column c + 16 of
the block in the high half.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.kernels.arguments import Array
from pyhades.kernels.qgemm import aligned_empty
from pyhades.quant import BLOCK, TILE, PackedWeight, QuantizedTensor, RowOrder, format_named

Bytes = NDArray[np.uint8]

LEAST_E8M0, LARGEST_E8M0 = 27, 227
"""Scales of MXFP4 are clamped to these, 2^-100 and 2^100."""

NIBBLES = ("mxfp4", "int4_g32")
_VALUES: dict[str, Any] = {"bf16": np.uint16, "f32": np.float32}
_SCALES: dict[str, Any] = {"mxfp4": np.uint8, "int4_g32": np.float16, "int8_g32": np.float16}
_HALF = {"int4_g32": 0x88}  # the zeros of rows that fill up a tile, where they are not 0
_UNIT = {"mxfp4": 127}  # and their scales


def pack_weight(
    q: QuantizedTensor, row_order: RowOrder = "plain", *, out: Bytes | None = None
) -> PackedWeight:
    """See :func:`pyhades.kernels.pack_weight`."""
    n, k = q.shape[-2:]
    values = q.values.reshape(-1, n, q.values.shape[-1])
    scales = [None] * len(values) if q.scales is None else q.scales.reshape(len(values), n, -1)
    order = rows_in_order(n, row_order)
    packed = [
        _pack(q.format, matrix[order], None if factors is None else factors[order], k // BLOCK)
        for matrix, factors in zip(values, scales, strict=True)
    ]
    data = aligned_empty(sum(each.size for each in packed)) if out is None else out
    data[:] = np.concatenate(packed)
    return PackedWeight(data, q.format, q.shape, row_order)


def unpack_weight(w: PackedWeight) -> QuantizedTensor:
    """What was packed, but for scales of MXFP4 that were clamped."""
    n, k = w.shape[-2:]
    order = np.argsort(rows_in_order(n, w.row_order))
    matrices = w.data.reshape(w.shape[0] if len(w.shape) == 3 else 1, -1)
    parts = [_unpack(w.format, matrix, k // BLOCK) for matrix in matrices]
    values = np.stack([part for part, _ in parts])[:, :n][:, order].reshape(*w.shape[:-1], -1)
    factors = [part for _, part in parts if part is not None]
    if not factors:
        return QuantizedTensor(w.format, w.shape, values)
    scales = np.stack(factors)[:, :n][:, order]
    shape = w.shape[:-1] if w.format == "int8_row" else (*w.shape[:-1], k // BLOCK)
    return QuantizedTensor(w.format, w.shape, values, scales.reshape(shape))


def rows_in_order(n: int, row_order: str) -> Array:
    """The row of the matrix that each packed row holds."""
    rows = np.arange(n)
    if row_order == "plain":
        return rows
    tile, row = np.divmod(rows, TILE)
    return np.asarray(2 * (tile // 2 * TILE + row) + tile % 2)


def _pack(format: str, values: Array, scales: Array | None, blocks: int) -> Bytes:
    """One matrix, its rows in order: bytes of tiles."""
    more = -len(values) % TILE
    values = np.pad(values, ((0, more), (0, 0)), constant_values=_HALF.get(format, 0))
    tiles = _grouped(format, values.reshape(len(values), blocks, -1))
    if scales is None:
        return tiles.ravel()
    scales = np.pad(scales, ((0, more), (0, 0)), constant_values=_UNIT.get(format, 0))
    if format == "mxfp4":
        scales = scales.clip(LEAST_E8M0, LARGEST_E8M0)
    by_block = np.ascontiguousarray(scales.reshape(-1, TILE, scales.shape[1]).swapaxes(1, 2))
    if format == "int8_row":
        header = by_block.view(np.uint8).reshape(len(tiles), -1)
        return np.concatenate([header, tiles.reshape(len(tiles), -1)], axis=1).ravel()
    return np.concatenate([by_block.view(np.uint8), tiles], axis=2).ravel()


def _unpack(format: str, packed: Bytes, blocks: int) -> tuple[Array, Array | None]:
    """Values and scales of whole tiles."""
    kind = format_named(format)
    tiles = packed.reshape(-1, kind.packed_bytes(TILE, blocks * BLOCK))
    header, body = np.split(tiles, [kind.tile_header_bytes], axis=1)
    by_block = body.reshape(len(tiles), blocks, kind.block_bytes)
    scale = np.dtype(_SCALES.get(format, np.float32))
    front = TILE * scale.itemsize if format in _SCALES else 0
    values = _ungrouped(format, by_block[..., front:])
    if format == "int8_row":
        return values, np.ascontiguousarray(header).view(scale).reshape(-1, 1)
    if not front:
        return values, None
    scales = np.ascontiguousarray(by_block[..., :front]).view(scale)
    return values, scales.swapaxes(1, 2).reshape(-1, blocks)


def _grouped(format: str, values: Array) -> Bytes:
    """Stored values ``[rows, blocks, ...]`` as bytes ``[tiles, blocks, ...]``."""
    if format in NIBBLES:
        columns = np.stack([values & 0x0F, values >> 4], -1).reshape(*values.shape[:2], 2, -1)
        values = columns[:, :, 0] | columns[:, :, 1] << 4
    elif format.startswith("int8"):
        values = values.view(np.uint8) ^ 0x80
    rows, blocks = values.shape[:2]
    groups = values.reshape(rows // TILE, TILE, blocks, -1, _group(format))
    return np.ascontiguousarray(groups.transpose(0, 2, 3, 1, 4)).view(np.uint8).reshape(
        rows // TILE, blocks, -1
    )  # fmt: skip


def _ungrouped(format: str, data: Bytes) -> Array:
    """The inverse: stored values ``[rows, ...]``."""
    tiles, blocks = data.shape[:2]
    values = np.ascontiguousarray(data).view(_VALUES.get(format, np.uint8))
    groups = values.reshape(tiles, blocks, -1, TILE, _group(format))
    columns = groups.transpose(0, 3, 1, 2, 4).reshape(tiles * TILE, blocks, -1)
    if format in NIBBLES:
        codes = np.concatenate([columns & 0x0F, columns >> 4], axis=-1)
        columns = codes[..., ::2] | codes[..., 1::2] << 4
    elif format.startswith("int8"):
        columns = (columns ^ 0x80).view(np.int8)
    return np.asarray(columns.reshape(tiles * TILE, -1))


def _group(format: str) -> int:
    """Columns, or bytes of nibbles, that a lane reads at once."""
    return {"bf16": 2, "f32": 1}.get(format, 4)
