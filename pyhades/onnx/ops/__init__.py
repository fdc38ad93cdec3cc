"""Translators by group; importing this package fills their registry."""

from pyhades.onnx.ops import (
    control,
    elementwise,
    layout,
    matrix,
    normalization,
    packed_weights,
    qlinear,
    quantization,
    reduction,
    resize,
    selection,
    window,
)

__all__ = [
    "control",
    "elementwise",
    "layout",
    "matrix",
    "normalization",
    "packed_weights",
    "qlinear",
    "quantization",
    "reduction",
    "resize",
    "selection",
    "window",
]
