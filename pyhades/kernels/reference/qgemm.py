"""Matrix products with quantised weights, in NumPy.

Activations are rounded as the kernels round them. From there on products and sums are float64: what
the rounded numbers stand for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.epilogue import Activation, parse_activation
from pyhades.kernels.qgemm import Compute
from pyhades.kernels.reference.norm import rms_norm
from pyhades.kernels.reference.packing import unpack_weight
from pyhades.numerics import quantized
from pyhades.numerics.epilogue import finish
from pyhades.quant import PackedWeight, from_q8, to_bf16, to_q8


def quantize_rows(x: ArrayLike, compute: Compute = "int8") -> Array:
    """See :func:`pyhades.kernels.quantize_rows`."""
    rows = np.asarray(x, np.float32)
    return to_q8(rows) if compute == "int8" else to_bf16(rows)


def rms_norm_quantize(
    x: ArrayLike, weight: ArrayLike, eps: float = 1e-5, compute: Compute = "int8"
) -> Array:
    """See :func:`pyhades.kernels.rms_norm_quantize`."""
    return quantize_rows(rms_norm(x, weight, eps), compute)


def qgemm(
    a: ArrayLike,
    w: PackedWeight,
    bias: ArrayLike | None = None,
    *,
    activation: Activation | None = None,
    residual: ArrayLike | None = None,
    compute: Compute = "int8",
) -> Array:
    """See :func:`pyhades.kernels.qgemm`."""
    return _multiply(rounded(a, w, compute), w, bias, activation, residual)


def qgemm_int8(
    a: Array,
    w: PackedWeight,
    bias: ArrayLike | None = None,
    *,
    activation: Activation | None = None,
    residual: ArrayLike | None = None,
) -> Array:
    """See :func:`pyhades.kernels.qgemm_int8`."""
    return _multiply(from_q8(a, w.shape[-1]), w, bias, activation, residual)


def rounded(a: ArrayLike, w: PackedWeight, compute: Compute) -> Array:
    """What activations stand for once they are rounded for weights like ``w``."""
    rows = np.asarray(a)
    return quantized.rounded(rows, multiplies_integers(rows, w, compute))


def multiplies_integers(a: ArrayLike, w: PackedWeight, compute: Compute) -> bool:
    """Whether activations are rounded to int8."""
    return quantized.multiplies_integers(np.asarray(a), w.format, compute)


def _multiply(
    rows: Array,
    w: PackedWeight,
    bias: ArrayLike | None,
    activation: Activation | None,
    residual: ArrayLike | None,
) -> Array:
    vector = None if bias is None else np.asarray(bias)
    y = quantized.product(rows, unpack_weight(w), vector)
    added = None if residual is None else np.asarray(residual)
    return finish(y, parse_activation(activation), added).astype(np.float32)
