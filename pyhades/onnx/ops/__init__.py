"""Translators by group; importing this package fills their registry."""

from pyhades.onnx.ops import (
    elementwise,
    layout,
    matrix,
    normalization,
    packed_weights,
    qlinear,
    quantization,
    reduction,
    resize,
    window,
)

__all__ = [
    "elementwise",
    "layout",
    "matrix",
    "normalization",
    "packed_weights",
    "qlinear",
    "quantization",
    "reduction",
    "resize",
    "window",
]
