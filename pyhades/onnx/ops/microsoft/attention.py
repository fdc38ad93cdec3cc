"""Attention by its projections, by heads, with masks of several forms; rotary positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.errors import ModelError
from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.translate import MICROSOFT, OnnxNode, onnx_op


def _rank(node: OnnxNode, index: int) -> int:
    shape = node.shape(index)
    if shape is None:
        raise node.unsupported(f"the rank of input {index} is unknown; export with a fixed rank")
    return len(shape)


def _refuse(node: OnnxNode, names: tuple[str, ...], indices: tuple[int, ...]) -> None:
    for name in names:
        if node.attributes.get(name):
            raise node.unsupported(f"attribute {name} is not supported")
    for index in indices:
        if node.optional(index) is not None:
            raise node.unsupported(f"input {index} is for text generation, which is not supported")


class _Mask:
    """What is added to the scores, and how many keys exist, from the masks of a node."""

    def __init__(self, node: OnnxNode, graph: GraphBuilder, index: int, bias: int) -> None:
        self.node, self.graph = node, graph
        self.addend = node.optional(bias)
        self.lengths: Value | None = None
        if node.optional(index) is not None:
            self._read(index)

    def _read(self, index: int) -> None:
        """1 or more keeps a key; of rank 1 it is the number of keys that exist."""
        graph, mask, rank = self.graph, self.node.input(index), _rank(self.node, index)
        if rank == 1:
            self.lengths = self._one_per_batch(mask, index)
            return
        if rank == 4:
            raise self.node.unsupported("a mask of [batch, 1, longest, longest] is not supported")
        kept = graph.one("Greater", mask, graph.constant(0, self.node.dtype(index)))
        kept = graph.one("Unsqueeze", kept, graph.integers([1, 2] if rank == 2 else [1]))
        dtype = self.node.dtype(0)
        fill = self.node.attributes.get("mask_filter_value", -10000.0)
        hidden = graph.one("Where", kept, graph.constant(0, dtype), graph.constant(fill, dtype))
        self.addend = hidden if self.addend is None else graph.one("Add", hidden, self.addend)

    def _one_per_batch(self, mask: Value, index: int) -> Value:
        batch, shape = self.node.shape(0), self.node.shape(index)
        assert shape is not None
        if batch is not None and isinstance(shape[0], int) and shape[0] != batch[0]:
            raise self.node.unsupported(
                f"a mask of {shape[0]} numbers (starts, or packed tokens) is not supported"
            )
        if self.node.attributes.get("unidirectional"):
            raise self.node.unsupported("numbers of keys with causal attention are not supported")
        return self.graph.one("Cast", mask, to=np.dtype(np.int64))


def _attributes(node: OnnxNode) -> dict[str, Any]:
    heads, scale = node.attributes.get("num_heads"), node.attributes.get("scale")
    if not heads:
        raise ModelError(f"{node.where}: attribute 'num_heads' is missing")
    attributes = {
        "q_num_heads": heads,
        "kv_num_heads": heads,
        "is_causal": node.attributes.get("unidirectional", 0),
    }
    return attributes if not scale else {**attributes, "scale": scale}


@onnx_op("MultiHeadAttention", since=1, domain=MICROSOFT)
def multi_head_attention(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Projected queries, keys and values, flat, packed, or by heads already."""
    _refuse(node, (), (8, 9))
    mask = _Mask(node, graph, 4, 5)
    q, k, v = _operands(node, graph)
    attributes = _attributes(node)
    inputs = [q, k, v, mask.addend, node.optional(6), node.optional(7), mask.lengths]
    count = len(node.output_names)
    return graph.emit("Attention", inputs, {**attributes, "qk_matmul_output_mode": 3}, count)


def _operands(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """q, k and v as [b, tokens, heads * d], biased."""
    q, k, v, bias = (node.optional(index) for index in range(4))
    if _rank(node, 0) == 5:
        operands = _unpacked(node, graph, 0, 3)
    elif k is not None and _rank(node, 1) == 5:
        operands = [node.input(0), *_unpacked(node, graph, 1, 2)]
    elif k is None or v is None or q is None:
        raise ModelError(f"{node.where}: key and value are missing")
    else:
        operands = [q, *(_flat(node, graph, index) for index in (1, 2))]
    if bias is None:
        return operands
    q_size, v_size = (_width(node, x, i) for i, x in ((0, operands[0]), (2, operands[2])))
    sizes = graph.integers([q_size, q_size, v_size])
    parts = graph.emit("Split", [bias, sizes], {"axis": 0}, 3)
    # Keys and values by heads come from an encoder, biased already.
    by_heads = k is not None and _rank(node, 1) == 4
    return [
        x if by_heads and i else graph.one("Add", x, part)
        for i, (x, part) in enumerate(zip(operands, parts, strict=True))
    ]


def _width(node: OnnxNode, x: Value, index: int) -> int:
    width = None if x.type is None or x.type.shape is None else x.type.shape[-1]
    if not isinstance(width, int):
        raise node.unsupported(f"the width of operand {index} is unknown; export with a fixed one")
    return width


def _flat(node: OnnxNode, graph: GraphBuilder, index: int) -> Value:
    """[b, heads, tokens, d] as [b, tokens, heads * d]; what has rank 3 as it is."""
    if _rank(node, index) == 3:
        return node.input(index)
    turned = graph.one("Transpose", node.input(index), perm=[0, 2, 1, 3])
    return graph.one("Reshape", turned, graph.integers([0, 0, -1]))


def _unpacked(node: OnnxNode, graph: GraphBuilder, index: int, count: int) -> list[Value]:
    """[b, tokens, heads, count, d] as ``count`` of [b, tokens, heads * d]."""
    parts = graph.emit("Split", [node.input(index)], {"axis": 3, "num_outputs": count}, count)
    return [graph.one("Reshape", part, graph.integers([0, 0, -1])) for part in parts]


@onnx_op("Attention", since=1, domain=MICROSOFT)
def attention(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """One matrix projects to queries, keys and values."""
    _refuse(node, ("do_rotary", "past_present_share_buffer"), (6,))
    mask, attributes = _Mask(node, graph, 3, 5), _attributes(node)
    packed = graph.one("MatMul", node.input(0), node.input(1))
    bias = node.optional(2)
    if bias is not None:
        packed = graph.one("Add", packed, bias)
    width = _width(node, node.input(1), 1)
    sizes = node.attributes.get("qkv_hidden_sizes") or [width // 3] * 3
    parts = graph.emit("Split", [packed, graph.integers(sizes)], {"axis": 2}, 3)
    past: list[Value | None] = [None, None]
    if node.optional(4) is not None:
        halves = graph.emit("Split", [node.input(4)], {"axis": 0, "num_outputs": 2}, 2)
        past = [graph.one("Squeeze", half, graph.integers([0])) for half in halves]
    inputs = [*parts, mask.addend, *past, mask.lengths]
    if len(node.output_names) == 1:
        return graph.emit("Attention", inputs, attributes)
    y, *present = graph.emit("Attention", inputs, attributes, 3)
    stacked = [graph.one("Unsqueeze", x, graph.integers([0])) for x in present]
    return [y, graph.emit("Concat", stacked, {"axis": 0})[0]]


@onnx_op("RotaryEmbedding", since=1, domain=MICROSOFT)
def rotary_embedding(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The positions are the second input: one each, or that of the first token."""
    _refuse(node, ("is_packed_batching",), ())
    if node.attributes.get("scale", 1.0) != 1.0:
        raise node.unsupported("a scale is not supported")
    x, cosine, sine = node.input(0), node.input(2), node.input(3)
    attributes = {
        "interleaved": node.attributes.get("interleaved", 0),
        "rotary_embedding_dim": node.attributes.get("rotary_embedding_dim", 0),
        "num_heads": node.attributes.get("num_heads", 0) or _heads(node),
    }
    positions = node.input(1)
    if _rank(node, 1) == 1:
        positions = _following(node, graph)
    return graph.emit("RotaryEmbedding", [x, cosine, sine, positions], attributes)


def _heads(node: OnnxNode) -> int:
    """How many heads there are if the tables turn all of each."""
    if _rank(node, 0) == 4:
        return 0
    return _width(node, node.input(0), 0) // (2 * _width(node, node.input(2), 2))


def _following(node: OnnxNode, graph: GraphBuilder) -> Value:
    """Positions [b, tokens] from that of the first token on."""
    extents = graph.one("Shape", node.input(0))
    axis = 1 if _rank(node, 0) == 3 else 2
    batch = graph.one("Gather", extents, graph.integers([0]))
    count = graph.one("Gather", extents, graph.constant(axis, np.int64))
    bounds = (graph.constant(0, np.int64), count, graph.constant(1, np.int64))
    steps = graph.one("Add", graph.one("Range", *bounds), node.input(1))
    target = graph.one("Concat", batch, graph.one("Reshape", count, graph.integers([1])), axis=0)
    return graph.one("Expand", steps, target)
