"""Translators by group; importing this package fills their registry."""

from pyhades.onnx.ops import (
    attention,
    elementwise,
    layout,
    matrix,
    microsoft,
    normalization,
    packed_weights,
    qlinear,
    quantization,
    reduction,
    resize,
    signal,
    window,
)

__all__ = [
    "attention",
    "elementwise",
    "layout",
    "matrix",
    "microsoft",
    "normalization",
    "packed_weights",
    "qlinear",
    "quantization",
    "reduction",
    "resize",
    "signal",
    "window",
]
