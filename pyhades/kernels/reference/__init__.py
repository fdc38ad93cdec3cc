"""The kernels of :mod:`pyhades.kernels` in NumPy, with the same signatures: the specification."""

from pyhades.kernels.reference.attention import attention
from pyhades.kernels.reference.bfloat import (
    conv2d_bf16,
    linear_bf16,
    max_pool_bf16,
    narrow_bf16,
)
from pyhades.kernels.reference.conv import conv2d
from pyhades.kernels.reference.cutout import cut_out
from pyhades.kernels.reference.deform import deform_conv2d
from pyhades.kernels.reference.elementwise import (
    add,
    clip,
    divide,
    erf,
    exp,
    gelu,
    hard_sigmoid,
    hard_swish,
    leaky_relu,
    log,
    maximum,
    minimum,
    mish,
    multiply,
    power,
    relu,
    sigmoid,
    silu,
    softplus,
    sqrt,
    subtract,
    tanh,
)
from pyhades.kernels.reference.fold import fold
from pyhades.kernels.reference.gather import (
    gather,
    gather_elements,
    gather_nd,
    scatter_elements,
    scatter_nd,
)
from pyhades.kernels.reference.gemm import gemm, matmul
from pyhades.kernels.reference.grid import grid_sample
from pyhades.kernels.reference.image import composite, normalize_image, png_filter, upscale_mask
from pyhades.kernels.reference.layout import copy, fill, pad, transpose
from pyhades.kernels.reference.moe import embed, moe, top_k
from pyhades.kernels.reference.norm import batch_norm, group_norm, layer_norm, rms_norm
from pyhades.kernels.reference.packing import pack_weight
from pyhades.kernels.reference.paged_attention import paged_attention, rope_store, rope_table
from pyhades.kernels.reference.pool import average_pool, max_pool
from pyhades.kernels.reference.qconv import qconv2d, qlinear
from pyhades.kernels.reference.qgemm import (
    qgemm,
    qgemm_int8,
    quantize_rows,
    rms_norm_quantize,
)
from pyhades.kernels.reference.ranking import rank
from pyhades.kernels.reference.recurrent import recurrence
from pyhades.kernels.reference.reduce import argmax, argmin, cumsum, reduce
from pyhades.kernels.reference.requantize import requantize
from pyhades.kernels.reference.resize import resize
from pyhades.kernels.reference.roi import roi_align, roi_max_pool
from pyhades.kernels.reference.sampling import sample, sample_rows
from pyhades.kernels.reference.softmax import log_softmax, softmax
from pyhades.kernels.reference.suppression import suppress
from pyhades.kernels.reference.typed import binary, cast, unary, where

__all__ = [
    "add",
    "argmax",
    "argmin",
    "attention",
    "average_pool",
    "batch_norm",
    "binary",
    "cast",
    "clip",
    "composite",
    "conv2d",
    "conv2d_bf16",
    "copy",
    "cumsum",
    "cut_out",
    "deform_conv2d",
    "divide",
    "embed",
    "erf",
    "exp",
    "fill",
    "fold",
    "gather",
    "gather_elements",
    "gather_nd",
    "gelu",
    "gemm",
    "grid_sample",
    "group_norm",
    "hard_sigmoid",
    "hard_swish",
    "layer_norm",
    "leaky_relu",
    "linear_bf16",
    "log",
    "log_softmax",
    "matmul",
    "max_pool",
    "max_pool_bf16",
    "maximum",
    "minimum",
    "mish",
    "moe",
    "multiply",
    "narrow_bf16",
    "normalize_image",
    "pack_weight",
    "pad",
    "paged_attention",
    "png_filter",
    "power",
    "qconv2d",
    "qgemm",
    "qgemm_int8",
    "qlinear",
    "quantize_rows",
    "rank",
    "recurrence",
    "reduce",
    "relu",
    "requantize",
    "resize",
    "rms_norm",
    "rms_norm_quantize",
    "roi_align",
    "roi_max_pool",
    "rope_store",
    "rope_table",
    "sample",
    "sample_rows",
    "scatter_elements",
    "scatter_nd",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "sqrt",
    "subtract",
    "suppress",
    "tanh",
    "top_k",
    "transpose",
    "unary",
    "upscale_mask",
    "where",
]
