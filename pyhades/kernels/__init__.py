"""The kernels as a library: NumPy arrays in, NumPy arrays out, the engine's own code in between.

Data are positional. Every kernel takes the keywords ``out=None`` (an array to write to, where it
makes one), ``threads=None`` and ``isa=None`` (a tier of :func:`pyhades.kernels.tiers`), validates
its arguments and runs without the GIL. :mod:`pyhades.kernels.reference` has the same signatures in
NumPy. Weights are quantised by :mod:`pyhades.quant`, in NumPy, and packed here.
"""

from pyhades.kernels.activations import (
    gelu,
    hard_sigmoid,
    hard_swish,
    leaky_relu,
    mish,
    relu,
    sigmoid,
    silu,
    softplus,
    tanh,
)
from pyhades.kernels.arithmetic import add, divide, maximum, minimum, multiply, power, subtract
from pyhades.kernels.attention import attention
from pyhades.kernels.bfloat import conv2d_bf16, linear_bf16, max_pool_bf16, narrow_bf16
from pyhades.kernels.conv import conv2d
from pyhades.kernels.cutout import cut_out
from pyhades.kernels.deform import deform_conv2d
from pyhades.kernels.elementwise import clip, erf, exp, log, sqrt
from pyhades.kernels.fold import fold
from pyhades.kernels.gather import gather, gather_elements, gather_nd, scatter_elements, scatter_nd
from pyhades.kernels.gemm import PackedMatrix, gemm, matmul, pack_matrix
from pyhades.kernels.gemm import pack as pack
from pyhades.kernels.grid import grid_sample
from pyhades.kernels.image import composite, normalize_image, png_filter, upscale_mask
from pyhades.kernels.layout import copy, fill, pad, transpose
from pyhades.kernels.moe import embed, moe, top_k
from pyhades.kernels.norm import batch_norm, group_norm, layer_norm, rms_norm
from pyhades.kernels.paged_attention import (
    cache_block_bytes,
    paged_attention,
    rope_store,
    rope_table,
)
from pyhades.kernels.pool import average_pool, max_pool
from pyhades.kernels.qconv import qconv2d, qlinear
from pyhades.kernels.qgemm import (
    pack_weight,
    qgemm,
    qgemm_int8,
    quantize_rows,
    rms_norm_quantize,
)
from pyhades.kernels.ranking import rank
from pyhades.kernels.recurrent import recurrence
from pyhades.kernels.reduce import argmax, argmin, cumsum, reduce
from pyhades.kernels.registry import implementations, selected, supported_tiers, tiers
from pyhades.kernels.requantize import requantize
from pyhades.kernels.resize import resize
from pyhades.kernels.roi import roi_align, roi_max_pool
from pyhades.kernels.sampling import AdjustedTokens, SampledRows, sample, sample_rows
from pyhades.kernels.softmax import log_softmax, softmax
from pyhades.kernels.suppression import suppress
from pyhades.kernels.typed import binary, cast, unary, where
from pyhades.quant import dequantize, from_mxfp4, quantize

__all__ = [
    "AdjustedTokens",
    "PackedMatrix",
    "SampledRows",
    "add",
    "argmax",
    "argmin",
    "attention",
    "average_pool",
    "batch_norm",
    "binary",
    "cache_block_bytes",
    "cast",
    "clip",
    "composite",
    "conv2d",
    "conv2d_bf16",
    "copy",
    "cumsum",
    "cut_out",
    "deform_conv2d",
    "dequantize",
    "divide",
    "embed",
    "erf",
    "exp",
    "fill",
    "fold",
    "from_mxfp4",
    "gather",
    "gather_elements",
    "gather_nd",
    "gelu",
    "gemm",
    "grid_sample",
    "group_norm",
    "hard_sigmoid",
    "hard_swish",
    "implementations",
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
    "pack_matrix",
    "pack_weight",
    "pad",
    "paged_attention",
    "png_filter",
    "power",
    "qconv2d",
    "qgemm",
    "qgemm_int8",
    "qlinear",
    "quantize",
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
    "selected",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "sqrt",
    "subtract",
    "supported_tiers",
    "suppress",
    "tanh",
    "tiers",
    "top_k",
    "transpose",
    "unary",
    "upscale_mask",
    "where",
]
