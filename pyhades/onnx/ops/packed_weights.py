"""Products with weights of a few bits each, packed into bytes, that are floats otherwise.

The bytes are unpacked by operators, which are folded where the weights are constant.
"""

from __future__ import annotations

import math

import numpy as np

from pyhades.errors import ModelError
from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.ops.on_grid import in_float32, rank
from pyhades.onnx.translate import MICROSOFT, OnnxNode, onnx_op

_FP4 = (0.0, 0.005208333333, 0.66666667, 1.0, 0.33333333, 0.5, 0.16666667, 0.25)
_NF4 = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
    *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
    *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
    *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)
_BNB4_TABLES = {0: (*_FP4, *(-number for number in _FP4)), 1: _NF4}
"""What the codes of bitsandbytes stand for, by ``quant_type``."""


def _required(node: OnnxNode, name: str) -> int:
    value = node.attributes.get(name)
    if not isinstance(value, int) or value < 1:
        raise ModelError(f"{node.where}: attribute {name!r} is {value!r}, no positive number")
    return value


def _check_packed(node: OnnxNode, elements: int) -> None:
    """What the attributes say must be there: tables are made by them."""
    shape = node.shape(1)
    if shape is None or not all(isinstance(extent, int) for extent in shape):
        raise node.unsupported("the shape of the weight is unknown; store it in the file")
    have = math.prod(int(extent) for extent in shape)
    if have < elements:
        raise ModelError(
            f"{node.where}: the weight has {have} bytes, its attributes ask for {elements}"
        )


def _unpack(graph: GraphBuilder, data: Value, bits: int, high_first: bool = False) -> Value:
    """[..., bytes] as [..., bytes, codes per byte], uint8; the lowest bits come first."""
    if bits == 8:
        return data
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    shifts = shifts[::-1].copy() if high_first else shifts
    apart = graph.one("Unsqueeze", data, graph.integers([-1]))
    shifted = graph.one("BitShift", apart, graph.constant(shifts), direction="RIGHT")
    codes = graph.one("BitwiseAnd", shifted, graph.constant((1 << bits) - 1, np.uint8))
    return codes


def _rows(graph: GraphBuilder, codes: Value, rows: int, count: int) -> Value:
    """[rows, count] of codes that are stored row by row, each row filled up."""
    table = graph.one("Reshape", codes, graph.integers([rows, -1]))
    bounds = (graph.integers([number]) for number in (0, count, 1))
    return graph.one("Slice", table, *bounds)


@onnx_op("MatMulNBits", since=1, domain=MICROSOFT)
def matmul_nbits(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Rows [..., k] times a weight [n, k] whose rows are blocks with a scale each."""
    n, k, block = (_required(node, name) for name in ("N", "K", "block_size"))
    bits = node.attributes.get("bits", 4)
    if bits not in (2, 4, 8):
        raise node.unsupported(f"weights of {bits} bits; quantise the model to 2, 4 or 8")
    blocks = -(-k // block)
    _check_packed(node, -(-n * k * bits // 8))
    if block > 1 << 16:
        raise ModelError(f"{node.where}: block_size {block} is no size of a block")
    q = _rows(graph, _unpack(graph, node.input(1), bits), n, k)
    scales = _rows(graph, in_float32(graph, node.input(2)), n, blocks)
    weight = _block_weight(node, graph, q, scales, bits, (n, blocks, block))
    columns = graph.one("Transpose", weight, perm=[1, 0])
    y = graph.one("MatMul", in_float32(graph, node.input(0)), columns)
    bias = node.optional(5)
    if bias is not None:
        y = graph.one("Add", y, in_float32(graph, bias))
    return [y if node.dtype(0) == np.float32 else graph.one("Cast", y, to=node.dtype(0))]


def _block_weight(
    node: OnnxNode,
    graph: GraphBuilder,
    q: Value,
    scales: Value,
    bits: int,
    sizes: tuple[int, int, int],
) -> Value:
    """The weight [n, k] in float32."""
    n, blocks, block = sizes
    zero, groups = node.optional(3), node.optional(4)
    grid = {"axis": 1, "block_size": block, "storage": f"uint{bits}"}
    if zero is None:
        point = graph.constant(1 << (bits - 1), np.uint8)
    elif node.dtype(3).kind == "f":
        point = _rows(graph, in_float32(graph, zero), n, blocks)
    else:
        point = _rows(graph, _unpack(graph, zero, bits), n, blocks)
    is_float = zero is not None and node.dtype(3).kind == "f"
    if groups is None and not is_float:
        return graph.emit("DequantizeLinear", [q, scales, point], grid)[0]
    # Scales that go with the columns in another order, or points between the integers: no grid.
    if groups is None:
        groups = graph.constant(np.arange(blocks * block) // block, np.int64)
        k = node.attributes["K"]
        groups = graph.one("Slice", groups, graph.integers([0]), graph.integers([k]))
    wide = graph.one("Gather", scales, groups, axis=1)
    point = in_float32(graph, point)
    if zero is not None:
        point = graph.one("Gather", point, groups, axis=1)
    return graph.one("Mul", graph.one("Sub", in_float32(graph, q), point), wide)


@onnx_op("MatMulBnb4", since=1, domain=MICROSOFT)
def matmul_bnb4(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Rows [..., k] times a weight [n, k] of codes of 4 bits, the higher first, from a table."""
    n, k, block = (_required(node, name) for name in ("N", "K", "block_size"))
    kind = node.attributes.get("quant_type", 1)
    if kind not in _BNB4_TABLES:
        raise ModelError(f"{node.where}: quant_type {kind} is neither 0 (FP4) nor 1 (NF4)")
    _check_packed(node, -(-n * k // 2))
    codes = _unpack(graph, node.input(1), 4, high_first=True)
    count = graph.integers([n * k])
    flat = graph.one("Reshape", codes, graph.integers([-1]))
    flat = graph.one("Slice", flat, graph.integers([0]), count)
    table = graph.constant(_BNB4_TABLES[kind], np.float32)
    values = graph.one("Gather", table, graph.one("Cast", flat, to=np.dtype(np.int32)))
    of = graph.constant(np.arange(n * k) // block, np.int64)
    largest = graph.one("Gather", in_float32(graph, node.input(2)), of)
    weight = graph.one("Reshape", graph.one("Mul", values, largest), graph.integers([n, k]))
    if node.attributes.get("transB", 1):
        weight = graph.one("Transpose", weight, perm=[1, 0])
    y = graph.one("MatMul", in_float32(graph, node.input(0)), weight)
    return [y if node.dtype(0) == np.float32 else graph.one("Cast", y, to=node.dtype(0))]


@onnx_op("GatherBlockQuantized", since=1, domain=MICROSOFT)
def gather_block_quantized(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Rows of a table whose numbers are integers, with scales for blocks along an axis."""
    bits, data = node.attributes.get("bits", 4), node.input(0)
    zero = node.optional(3)
    axis = node.attributes.get("quantize_axis", 1) % rank(node, 0)
    storage = node.element(0).name
    if storage == "uint8":
        storage = f"uint{bits}"
        data = _unpacked(node, graph, 0, bits)
        if zero is None:
            zero = graph.constant(1 << (bits - 1), np.uint8)
        else:
            ends = graph.one("Slice", graph.one("Shape", node.input(2)), *_last(graph))
            bounds = (graph.integers([0]), ends, graph.integers([-1]))
            zero = graph.one("Slice", _unpacked(node, graph, 3, bits), *bounds)
    grid = {"axis": axis, "block_size": node.attributes.get("block_size", 128), "storage": storage}
    inputs = [data, in_float32(graph, node.input(2)), zero]
    (table,) = graph.emit("DequantizeLinear", inputs, {**grid, "to": node.dtype(2)})
    return [graph.one("Gather", table, node.input(1), axis=node.attributes.get("gather_axis", 0))]


def _last(graph: GraphBuilder) -> tuple[Value, Value]:
    """Bounds of the last element of a vector."""
    return graph.integers([-1]), graph.integers([np.iinfo(np.int64).max])


def _unpacked(node: OnnxNode, graph: GraphBuilder, index: int, bits: int) -> Value:
    """Input ``index``, whose last axis is packed, as codes along that axis."""
    if bits == 8:
        return node.input(index)
    joined = [*[0] * (rank(node, index) - 1), -1]
    codes = _unpack(graph, node.input(index), bits)
    return graph.one("Reshape", codes, graph.integers(joined))
