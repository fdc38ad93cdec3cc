"""Express operators by simpler ones, so that later passes and the lowering see fewer kinds.

Movement becomes Reshape, Transpose, Slice and Expand (all views); Gemm becomes a FusedMatMul;
variadic arithmetic becomes chains; what kernels do in float32, or on images only, becomes that.
"""

from pyhades.passes.decompose import (
    activation,
    arithmetic,
    attention,
    convolution,
    einsum,
    elimination,
    grid,
    movement,
    normalization,
    pooling,
    precision,
    quantization,
    recurrent,
    selection,
    signal,
    token_state,
)
from pyhades.passes.decompose.rule import decompose, is_decomposed

__all__ = [
    "activation",
    "arithmetic",
    "attention",
    "convolution",
    "decompose",
    "einsum",
    "elimination",
    "grid",
    "is_decomposed",
    "movement",
    "normalization",
    "pooling",
    "precision",
    "quantization",
    "recurrent",
    "selection",
    "signal",
    "token_state",
]
