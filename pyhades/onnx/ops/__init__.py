"""Translators by group; importing this package fills their registry."""

from pyhades.onnx.ops import (
    elementwise,
    layout,
    matrix,
    normalization,
    reduction,
    resize,
    window,
)

__all__ = ["elementwise", "layout", "matrix", "normalization", "reduction", "resize", "window"]
