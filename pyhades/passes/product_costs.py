"""What products cost in float32 and in bfloat16, estimated from their shapes alone.

Costs count multiply-adds of float32 at the peak of a CPU that has products of bfloat16, whichever
CPU this is. Those of float32 are of the algorithm that its kernels choose with AVX-512: see
csrc/kernels/conv/plan.cpp, which has the same model. Measured on Zen 4 and, what is float32, on
Cascade Lake.
"""

from __future__ import annotations

import math

from pyhades.ir.graph import Node
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.decompose.rule import source

_LANES = 16
_FLOAT = 1 / 0.8
_NARROW = 1 / 1.7
"""The instruction does two products in the time of one of float32."""
_WEIGHT = 2 * _LANES * 4 / 3.4
"""Of one of float32, which comes from memory."""
_FEW_OUTPUTS = 4
_DOT = 4
"""Of a product, where few outputs leave most lanes idle: then lanes are input channels."""
_CONVERSION = 12
"""Of an element that is read as float32 and stored as bfloat16."""

# Winograd's algorithm, of a tile and a pair of channels.
_TILE = 4
_PLANES = 36
_PRODUCTS = _PLANES / 0.9
_SHORT_PRODUCTS = _PLANES / 0.55
_TRANSFORM = 2 * 200
"""Of a tile and a channel."""
_FAR_WEIGHTS = 4 << 20
"""Bytes of transformed filters, above which they are transformed for every chunk."""
_CHUNK = 50
_FILTER = 2 * 100
"""Of a chunk."""
_GAINED = 1.25


def product_costs(node: Node) -> tuple[float, float]:
    """Of a ``FusedConv`` or ``FusedMatMul`` in float32 and in bfloat16."""
    return _conv_costs(node) if node.op == "FusedConv" else _matmul_costs(node)


def conversion_cost(node: Node) -> float:
    """Of rounding what a product reads to bfloat16."""
    return _CONVERSION * math.prod(shape(source(node)))


def _padded(channels: int, multiple: int) -> int:
    return -(-channels // multiple) * multiple


def _costs(pixels: int, inputs: int, outputs: int) -> tuple[float, float]:
    """Of direct products of so many inputs for each output and pixel."""
    floating = inputs * outputs * (pixels * _FLOAT + _WEIGHT)
    return floating, _padded(inputs, 2) * outputs * (pixels * _NARROW + _WEIGHT / 2)


def _matmul_costs(node: Node) -> tuple[float, float]:
    a, b = shape(source(node)), shape(source(node, 1))
    return _costs(math.prod(a[:-1]), b[0], _padded(b[1], _LANES))


def _conv_costs(node: Node) -> tuple[float, float]:
    w, y = shape(source(node, 1)), shape(node.outputs[0])
    groups = int(attribute(node, "group"))
    pixels, taps = y[0] * math.prod(y[2:]), math.prod(w[2:])
    lanes = groups * _padded(w[0] // groups, _LANES)
    floating, narrow = _costs(pixels, taps * w[1], lanes)
    products = pixels * taps * w[1] * w[0]
    if w[1] == 1 and groups > 1:
        return products * _FLOAT, narrow  # lanes are channels: none of them idles
    if w[0] // groups <= _FEW_OUTPUTS:
        return min(products * _DOT, floating), narrow
    if tuple(w[2:]) == (3, 3) and groups == 1 and set(attribute(node, "strides") or [1]) == {1}:
        winograd, feared = (w[1] * lanes * cost for cost in _winograd_costs(node))
        floating = winograd if feared * _GAINED <= floating else floating
    return floating, narrow


def _winograd_costs(node: Node) -> tuple[float, float]:
    """Of a pair of channels of a 3x3 convolution, and what the kernels choose by.

    They count filters that are transformed ahead as if from memory. Few stay in the cache.
    """
    w, y = shape(source(node, 1)), shape(node.outputs[0])
    inputs, outputs = (_padded(channels, _LANES) for channels in (w[1], w[0]))
    tiles = y[0]
    for extent, dilation in zip(y[2:], attribute(node, "dilations") or [1, 1], strict=True):
        tiles *= dilation * -(-extent // (_TILE * dilation))
    transforms = _TRANSFORM * (inputs + outputs) / (w[1] * outputs)
    if 4 * _PLANES * w[0] * w[1] <= _FAR_WEIGHTS:
        cost = tiles * (_PRODUCTS + transforms)
        return cost, cost + _PLANES * _WEIGHT
    chunks = -(-tiles // _CHUNK)
    cost = tiles * (_SHORT_PRODUCTS + transforms) + chunks * (_FILTER + 9 * _WEIGHT)
    return cost, cost
