"""From float32 weights to the formats and back: the specification of the native kernels."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.quant.bf16 import from_bf16, to_bf16
from pyhades.quant.formats import BLOCK, FormatName, format_named
from pyhades.quant.tensor import QuantizedTensor

Array = NDArray[Any]
ShortName = Literal["int8", "int4"]
"""Of the integer formats, whose groups are an argument of their own."""
NibbleOrder = Literal["hf", "ggml"]

FP4: NDArray[np.float32] = np.array(
    [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32
)
"""What the sixteen codes of E2M1 mean."""
E8M0_NAN = 255


def quantize(
    w: NDArray[np.float32],
    format: FormatName | ShortName = "int8",
    group_size: int | None = BLOCK,
) -> QuantizedTensor:
    """Round weights to a format.

    Parameters
    ----------
    w
        float32 ``[n, k]``, or ``[experts, n, k]``.
    format
        ``"int8"``, ``"int4"``, ``"mxfp4"``, ``"bf16"``, ``"f32"``, or a full name such as
        ``"int8_g32"``.
    group_size
        Weights that share a scale: 32, or None for a whole row (``"int8"`` only).

    Returns
    -------
    QuantizedTensor
        Integers are symmetric about zero. MXFP4 takes, per block, the better of the two scales
        under which its largest weight is not, or is, cut off at 6.

    Raises
    ------
    ArgumentError
        No such format, ``k`` is no multiple of 32, or a weight is not finite, or too large for the
        float16 scales of groups.

    Examples
    --------
    >>> quantize(np.ones((4, 64), np.float32), "int8")
    QuantizedTensor(int8_g32, [4, 64], 0.0 MB)
    """
    name = _full_name(format, group_size)
    w = np.ascontiguousarray(w, np.float32)
    if w.ndim not in (2, 3) or w.shape[-1] % BLOCK or not w.size:
        raise ArgumentError(
            f"w has shape {w.shape}; expected [n, k] or [experts, n, k], none of them 0, "
            f"k a multiple of {BLOCK}"
        )
    if not np.isfinite(w).all():
        raise ArgumentError("w has weights that are infinite or no numbers")
    if name == "f32":
        return QuantizedTensor(name, w.shape, w)
    if name == "bf16":
        return QuantizedTensor(name, w.shape, to_bf16(w))
    with np.errstate(over="ignore"):
        values, scales = _ENCODERS[name](w)
    if not np.isfinite(scales).all():
        raise ArgumentError(
            f"w has weights up to {np.abs(w).max():.3g}, too large for the float16 scales of {name}"
        )
    return QuantizedTensor(name, w.shape, values, scales)


def dequantize(q: QuantizedTensor) -> NDArray[np.float32]:
    """The weights that a quantised tensor stands for.

    Parameters
    ----------
    q
        Of any format.

    Returns
    -------
    ndarray
        float32, of the shape of ``q``.

    Raises
    ------
    ArgumentError
        There is no such format.

    Examples
    --------
    >>> q = quantize(np.linspace(0, 1, 32, dtype=np.float32)[None], "mxfp4")
    >>> dequantize(q)[0, ::8]
    array([0.  , 0.25, 0.5 , 0.75], dtype=float32)
    """
    format_named(q.format)
    if q.format == "f32":
        return np.asarray(q.values, np.float32)
    if q.format == "bf16":
        return from_bf16(q.values)
    assert q.scales is not None
    if q.format == "int8_row":
        return q.values.astype(np.float32) * q.scales[..., None]
    if q.format == "mxfp4":
        weights = FP4[_unpack_nibbles(q.values)]
        scales = np.ldexp(np.float32(1), q.scales.astype(np.int32) - 127)
    elif q.format == "int4_g32":
        weights = _unpack_nibbles(q.values).astype(np.float32) - 8
        scales = q.scales.astype(np.float32)
    else:
        weights, scales = q.values.astype(np.float32), q.scales.astype(np.float32)
    blocks = weights.reshape(*scales.shape, BLOCK) * scales[..., None]
    return np.asarray(blocks.reshape(q.shape), np.float32)


def from_mxfp4(
    blocks: NDArray[np.uint8], scales: NDArray[np.uint8], order: NibbleOrder = "hf"
) -> QuantizedTensor:
    """MXFP4 weights as checkpoints have them.

    Parameters
    ----------
    blocks
        uint8 ``[..., n, k/32, 16]``.
    scales
        uint8 (E8M0) ``[..., n, k/32]``.
    order
        ``"hf"``: byte j holds columns 2j and 2j + 1; ``"ggml"``: columns j and j + 16. The lower
        column is in the low nibble.

    Returns
    -------
    QuantizedTensor
        ``mxfp4``, of the same values; a view of the arguments where ``order`` is ``"hf"``.

    Raises
    ------
    ArgumentError
        Shapes do not fit, or a scale is 255, which stands for NaN.

    Examples
    --------
    Code 2 stands for 1.0, and the scale 128 doubles it.

    >>> blocks, scales = np.full((1, 1, 16), 0x22, np.uint8), np.full((1, 1), 128, np.uint8)
    >>> dequantize(from_mxfp4(blocks, scales))[0, :4]
    array([2., 2., 2., 2.], dtype=float32)
    """
    one_of("order", order, NibbleOrder)
    if blocks.dtype != np.uint8 or scales.dtype != np.uint8:
        raise ArgumentError("blocks and scales of MXFP4 are uint8")
    if blocks.ndim not in (3, 4) or blocks.shape != (*scales.shape, BLOCK // 2):
        raise ArgumentError(
            f"blocks {blocks.shape} and scales {scales.shape} do not fit: "
            "expected [..., n, k/32, 16] and [..., n, k/32]"
        )
    if (scales == E8M0_NAN).any():
        raise ArgumentError("a scale is 255, which stands for NaN; the weights are damaged")
    if order == "ggml":
        low, high = blocks & 0x0F, blocks >> 4
        columns = np.concatenate([low, high], axis=-1)
        blocks = columns[..., ::2] | columns[..., 1::2] << 4
    shape = (*scales.shape[:-1], scales.shape[-1] * BLOCK)
    values = np.ascontiguousarray(blocks).reshape(*shape[:-1], shape[-1] // 2)
    return QuantizedTensor("mxfp4", shape, values, np.ascontiguousarray(scales))


_FULL_NAMES: dict[tuple[str, int | None], FormatName] = {
    ("int8", None): "int8_row",
    ("int8", BLOCK): "int8_g32",
    ("int4", BLOCK): "int4_g32",
}


def _full_name(format: str, group_size: int | None) -> FormatName:
    one_of("format", format, (*get_args(ShortName), *get_args(FormatName)))
    if format in get_args(ShortName):
        if group_size not in (None, BLOCK) or (format == "int4" and group_size is None):
            raise ArgumentError(f"group_size={group_size}: {format} has groups of {BLOCK}")
        return _FULL_NAMES[format, group_size]
    return format_named(format).name


def _encode_int8_groups(w: Array) -> tuple[Array, Array]:
    blocks = w.reshape(*w.shape[:-1], -1, BLOCK)
    scales = (np.abs(blocks).max(-1) / np.float32(127)).astype(np.float16)
    values = np.rint(blocks * _inverse(scales)[..., None])
    return np.clip(values, -127, 127).astype(np.int8).reshape(w.shape), scales


def _encode_int8_rows(w: Array) -> tuple[Array, Array]:
    scales = np.abs(w).max(-1) / np.float32(127)
    values = np.rint(w * _inverse(scales)[..., None])
    return np.clip(values, -127, 127).astype(np.int8), scales


def _encode_int4(w: Array) -> tuple[Array, Array]:
    """The weight of largest magnitude becomes -8, the one value more on that side."""
    blocks = w.reshape(*w.shape[:-1], -1, BLOCK)
    at = np.abs(blocks).argmax(-1)[..., None]
    largest = np.take_along_axis(blocks, at, -1)[..., 0]
    scales = (largest / np.float32(-8)).astype(np.float16)
    values = np.rint(blocks * _inverse(scales)[..., None])
    codes = (np.clip(values, -8, 7) + 8).astype(np.uint8).reshape(w.shape)
    return _pack_nibbles(codes), scales


def _encode_mxfp4(w: Array) -> tuple[Array, Array]:
    blocks = w.reshape(*w.shape[:-1], -1, BLOCK)
    largest = np.abs(blocks).max(-1)
    _, exponent = np.frexp(largest)  # largest in [2^(exponent - 1), 2^exponent)
    candidates = [np.clip(exponent - 3 + more, -100, 100) for more in (0, 1)]
    codes = [_fp4_codes(np.ldexp(blocks, -c[..., None])) for c in candidates]
    errors = [
        np.square(FP4[code] * np.ldexp(np.float32(1), c)[..., None] - blocks).sum(-1)
        for code, c in zip(codes, candidates, strict=True)
    ]
    second = errors[1] < errors[0]
    chosen = np.where(second[..., None], codes[1], codes[0]).reshape(w.shape)
    scales = np.where(second, candidates[1], candidates[0]) + 127
    return _pack_nibbles(chosen.astype(np.uint8)), scales.astype(np.uint8)


def _fp4_codes(x: Array) -> Array:
    """Codes of the nearest FP4 values; ties go to the even code."""
    midpoints = (FP4[:7] + FP4[1:8]) / 2
    magnitude = np.abs(x)
    above = np.searchsorted(midpoints, magnitude, side="left")  # a tie stays below
    is_tie = (above < 7) & (magnitude == midpoints[np.minimum(above, 6)]) & (above % 2 == 1)
    codes: Array = above + is_tie + np.where(np.signbit(x), 8, 0)
    return codes.astype(np.uint8)


def _inverse(scales: Array) -> NDArray[np.float32]:
    wide = scales.astype(np.float32)
    return np.divide(1, wide, out=np.zeros_like(wide), where=wide != 0)


def _pack_nibbles(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return codes[..., ::2] | codes[..., 1::2] << np.uint8(4)


def _unpack_nibbles(values: Array) -> Array:
    return np.stack([values & 0x0F, values >> 4], -1).reshape(
        *values.shape[:-1], values.shape[-1] * 2
    )


_ENCODERS = {
    "int8_g32": _encode_int8_groups,
    "int8_row": _encode_int8_rows,
    "int4_g32": _encode_int4,
    "mxfp4": _encode_mxfp4,
}
