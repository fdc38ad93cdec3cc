"""A small valid call of every kernel wrapper that makes one array."""

from __future__ import annotations

import inspect

import numpy as np

from pyhades import kernels
from pyhades.kernels import activations, elementwise
from pyhades.quant import quantize, to_bf16, to_q8

UNARY = [
    name
    for module in (activations, elementwise)
    for name, function in vars(module).items()
    if inspect.isfunction(function) and function.__module__ == module.__name__
]
BINARY = ["add", "subtract", "multiply", "divide", "minimum", "maximum", "power"]
ARGUMENTS = {"clip": (-1.0, 2.0), "leaky_relu": (0.1,)}

IMAGE = np.ones((1, 2, 4, 4), np.float32)
PHOTO = np.zeros((4, 4, 3), np.uint8)
BYTES = np.arange(32, dtype=np.uint8).reshape(1, 2, 4, 4)
BITS = to_bf16(IMAGE)
COLUMN = np.zeros((4, 1), np.int64)
ROWS = np.linspace(-1, 1, 64, dtype=np.float32).reshape(2, 32)
WEIGHT = kernels.pack_weight(quantize(ROWS, "mxfp4"))
EXPERTS = [
    kernels.pack_weight(quantize(np.full((2, rows, 32), 0.5, np.float32), "mxfp4"), row_order=order)
    for rows, order in [(64, "gate_up"), (32, "plain")]
]
REGIONS = np.float32([[0, 0, 0, 3, 3], [0, 1, 1, 2, 3]])
BIASES = np.ones((2, 64), np.float32), np.ones((2, 32), np.float32)
ROUTES = np.int32([[0, 1], [1, 0]]), np.full((2, 2), 0.5, np.float32)
ANGLES = kernels.rope_table([0, 1], np.ones(8, np.float32))
QKV = np.linspace(-1, 1, 96, dtype=np.float32).reshape(2, 48)
CACHE = np.zeros(kernels.cache_block_bytes(1, 16), np.uint8)
CALLS = {
    **{name: (IMAGE, *ARGUMENTS.get(name, ())) for name in UNARY},
    **dict.fromkeys(BINARY, (IMAGE, IMAGE)),
    "argmax": (IMAGE,),
    "argmin": (IMAGE,),
    "attention": (IMAGE, IMAGE, IMAGE),
    "average_pool": (IMAGE, (2, 2)),
    "batch_norm": (IMAGE, *[np.ones(2, np.float32)] * 4),
    "binary": (IMAGE, IMAGE, "less"),
    "cast": (IMAGE, np.int32),
    "composite": (PHOTO, PHOTO[..., 0], PHOTO),
    "conv2d": (IMAGE, np.ones((3, 2, 3, 3), np.float32)),
    "conv2d_bf16": (BITS, np.full((3, 2, 3, 3), 0x3F80, np.uint16)),
    "copy": (IMAGE,),
    "cumsum": (IMAGE,),
    "cut_out": (PHOTO, PHOTO[..., 0]),
    "deform_conv2d": (IMAGE, np.ones((3, 2, 1, 1), np.float32), IMAGE),
    "embed": (np.int32([1, 0]), to_bf16(ROWS)),
    "fill": ((2, 3), 1.0),
    "fold": (IMAGE[0], (1, 5), (1, 2)),
    "gather": (IMAGE, COLUMN),
    "gather_elements": (IMAGE[0, 0], COLUMN),
    "gather_nd": (IMAGE[0, 0], COLUMN),
    "gemm": (IMAGE[0, 0], IMAGE[0, 0]),
    "grid_sample": (IMAGE, np.zeros((1, 3, 5, 2), np.float32)),
    "group_norm": (IMAGE, 2),
    "layer_norm": (IMAGE,),
    "linear_bf16": (BITS[0, 0], BITS[0, 1]),
    "log_softmax": (IMAGE,),
    "matmul": (IMAGE, IMAGE),
    "max_pool": (IMAGE, (2, 2)),
    "max_pool_bf16": (BITS, (2, 2)),
    "moe": (ROWS, *ROUTES, EXPERTS[0], BIASES[0], EXPERTS[1], BIASES[1]),
    "narrow_bf16": (IMAGE,),
    "normalize_image": (PHOTO, (2, 2)),
    "pad": (IMAGE, [(1, 1)] * 4),
    "paged_attention": (QKV[:, :16], CACHE, [[0]], [0, 2], [2]),
    "png_filter": (PHOTO[..., 0], 1),
    "qconv2d": (BYTES, np.ones((3, 2, 3, 3), np.int8), np.full(3, 0.5, np.float32)),
    "qgemm": (ROWS, WEIGHT),
    "qgemm_int8": (to_q8(ROWS), WEIGHT),
    "qlinear": (BYTES[0, 0], np.ones((4, 3), np.int8), np.full(3, 0.5, np.float32)),
    "quantize_rows": (ROWS,),
    "reduce": (IMAGE, "sum", 1),
    "requantize": (BYTES, 0.5, 3, 0.25, 7),
    "resize": (IMAGE, (8, 8)),
    "rms_norm": (IMAGE,),
    "rms_norm_quantize": (ROWS, np.ones(32, np.float32)),
    "roi_align": (IMAGE, REGIONS[:, 1:], np.int64([0, 0]), (2, 3)),
    "roi_max_pool": (IMAGE, REGIONS, (2, 3)),
    "rope_store": (QKV, ANGLES, CACHE, [0, 1]),
    "rope_table": ([0, 1], np.ones(8, np.float32)),
    "sample": (np.float32([[1, 3, 2]]), 1.0, 0.5),
    "scatter_elements": (IMAGE[0, 0], COLUMN, IMAGE[0, 0, :, :1]),
    "scatter_nd": (IMAGE[0, 0], COLUMN, IMAGE[0, 0]),
    "softmax": (IMAGE,),
    "transpose": (IMAGE,),
    "unary": (IMAGE, "neg"),
    "upscale_mask": (IMAGE[0, 0], (8, 8)),
    "where": ([True], IMAGE, IMAGE),
}


KEYWORDS = {
    "paged_attention": {"kv_heads": 1, "head_dim": 16},
    "rope_store": {"heads": 1, "kv_heads": 1},
}
