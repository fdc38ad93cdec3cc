"""The kernels of :mod:`pyhades.kernels` in NumPy, with the same signatures: the specification."""

from pyhades.kernels.reference.attention import attention
from pyhades.kernels.reference.conv import conv2d
from pyhades.kernels.reference.cutout import cut_out
from pyhades.kernels.reference.gather import (
    gather,
    gather_elements,
    gather_nd,
    scatter_elements,
    scatter_nd,
)
from pyhades.kernels.reference.gemm import gemm, matmul
from pyhades.kernels.reference.image import composite, normalize_image, png_filter, upscale_mask
from pyhades.kernels.reference.layout import copy, fill, pad, transpose
from pyhades.kernels.reference.pool import average_pool, max_pool
from pyhades.kernels.reference.resize import resize

__all__ = [
    "attention",
    "average_pool",
    "composite",
    "conv2d",
    "copy",
    "cut_out",
    "fill",
    "gather",
    "gather_elements",
    "gather_nd",
    "gemm",
    "matmul",
    "max_pool",
    "normalize_image",
    "pad",
    "png_filter",
    "resize",
    "scatter_elements",
    "scatter_nd",
    "transpose",
    "upscale_mask",
]
