"""Matrix products with everything that usually follows them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pyhades import _native
from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, check_shape, output
from pyhades.kernels.epilogue import Activation, activation_attributes
from pyhades.kernels.qgemm import pack_weight
from pyhades.quant import PackedWeight, QuantizedTensor, RowOrder


class PackedMatrix:
    """A right operand of :func:`gemm`, packed by :func:`pack_matrix` for the kernels of one tier.

    Attributes
    ----------
    shape
        ``(k, n)`` of the matrix that was packed.
    isa
        The tier that it was packed for, None for the default.
    nbytes
        Size of the packed copy.
    """

    def __init__(
        self, packed: _native.Packed, shape: tuple[int, int], *, isa: str | None = None
    ) -> None:
        self._packed = packed
        self.shape = shape
        self.isa = isa

    @property
    def nbytes(self) -> int:
        """Size of the packed copy in bytes."""
        return self._packed.nbytes

    def __repr__(self) -> str:
        return f"PackedMatrix(shape={self.shape}, isa={self.isa!r})"


def pack_matrix(b: ArrayLike, *, isa: str | None = None) -> PackedMatrix:
    """Copy a matrix into the layout that :func:`gemm` reads fastest.

    Worth it for weights, which meet many left operands. The copy is independent of ``b``.

    Parameters
    ----------
    b
        float32 ``[k, n]``, any strides.
    isa
        Tier of the products to come; they must ask for the same.

    Returns
    -------
    PackedMatrix
        To be passed as ``b``.

    Raises
    ------
    ArgumentError
        If ``b`` is no matrix.
    ArgumentTypeError
        If ``b`` is not float32.
    ConfigurationError
        If the tier does not exist or the CPU lacks it.

    Examples
    --------
    >>> weights = pack_matrix(np.eye(3, dtype=np.float32))
    >>> gemm(np.ones((2, 3), np.float32), weights).shape
    (2, 3)
    """
    b = as_array("b", b, ndim=2)
    k, n = b.shape
    a, y = np.empty((1, k), np.float32), np.empty((1, n), np.float32)
    packed = _native.pack("gemm", [a, b, None, None], [y], 1, isa=isa)
    return PackedMatrix(packed, (k, n), isa=isa)


def pack(
    b: ArrayLike | QuantizedTensor, *, row_order: RowOrder = "plain", isa: str | None = None
) -> PackedMatrix | PackedWeight:
    """The old name of :func:`pack_matrix` and, for quantised weights, of :func:`pack_weight`."""
    name = "pack_weight" if isinstance(b, QuantizedTensor) else "pack_matrix"
    warnings.warn(f"pack is called {name} now", DeprecationWarning, stacklevel=2)
    one_of("row_order", row_order, RowOrder)
    if isinstance(b, QuantizedTensor):
        _native.tier_name(isa)
        return pack_weight(b, row_order)
    if row_order != "plain":
        raise ArgumentError(f"row_order={row_order!r} is for quantised weights; leave it out")
    return pack_matrix(b, isa=isa)


def gemm(
    a: ArrayLike,
    b: ArrayLike | PackedMatrix,
    bias: ArrayLike | None = None,
    *,
    activation: Activation | None = None,
    residual: ArrayLike | None = None,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Matrix product, ``activation(a @ b + bias) + residual``.

    Parameters
    ----------
    a
        float32 ``[m, k]``, any strides.
    b
        float32 ``[k, n]``, any strides, or the result of :func:`pack_matrix`.
    bias
        float32 ``[n]``.
    activation
        ``"relu"``, ``"sigmoid"``, ``"hard_swish"``, ``"silu"``, ``"gelu_erf"``, ``"gelu_tanh"``,
        ``"tanh"``, ``"round_float16"``; with parameters ``("leaky_relu", alpha)``,
        ``("hard_sigmoid", alpha, beta)``, ``("clip", lower, upper)``. The name alone means the
        defaults of :func:`pyhades.kernels.leaky_relu` and :func:`pyhades.kernels.hard_sigmoid`.
    residual
        float32 ``[m, n]``, added after the activation.
    out, threads, isa
        See :mod:`pyhades.kernels`. ``isa`` defaults to that of a packed ``b``.

    Returns
    -------
    ndarray
        float32 ``[m, n]``.

    Raises
    ------
    ArgumentError
        If shapes do not fit, ``b`` was packed for another tier, or the activation or its
        parameters are not known.
    ArgumentTypeError
        If an array is not float32.

    References
    ----------
    Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008.

    Examples
    --------
    >>> a = np.array([[1.0, 2.0]], np.float32)
    >>> gemm(a, np.array([[1.0, -1.0], [1.0, -1.0]], np.float32), activation="relu")
    array([[3., 0.]], dtype=float32)
    """
    a = as_array("a", a, ndim=2)
    if isinstance(b, PackedMatrix):
        right: Any = b._packed
        isa = b.isa if isa is None else isa
        b_shape: tuple[int, ...] = b.shape
    else:
        right = as_array("b", b, ndim=2)
        b_shape = right.shape
    _check_inner(a.shape, b_shape)
    shape = (a.shape[0], b_shape[1])
    result = output(out, shape)
    operands = [a, right, _as_bias(bias, shape[1]), _as_residual(residual, shape)]
    attributes = activation_attributes(activation)
    call("gemm", operands, [result], attributes, threads=threads, isa=isa)
    return result


def matmul(
    a: ArrayLike,
    b: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    activation: Activation | None = None,
    residual: ArrayLike | None = None,
    alpha: float = 1.0,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Products of stacks of matrices, ``activation(alpha * (a @ b) + bias) + residual``.

    Parameters
    ----------
    a, b
        float32 ``[..., m, k]`` and ``[..., k, n]``; leading axes broadcast as in NumPy. Views of
        any strides are read in place, transposes and broadcasts included.
    bias
        float32 ``[n]``.
    activation
        As for :func:`gemm`.
    alpha
        Scales the product.
    residual
        float32 of the shape of the result, added after the activation.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32 ``[..., m, n]``.

    Raises
    ------
    ArgumentError
        If shapes do not fit, or the activation or its parameters are not known.
    ArgumentTypeError
        If an array is not float32.

    Examples
    --------
    >>> x = np.ones((5, 2, 3), np.float32)
    >>> matmul(x, x.transpose(0, 2, 1), alpha=0.5)[0]
    array([[1.5, 1.5],
           [1.5, 1.5]], dtype=float32)
    """
    a, b = as_array("a", a), as_array("b", b)
    if min(a.ndim, b.ndim) < 2:
        raise ArgumentError(f"a {a.shape} and b {b.shape} must have at least two axes")
    _check_inner(a.shape, b.shape)
    try:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ArgumentError(
            f"the leading axes of a {a.shape} and b {b.shape} do not broadcast"
        ) from None
    shape = (*batch, a.shape[-2], b.shape[-1])
    result = output(out, shape)
    residual = _as_residual(residual, shape)
    operands = [
        _as_stack(a, batch),
        _as_stack(b, batch),
        _as_bias(bias, shape[-1]),
        None if residual is None else _as_stack(residual, batch),
    ]
    attributes = {**activation_attributes(activation), "alpha": float(alpha)}
    target = _as_stack(result, batch)
    call("matmul", operands, [target], attributes, threads=threads, isa=isa)
    return result


def _as_stack(x: Array, batch: tuple[int, ...]) -> Array:
    """``x`` with the leading axes ``batch`` made two; a view unless more than two do not merge."""
    x = np.broadcast_to(x, (*batch, *x.shape[-2:])) if x.shape[:-2] != batch else x
    if len(batch) == 2:
        return x
    outer = int(np.prod(batch[:-1])) if batch else 1
    inner = batch[-1] if batch else 1
    return x.reshape(outer, inner, *x.shape[-2:])


def _check_inner(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    if a[-1] != b[-2]:
        raise ArgumentError(f"a {a} and b {b} do not fit: {a[-1]} columns against {b[-2]} rows")


def _as_bias(bias: ArrayLike | None, n: int) -> Array | None:
    if bias is None:
        return None
    bias = np.ascontiguousarray(as_array("bias", bias, ndim=1))
    check_shape("bias", bias, (n,))
    return bias


def _as_residual(residual: ArrayLike | None, shape: tuple[int, ...]) -> Array | None:
    if residual is None:
        return None
    residual = as_array("residual", residual)
    check_shape("residual", residual, shape)
    return np.ascontiguousarray(residual)
