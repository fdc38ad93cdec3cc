"""The operators, by group; importing this package fills the registry."""

from pyhades.ir.ops import (
    activation,
    arithmetic,
    constant,
    convolution,
    fused,
    gather,
    grid,
    layout,
    matrix,
    normalization,
    pooling,
    quantization,
    reduction,
    resize,
    slicing,
)

__all__ = [
    "activation",
    "arithmetic",
    "constant",
    "convolution",
    "fused",
    "gather",
    "grid",
    "layout",
    "matrix",
    "normalization",
    "pooling",
    "quantization",
    "reduction",
    "resize",
    "slicing",
]
