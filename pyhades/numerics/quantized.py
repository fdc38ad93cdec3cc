"""Matrix products with quantised weights.

Activations are rounded as the kernels round them. From there on products and sums are float64: what
the rounded numbers stand for.
"""

from __future__ import annotations

import numpy as np

from pyhades.numerics.array import Array
from pyhades.quant import QuantizedTensor, dequantize, from_bf16, from_q8, to_bf16, to_q8


def rounded(rows: Array, integers: bool) -> Array:
    """What activations ``[m, k]`` stand for once they are rounded, to int8 or to bfloat16.

    uint16 rows are bfloat16 already.
    """
    if integers:
        return from_q8(to_q8(rows), rows.shape[-1])
    return from_bf16(rows if rows.dtype == np.uint16 else to_bf16(rows))


def multiplies_integers(rows: Array, weight_format: str, compute: str) -> bool:
    """Whether activations are rounded to int8: those of float32, for weights of integers."""
    return rows.dtype == np.float32 and compute == "int8" and weight_format not in ("bf16", "f32")


def product(rows: Array, weight: QuantizedTensor, bias: Array | None = None) -> Array:
    """``rows @ weight^T + bias`` of what ``weight`` ``[n, k]`` stands for, in float64."""
    y = rows.astype(np.float64) @ dequantize(weight).T.astype(np.float64)
    return y if bias is None else y + bias
