"""The kernels of :mod:`pyhades.kernels` in NumPy, with the same signatures: the specification."""

from pyhades.kernels.reference.conv import conv2d
from pyhades.kernels.reference.cutout import cut_out
from pyhades.kernels.reference.gemm import gemm, matmul
from pyhades.kernels.reference.layout import copy, fill, pad, transpose
from pyhades.kernels.reference.pool import average_pool, max_pool
from pyhades.kernels.reference.resize import resize

__all__ = [
    "average_pool",
    "conv2d",
    "copy",
    "cut_out",
    "fill",
    "gemm",
    "matmul",
    "max_pool",
    "pad",
    "resize",
    "transpose",
]
