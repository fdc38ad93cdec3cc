"""Translators of the operators of floats that onnxruntime adds, and writes when it optimises.

What a file of ``ORT_ENABLE_EXTENDED`` holds becomes operators of ONNX, which passes fuse their own
way.
"""

from pyhades.onnx.ops.microsoft import (
    activation,
    attention,
    embedding,
    layout,
    matrix,
    normalization,
    window,
)

__all__ = [
    "activation",
    "attention",
    "embedding",
    "layout",
    "matrix",
    "normalization",
    "window",
]
