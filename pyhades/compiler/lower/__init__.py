"""How each IR operator becomes native instructions; importing this package fills the table."""

from pyhades.compiler.lower import (
    assemble,
    bfloat,
    convolution,
    elementwise,
    gather,
    integers,
    matrix,
    movement,
    normalize,
    pooling,
    recurrent,
    reduction,
    resample,
    suppression,
    transposed,
)

__all__ = [
    "assemble",
    "bfloat",
    "convolution",
    "elementwise",
    "gather",
    "integers",
    "matrix",
    "movement",
    "normalize",
    "pooling",
    "recurrent",
    "reduction",
    "resample",
    "suppression",
    "transposed",
]
