"""Matrix products with quantised weights, and what brings weights and activations into them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyhades import _native
from pyhades.arguments import one_of
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels.arguments import Array, as_array, call, check_shape, output, rows_in_use
from pyhades.kernels.epilogue import Activation, activation_attributes
from pyhades.quant import (
    BLOCK,
    FormatName,
    PackedWeight,
    QuantizedTensor,
    RowOrder,
    format_named,
    q8_row_bytes,
)

Compute = Literal["int8", "bf16"]
ALIGNMENT = 64


def pack_weight(
    q: QuantizedTensor,
    row_order: RowOrder = "plain",
    *,
    out: Array | None = None,
    threads: int | None = None,
) -> PackedWeight:
    """Copy quantised weights into the layout of the kernels.

    Parameters
    ----------
    q
        From :func:`quantize` or :func:`from_mxfp4`.
    row_order
        ``"gate_up"`` for the first matrix of experts, whose rows alternate between gate and up:
        16 gates and then their 16 ups come together.
    out
        uint8, one axis, on a 64-byte boundary; by default new memory.
    threads
        See :mod:`pyhades.kernels`.

    Returns
    -------
    PackedWeight
        For :func:`qgemm` and :func:`moe`, on any tier.

    Raises
    ------
    ArgumentError
        Rows cannot be ordered so, or ``out`` has another size or boundary.

    Examples
    --------
    >>> from pyhades.quant import quantize
    >>> pack_weight(quantize(np.ones((48, 64), np.float32), "mxfp4")).nbytes
    1632
    """
    one_of("row_order", row_order, RowOrder)
    n, k = q.shape[-2:]
    matrices = q.shape[0] if len(q.shape) == 3 else 1
    nbytes = matrices * format_named(q.format).packed_bytes(n, k)
    data = aligned_empty(nbytes) if out is None else out
    if data.ctypes.data % ALIGNMENT:
        raise ArgumentError(f"out must begin on a boundary of {ALIGNMENT} bytes")
    values = np.ascontiguousarray(q.values)
    scales = None if q.scales is None else np.ascontiguousarray(q.scales)
    scales = scales.view(np.uint16) if scales is not None and scales.dtype == np.float16 else scales
    attributes: dict[str, int | str] = {
        "format": q.format, "matrices": matrices, "n": n, "k": k,
        "gate_up": int(row_order == "gate_up"),
    }  # fmt: skip
    _native.call("pack_weight", [values, scales], [data], attributes, (), threads=threads, isa=None)
    return PackedWeight(data, q.format, q.shape, row_order)


def aligned_empty(nbytes: int) -> NDArray[np.uint8]:
    """Memory on a 64-byte boundary."""
    memory = np.empty(nbytes + ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % ALIGNMENT
    return memory[begin : begin + nbytes]


def quantize_rows(
    x: ArrayLike,
    compute: Compute = "int8",
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Activations as matrix products take them.

    Parameters
    ----------
    x
        float32 ``[m, k]``, ``k`` a multiple of 32.
    compute
        ``"int8"``: blocks of 32 with a power-of-two scale; ``"bf16"``: the nearest bfloat16.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        uint8 ``[m, q8_row_bytes(k)]`` (see :func:`pyhades.quant.to_q8`), or bfloat16 as uint16
        ``[m, k]``.

    Raises
    ------
    ArgumentError
        ``k`` is no multiple of 32, or ``compute`` is neither.

    Examples
    --------
    >>> quantize_rows(np.ones((2, 32), np.float32)).shape
    (2, 64)
    """
    rows = as_array("x", x, ndim=2)
    result = _rows_like(rows.shape, compute, out)
    call("quantize_rows", [rows_in_use(rows), rows], [result], {}, threads=threads, isa=isa)
    return result


def rms_norm_quantize(
    x: ArrayLike,
    weight: ArrayLike,
    eps: float = 1e-5,
    compute: Compute = "int8",
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """:func:`rms_norm` and :func:`quantize_rows` in one pass.

    Parameters
    ----------
    x
        float32 ``[m, k]``, ``k`` a multiple of 32.
    weight
        float32 ``[k]``.
    eps
        Added to the mean of squares.
    compute, out, threads, isa
        As for :func:`quantize_rows`.

    Returns
    -------
    ndarray
        As :func:`quantize_rows`.

    Raises
    ------
    ArgumentError
        Shapes do not fit, or ``compute`` is neither.

    Examples
    --------
    >>> from pyhades.quant import from_bf16
    >>> x = np.full((1, 32), 4, np.float32)
    >>> rows = rms_norm_quantize(x, np.full(32, 0.5, np.float32), compute="bf16")
    >>> float(from_bf16(rows)[0, 0])
    0.5
    """
    rows = as_array("x", x, ndim=2)
    scale = np.ascontiguousarray(as_array("weight", weight, ndim=1))
    check_shape("weight", scale, rows.shape[1:])
    result = _rows_like(rows.shape, compute, out)
    inputs = [rows_in_use(rows), rows, scale]
    call("rms_norm_quantize", inputs, [result], {"epsilon": float(eps)}, threads=threads, isa=isa)
    return result


def qgemm(
    a: ArrayLike,
    w: PackedWeight,
    bias: ArrayLike | None = None,
    *,
    activation: Activation | None = None,
    residual: ArrayLike | None = None,
    compute: Compute = "int8",
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Product with a quantised matrix, ``activation(a @ w.T + bias) + residual``.

    Parameters
    ----------
    a
        float32 ``[m, k]``, or bfloat16 as uint16.
    w
        ``[n, k]``, from :func:`pack_weight`.
    bias
        float32 ``[n]``.
    activation
        As for :func:`gemm`.
    residual
        float32 ``[m, n]``.
    compute
        What float32 activations are rounded to: ``"int8"``, for integer arithmetic, or ``"bf16"``,
        multiplied in float32. bfloat16 activations and weights mean ``"bf16"``.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32 ``[m, n]``; a row does not depend on the others, nor on threads.

    Raises
    ------
    ArgumentError
        Shapes do not fit.
    ArgumentTypeError
        ``a`` is neither float32 nor uint16.

    Examples
    --------
    >>> from pyhades.quant import quantize
    >>> w = pack_weight(quantize(np.full((3, 32), 0.5, np.float32), "mxfp4"))
    >>> qgemm(np.full((1, 32), 2, np.float32), w)
    array([[32., 32., 32.]], dtype=float32)
    """
    rows = activation_rows("a", a, w.format, compute, threads, isa)
    return _multiply(rows, w, bias, activation, residual, out, threads, isa)


def qgemm_int8(
    a: NDArray[np.uint8],
    w: PackedWeight,
    bias: ArrayLike | None = None,
    *,
    activation: Activation | None = None,
    residual: ArrayLike | None = None,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """:func:`qgemm` of rows that are quantised already.

    Parameters
    ----------
    a
        From :func:`quantize_rows` or :func:`rms_norm_quantize`.
    w, bias, activation, residual, out, threads, isa
        As for :func:`qgemm`.

    Returns
    -------
    ndarray
        float32 ``[m, n]``.

    Raises
    ------
    ArgumentError
        Shapes do not fit, or the weights are not quantised.

    Examples
    --------
    >>> from pyhades.quant import quantize
    >>> w = pack_weight(quantize(np.full((3, 32), 0.5, np.float32), "mxfp4"))
    >>> rows = quantize_rows(np.full((1, 32), 2, np.float32))
    >>> qgemm_int8(rows, w, residual=np.ones((1, 3), np.float32))
    array([[33., 33., 33.]], dtype=float32)
    """
    return _multiply(as_array("a", a, ndim=2, dtype=np.uint8), w, bias, activation, residual, out,
                     threads, isa)  # fmt: skip


def activation_rows(
    name: str,
    a: ArrayLike,
    format: FormatName,
    compute: Compute,
    threads: int | None,
    isa: str | None,
) -> Array:
    """``a`` as the kernels for weights of ``format`` take it."""
    one_of("compute", compute, Compute)
    array = np.asarray(a)
    if array.dtype == np.uint16:
        return np.ascontiguousarray(as_array(name, array, ndim=2, dtype=np.uint16))
    if array.dtype != np.float32:
        raise ArgumentTypeError(
            f"{name} has dtype {array.dtype}, expected float32, or bfloat16 as uint16"
        )
    return quantize_rows(
        as_array(name, array, ndim=2),
        "bf16" if format in ("bf16", "f32") else compute,
        threads=threads,
        isa=isa,
    )


def check_activation_rows(name: str, rows: Array, k: int) -> None:
    """Raise unless ``rows`` are activations of ``k`` columns."""
    columns = q8_row_bytes(k) if rows.dtype == np.uint8 else k
    check_shape(name, rows, (len(rows), columns))


def _multiply(
    rows: Array,
    w: PackedWeight,
    bias: ArrayLike | None,
    activation: Activation | None,
    residual: ArrayLike | None,
    out: Array | None,
    threads: int | None,
    isa: str | None,
) -> Array:
    if len(w.shape) != 2:
        raise ArgumentError(f"w has shape {w.shape}; experts go through moe")
    n, k = w.shape
    check_activation_rows("a", rows, k)
    result = output(out, (len(rows), n))
    vector = None if bias is None else np.ascontiguousarray(as_array("bias", bias, ndim=1))
    if vector is not None:
        check_shape("bias", vector, (n,))
    added = None if residual is None else np.ascontiguousarray(as_array("residual", residual))
    if added is not None:
        check_shape("residual", added, result.shape)
    attributes = {"format": w.format, "n": n, "k": k, **activation_attributes(activation)}
    call(
        "qgemm",
        [rows_in_use(rows), rows, w.data, vector, added],
        [result],
        attributes,
        threads=threads,
        isa=isa,
    )
    return result


def _rows_like(shape: tuple[int, ...], compute: Compute, out: Array | None) -> Array:
    """``out``, or new rows; the end of a q8 row that nobody writes is zero."""
    m, k = shape
    if k == 0 or k % BLOCK:
        raise ArgumentError(f"x has {k} columns; they must be a multiple of {BLOCK}")
    one_of("compute", compute, Compute)
    if compute == "bf16":
        return output(out, (m, k), np.uint16)
    rows = output(out, (m, q8_row_bytes(k)), np.uint8)
    rows[:, k + k // BLOCK * 8 :] = 0
    return rows
