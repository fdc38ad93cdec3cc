"""Translators by group; importing this package fills their registry."""

from pyhades.onnx.ops import (
    attention,
    control,
    elementwise,
    layout,
    matrix,
    microsoft,
    normalization,
    packed_weights,
    qlinear,
    quantization,
    recurrent,
    reduction,
    resize,
    selection,
    signal,
    window,
)

__all__ = [
    "attention",
    "control",
    "elementwise",
    "layout",
    "matrix",
    "microsoft",
    "normalization",
    "packed_weights",
    "qlinear",
    "quantization",
    "recurrent",
    "reduction",
    "resize",
    "selection",
    "signal",
    "window",
]
