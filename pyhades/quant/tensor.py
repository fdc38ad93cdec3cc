"""Quantised matrices as they are stored, and as the kernels read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.quant.formats import LAYOUT, FormatName, RowOrder, format_named

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class QuantizedTensor:
    """A weight matrix ``[n, k]``, or a stack ``[experts, n, k]``, in the order of its format.

    Attributes
    ----------
    format
        Name of the format, see :data:`pyhades.quant.formats.FORMATS`.
    shape
        Of the matrix or the stack.
    values
        ``mxfp4``, ``int4_g32``: uint8 ``[..., k/2]``, input 2j in the low nibble; ``int8_*``: int8
        ``[..., k]``; ``bf16``: uint16 ``[..., k]``; ``f32``: float32 ``[..., k]``.
    scales
        ``mxfp4``: uint8 (E8M0) ``[..., k/32]``; ``int*_g32``: float16 ``[..., k/32]``;
        ``int8_row``: float32 ``[...]``; otherwise None.
    """

    format: FormatName
    shape: tuple[int, ...]
    values: Array
    scales: Array | None = None

    def __post_init__(self) -> None:
        format_named(self.format)

    @property
    def nbytes(self) -> int:
        """Bytes of values and scales."""
        return self.values.nbytes + (0 if self.scales is None else self.scales.nbytes)

    def __repr__(self) -> str:
        return f"QuantizedTensor({self.format}, {list(self.shape)}, {self.nbytes / 1e6:.1f} MB)"


@dataclass(frozen=True, eq=False)
class PackedWeight:
    """A weight matrix, or one per expert, in the layout of the kernels.

    Attributes
    ----------
    data
        uint8, one axis, on a 64-byte boundary; may lie in a mapped file.
    format
        Name of the format.
    shape
        ``(n, k)`` or ``(experts, n, k)``.
    row_order
        ``"plain"``, or ``"gate_up"``: per 32 packed rows, 16 gate rows and then their 16 up rows.
    layout
        The packed layout, as files carry it.
    """

    data: NDArray[np.uint8]
    format: FormatName
    shape: tuple[int, ...]
    row_order: RowOrder = "plain"
    layout: str = LAYOUT

    def __post_init__(self) -> None:
        one_of("row_order", self.row_order, RowOrder)
        n, k = self.shape[-2:]
        matrices = self.shape[0] if len(self.shape) == 3 else 1
        expected = matrices * format_named(self.format).packed_bytes(n, k)
        if self.layout != LAYOUT:
            raise ArgumentError(
                f"the weight is packed as {self.layout!r}, this version reads {LAYOUT!r}; "
                "pack it again"
            )
        if self.data.dtype != np.uint8 or self.data.shape != (expected,):
            raise ArgumentError(
                f"a packed {self.format} weight {list(self.shape)} is uint8 [{expected}], "
                f"not {self.data.dtype.name} {list(self.data.shape)}"
            )

    @property
    def nbytes(self) -> int:
        """Bytes that one pass over the weight reads."""
        return self.data.nbytes

    def __repr__(self) -> str:
        return f"PackedWeight({self.format}, {list(self.shape)}, {self.nbytes / 1e6:.1f} MB)"
