"""The kernels as a library: NumPy arrays in, NumPy arrays out, the engine's own code in between.

Every function takes ``out=None`` (an array to write to), ``threads=None`` and ``isa=None`` (a tier
of :func:`pyhades.kernels.tiers`), validates its arguments and runs without the GIL.
:mod:`pyhades.kernels.reference` has the same signatures in NumPy.
"""

from pyhades.kernels.attention import attention
from pyhades.kernels.conv import conv2d
from pyhades.kernels.cutout import cut_out
from pyhades.kernels.gather import gather, gather_elements, gather_nd, scatter_elements, scatter_nd
from pyhades.kernels.gemm import PackedMatrix, gemm, matmul, pack
from pyhades.kernels.image import composite, normalize_image, png_filter, upscale_mask
from pyhades.kernels.layout import copy, fill, pad, transpose
from pyhades.kernels.norm import rms_norm
from pyhades.kernels.pool import average_pool, max_pool
from pyhades.kernels.resize import resize

__all__ = [
    "PackedMatrix",
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
    "pack",
    "pad",
    "png_filter",
    "resize",
    "rms_norm",
    "scatter_elements",
    "scatter_nd",
    "transpose",
    "upscale_mask",
]
