"""Mixtures of experts, and the small operators around them, in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.moe import GatedActivation
from pyhades.kernels.qgemm import Compute
from pyhades.kernels.reference.packing import unpack_weight
from pyhades.kernels.reference.qgemm import multiplies_integers, rounded
from pyhades.numerics.moe import clamped_swiglu, route, swiglu
from pyhades.quant import PackedWeight, dequantize, from_bf16, from_q8, to_q8


def top_k(logits: ArrayLike, k: int) -> tuple[Array, Array]:
    """See :func:`pyhades.kernels.top_k`."""
    ids, shares = route(np.asarray(logits, np.float64), k)
    return ids.astype(np.int32), shares.astype(np.float32)


def embed(tokens: ArrayLike, values: Array, scales: Array | None = None) -> Array:
    """See :func:`pyhades.kernels.embed`."""
    rows = values[np.asarray(tokens)]
    if scales is None:
        return from_bf16(rows)
    blocks = rows.astype(np.float32).reshape(*rows.shape[:-1], scales.shape[1], -1)
    factors = scales[np.asarray(tokens)].astype(np.float32)
    return np.asarray((blocks * factors[..., None]).reshape(rows.shape))


def moe(
    a: ArrayLike,
    ids: ArrayLike,
    weights: ArrayLike,
    gate_up: PackedWeight,
    gate_up_bias: ArrayLike | None,
    down: PackedWeight,
    down_bias: ArrayLike | None = None,
    *,
    activation: GatedActivation = "clamped_swiglu",
    residual: ArrayLike | None = None,
    alpha: float = 1.702,
    limit: float = 7.0,
    compute: Compute = "int8",
) -> Array:
    """See :func:`pyhades.kernels.moe`."""
    rows = rounded(a, gate_up, compute).astype(np.float64)
    first, second = (dequantize(unpack_weight(w)).astype(np.float64) for w in (gate_up, down))
    is_int8 = multiplies_integers(a, gate_up, compute)
    first_bias, second_bias = (
        np.zeros(matrix.shape[:2]) if bias is None else np.asarray(bias, np.float64)
        for matrix, bias in ((first, gate_up_bias), (second, down_bias))
    )
    y = np.zeros(rows.shape)
    for token, (experts, shares) in enumerate(
        zip(np.asarray(ids), np.asarray(weights), strict=True)
    ):
        for expert, share in zip(experts, shares, strict=True):
            h = first[expert] @ rows[token] + first_bias[expert]
            h = swiglu(h) if activation == "swiglu" else clamped_swiglu(h, alpha, limit)
            if is_int8:
                h = from_q8(to_q8(h.astype(np.float32)[None]), len(h))[0]
            y[token] += share * (second[expert] @ h + second_bias[expert])
    return (y if residual is None else y + np.asarray(residual)).astype(np.float32)
