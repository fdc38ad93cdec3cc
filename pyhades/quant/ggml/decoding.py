"""Rows of blocks of any type to our own formats."""

from __future__ import annotations

import numpy as np

from pyhades.quant.ggml import blocks, superblocks
from pyhades.quant.ggml.elements import Bytes
from pyhades.quant.ggml.types import SUPERBLOCK, GgmlType
from pyhades.quant.tensor import QuantizedTensor


def decode(data: Bytes, kind: GgmlType) -> QuantizedTensor:
    """Decode rows of blocks, without loss.

    Parameters
    ----------
    data
        uint8 ``[..., bytes of a row]``.
    kind
        One of :data:`pyhades.quant.ggml.TYPES`.

    Returns
    -------
    QuantizedTensor
        Of the format ``kind.format``, ``[..., k]``.

    Examples
    --------
    >>> from pyhades.quant.ggml import TYPES_BY_NAME
    >>> row = np.zeros((1, 34), np.uint8)
    >>> row[0, :4] = 0, 0x3C, 1, 255  # the scale 1.0 in float16, then the weights
    >>> decode(row, TYPES_BY_NAME["Q8_0"]).values[0, :3]
    array([ 1, -1,  0], dtype=int8)
    """
    *rows, row_bytes = data.shape
    count = row_bytes // kind.block_bytes
    shape = (*rows, count * kind.block)
    if kind.block == 1:
        return _plain(np.ascontiguousarray(data), kind, shape)
    split = data.reshape(*rows, count, kind.block_bytes)
    if kind.block == SUPERBLOCK:
        floats = superblocks.DECODERS[kind.name](split).reshape(shape)
        return QuantizedTensor(kind.format, shape, floats)
    values, scales = blocks.DECODERS[kind.name](split)
    values = np.ascontiguousarray(values).reshape(*rows, -1)
    return QuantizedTensor(kind.format, shape, values, scales)


def _plain(data: Bytes, kind: GgmlType, shape: tuple[int, ...]) -> QuantizedTensor:
    if kind.name == "BF16":
        return QuantizedTensor("bf16", shape, data.view(np.uint16).reshape(shape))
    values = data.view(np.float16 if kind.name == "F16" else np.float32)
    return QuantizedTensor("f32", shape, values.astype(np.float32, copy=False).reshape(shape))
