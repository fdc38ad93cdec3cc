"""From one format to another, some rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from math import prod

import numpy as np

from pyhades.quant.codecs import dequantize, quantize
from pyhades.quant.formats import FormatName, format_named
from pyhades.quant.tensor import QuantizedTensor

PIECE = 1 << 18
"""Weights that are converted at a time, so that what is in flight fits the cache."""

_WIDER: dict[FormatName, tuple[FormatName, ...]] = {
    "int4_g32": ("int8_g32",),
}
"""Formats besides float32 that have all values of a format."""


def is_exact(source: FormatName, target: FormatName) -> bool:
    """Whether ``target`` has every weight that ``source`` has.

    Examples
    --------
    >>> is_exact("int4_g32", "int8_g32"), is_exact("mxfp4", "int8_g32"), is_exact("bf16", "f32")
    (True, False, True)
    """
    format_named(source)
    return format_named(target).name in (source, "f32", *_WIDER.get(source, ()))


def common_format(formats: Collection[FormatName]) -> FormatName:
    """The narrowest of some formats that has every weight of the others, or float32.

    Examples
    --------
    >>> common_format(["int4_g32", "int8_g32"]), common_format(["mxfp4", "int8_g32"])
    ('int8_g32', 'f32')
    """
    shared = [f for f in formats if all(is_exact(other, f) for other in formats)]
    return min(shared, key=lambda name: format_named(name).bits, default="f32")


def convert(q: QuantizedTensor, format: FormatName) -> QuantizedTensor:
    """The same weights in another format: exactly where it has them all, else rounded.

    Parameters
    ----------
    q
        Of any format; a vector can become float32 only.
    format
        Full name of a format.

    Returns
    -------
    QuantizedTensor
        ``q`` itself where it has the format.

    Raises
    ------
    ArgumentError
        As for :func:`~pyhades.quant.quantize`.

    Examples
    --------
    >>> q = quantize(np.linspace(-1, 1, 32, dtype=np.float32)[None], "int4")
    >>> bool((dequantize(convert(q, "int8_g32")) == dequantize(q)).all())
    True
    """
    if q.format == format_named(format).name:
        return q
    if format == "f32":
        return QuantizedTensor("f32", q.shape, dequantize(q))
    values = q.values.reshape(-1, q.values.shape[-1])
    scales = None if q.scales is None else q.scales.reshape(len(values), -1)

    def converted(rows: slice) -> QuantizedTensor:
        some = None if scales is None else scales[rows]
        piece = QuantizedTensor(q.format, (len(values[rows]), q.shape[-1]), values[rows], some)
        return _converted(piece, format)

    return by_rows(q.shape, format, converted)


def by_rows(
    shape: tuple[int, ...], format: FormatName, make: Callable[[slice], QuantizedTensor]
) -> QuantizedTensor:
    """A matrix, or a stack, put together of pieces.

    Parameters
    ----------
    shape
        Of the whole.
    format
        Of the pieces.
    make
        Gives the matrix of some of the rows, counted through all matrices of a stack.
    """
    rows = prod(shape[:-1])
    first, *others = row_slices(rows, shape[-1])
    piece = make(first)
    values, scales = piece.values, piece.scales
    if others:
        values = np.empty((rows, *values.shape[1:]), values.dtype)
        scales = None if scales is None else np.empty((rows, *scales.shape[1:]), scales.dtype)
        _store(values, scales, first, piece)
    for place in others:
        _store(values, scales, place, make(place))
    stack = shape[:-1]
    return QuantizedTensor(
        format, shape, values.reshape(*stack, values.shape[-1]),
        None if scales is None else scales.reshape(*stack, *scales.shape[1:]),
    )  # fmt: skip


def row_slices(rows: int, columns: int, multiple: int = 1) -> Iterator[slice]:
    """Rows in pieces of about :data:`PIECE` weights, all but the last a multiple of so many.

    Examples
    --------
    >>> [piece.stop for piece in row_slices(100, PIECE // 40, 16)]
    [32, 64, 96, 128]
    """
    step = max(1, PIECE // columns // multiple) * multiple
    yield from (slice(first, first + step) for first in range(0, rows, step))


def _store(
    values: np.ndarray, scales: np.ndarray | None, rows: slice, piece: QuantizedTensor
) -> None:
    values[rows] = piece.values
    if scales is not None:
        scales[rows] = piece.scales


def _converted(q: QuantizedTensor, format: FormatName) -> QuantizedTensor:
    if (q.format, format) == ("int4_g32", "int8_g32"):
        codes = np.stack([q.values & 15, q.values >> 4], axis=-1)
        values = codes.reshape(q.shape).view(np.int8) - np.int8(8)
        return QuantizedTensor(format, q.shape, values, q.scales)
    return quantize(dequantize(q), format)
