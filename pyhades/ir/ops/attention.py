"""Attention and what surrounds it: rotary positions, caches of keys and values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyhades.ir.graph import Dim, Node
from pyhades.ir.ops.elementwise import widened
from pyhades.ir.ops.layout import Movement
from pyhades.ir.registry import Array, Operator, attribute, ir_op
from pyhades.ir.shapes import (
    UNKNOWN,
    Shape,
    agree,
    fail,
    normalize_axis,
    product,
    rank_of,
    shape_of,
)
from pyhades.numerics.attention import (
    merge_heads,
    repeat_heads,
    score_stages,
    split_heads,
    visible_band,
)
from pyhades.numerics.rope import turn


def per_head(node: Node, width: Dim, heads: int, what: str) -> Dim:
    """How much of ``width`` one of ``heads`` has."""
    if isinstance(width, str):
        return UNKNOWN
    if heads < 1 or width % heads:
        fail(node, f"the {width} columns of {what} do not divide into {heads} heads")
    return width // heads


def _sum(a: Dim, b: Dim) -> Dim:
    return a + b if isinstance(a, int) and isinstance(b, int) else b if a == 0 else UNKNOWN


@ir_op(
    "Attention",
    "F, F, F1, T?, F?, F1?, int64? -> F, F?, F1?, F?",
    is_causal=0,
    kv_num_heads=None,
    left_window_size=-1,
    q_num_heads=None,
    qk_matmul_output_mode=0,
    right_window_size=-1,
    scale=None,
    softcap=0.0,
    softmax_precision=None,
)
class Attention(Operator):
    """softmax(softcap(scale * q @ k^T) + mask) @ v over heads, with a cache before the keys.

    Operands are [b, heads, tokens, d] or [b, tokens, heads * d]; query heads share key heads in
    order. The precision of the softmax is that of the whole, float32 at least.
    """

    def shapes(self, node: Node) -> list[Shape]:
        q, k, v = (self._split(node, index) for index in range(3))
        agree(node, q[0], k[0], "batches of q and k")
        agree(node, k[1], v[1], "heads of k and v")
        agree(node, q[3], k[3], "head dimensions of q and k")
        agree(node, k[2], v[2], "numbers of keys and values")
        if isinstance(q[1], int) and isinstance(k[1], int) and (k[1] < 1 or q[1] % k[1]):
            fail(node, f"the {q[1]} heads of q are no multiple of the {k[1]} heads of k")
        if (node.input(4) is None) != (node.input(5) is None):
            fail(node, "past_key and past_value come together")
        if node.input(4) is not None and node.input(6) is not None:
            fail(node, "nonpad_kv_seqlen is for caches outside; it excludes past_key")
        past: Dim = 0 if node.input(4) is None else self._past(node, k)
        total = _sum(past, k[2])
        y: Shape = (*q[:3], v[3])
        if rank_of(node, 0) == 3:
            y = (q[0], q[2], product([q[1], v[3]]))
        return [y, (*k[:2], total, k[3]), (*v[:2], total, v[3]), (*q[:3], total)]

    def _past(self, node: Node, k: Shape) -> Dim:
        past = shape_of(node, 4)
        if len(past) != 4:
            fail(node, f"past_key must have rank 4, has {len(past)}")
        for i, what in ((0, "batches"), (1, "heads"), (3, "head dimensions")):
            agree(node, past[i], k[i], f"{what} of past_key and k")
        return past[2]

    def heads(self, node: Node, index: int) -> int:
        """The number of heads of an operand of rank 3."""
        name = "q_num_heads" if index == 0 else "kv_num_heads"
        heads = attribute(node, name)
        if not heads:
            fail(node, f"{name} must be given where operands have rank 3")
        return int(heads)

    def _split(self, node: Node, index: int) -> Shape:
        extents = shape_of(node, index)
        if len(extents) == 4:
            return extents
        if len(extents) != 3:
            fail(node, f"input {index} must have rank 3 or 4, has {len(extents)}")
        heads = self.heads(node, index)
        d = per_head(node, extents[2], heads, f"input {index}")
        return (extents[0], heads, extents[1], d)

    @staticmethod
    def scale(node: Node, d: int) -> float:
        """The factor of the scores."""
        scale = attribute(node, "scale")
        return 1 / math.sqrt(max(d, 1)) if scale is None else float(scale)

    @staticmethod
    def band(node: Node) -> tuple[int | None, int | None]:
        """How many keys before and after its own position a query sees; None: all."""
        bounds = [attribute(node, f"{side}_window_size") for side in ("left", "right")]
        left, right = (None if bound < 0 else int(bound) for bound in bounds)
        return left, 0 if attribute(node, "is_causal") else right

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        *operands, mask, past_key, past_value, lengths = (*inputs, *[None] * 4)[:7]
        rank = operands[0].ndim
        q, k, v = (
            widened(x if x.ndim == 4 else split_heads(x, self.heads(node, index)))
            for index, x in enumerate(operands)
        )
        offset = np.zeros(1, np.int64)
        if past_key is not None:
            offset = offset + past_key.shape[2]
            k = np.concatenate([widened(past_key), k], axis=2)
            v = np.concatenate([widened(past_value), v], axis=2)
        if lengths is not None:
            offset = lengths.reshape(-1) - q.shape[2]
        m, n, heads = q.shape[2], k.shape[2], q.shape[1]
        visible = visible_band(m, n, offset, *self.band(node))
        if lengths is not None:
            visible = visible & (np.arange(n) < lengths.reshape(-1, 1, 1, 1))
        bias = None
        if mask is not None:
            missing = [(0, 0)] * (mask.ndim - 1) + [(0, n - mask.shape[-1])]
            if mask.dtype == np.bool_:
                visible = visible & np.pad(mask, missing)
            else:
                bias = np.pad(widened(mask), missing, constant_values=-np.inf)
        keys, values = repeat_heads(k, heads), repeat_heads(v, heads)
        stages = score_stages(
            q, keys, self.scale(node, q.shape[3]), attribute(node, "softcap"), bias, visible
        )
        y = stages[3].astype(v.dtype) @ values
        y = merge_heads(y) if rank == 3 else y
        results = [y, k, v, stages[attribute(node, "qk_matmul_output_mode")]]
        dtypes = [operands[0].dtype, operands[1].dtype, operands[2].dtype, operands[0].dtype]
        return [x.astype(dtype, copy=False) for x, dtype in zip(results, dtypes, strict=True)]

    def flops(self, node: Node) -> int:
        q, v = self._split(node, 0), self._split(node, 2)
        _, present, _, _ = self.shapes(node)
        scores = int(q[0]) * int(q[1]) * int(q[2]) * int(present[2])
        return 2 * scores * (int(q[3]) + int(v[3]))


@ir_op(
    "RotaryEmbedding",
    "F, F, F, int64? -> F",
    interleaved=0,
    num_heads=0,
    rotary_embedding_dim=0,
)
class RotaryEmbedding(Operator):
    """Turn the first dimensions of each head by the angles of its position.

    Cosines and sines are [b, tokens, half], or tables [positions, half] that the fourth input
    indexes.
    """

    flops_per_element = 3

    def heads(self, node: Node) -> int:
        """The number of heads of an x of rank 3."""
        heads = attribute(node, "num_heads")
        if not heads:
            fail(node, "num_heads must be given where x has rank 3")
        return int(heads)

    def rotated(self, node: Node, d: int) -> int:
        """How many dimensions of a head are turned."""
        return int(attribute(node, "rotary_embedding_dim") or d)

    def shapes(self, node: Node) -> list[Shape]:
        x, cosine = shape_of(node, 0), shape_of(node, 1)
        if len(x) not in (3, 4):
            fail(node, f"x must have rank 3 or 4, has {len(x)}")
        rank = 3 if node.input(3) is None else 2
        if len(cosine) != rank or rank_of(node, 2) != rank:
            fail(node, f"cosines and sines must have rank {rank}, have {len(cosine)}")
        d = x[3] if len(x) == 4 else per_head(node, x[2], self.heads(node), "x")
        if isinstance(d, int):
            turned = self.rotated(node, d)
            if turned % 2 or turned > d:
                fail(node, f"{turned} dimensions cannot be turned of {d}")
            agree(node, cosine[-1], turned // 2, "columns of the cosines and pairs of dimensions")
        return [x]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, cosine, sine, positions = (*inputs, None)[:4]
        heads = widened(x if x.ndim == 4 else split_heads(x, self.heads(node)))
        tables = [
            widened(table if positions is None else table[positions])[:, None]
            for table in (cosine, sine)
        ]
        count = self.rotated(node, heads.shape[-1])
        turned = turn(
            heads[..., :count], tables[0], tables[1], bool(attribute(node, "interleaved"))
        )
        y = np.concatenate([turned, heads[..., count:]], axis=-1)
        return [(y if x.ndim == 4 else merge_heads(y)).astype(x.dtype, copy=False)]


@ir_op("TensorScatter", "T, T, int64? -> T", axis=-2, mode="linear")
class TensorScatter(Movement):
    """A cache with rows along ``axis`` replaced by an update, from a start per batch entry on."""

    def shapes(self, node: Node) -> list[Shape]:
        cache, update = shape_of(node, 0), shape_of(node, 1)
        axis = normalize_axis(node, attribute(node, "axis"), len(cache))
        if len(update) != len(cache) or axis == 0:
            fail(node, f"an update of rank {len(update)} and axis {axis} do not fit the cache")
        if attribute(node, "mode") not in ("linear", "circular"):
            fail(node, f"mode {attribute(node, 'mode')!r} is unknown")
        for i, (have, new) in enumerate(zip(cache, update, strict=True)):
            if i != axis:
                agree(node, have, new, "extents of cache and update")
            elif isinstance(have, int) and isinstance(new, int) and new > have:
                fail(node, f"an update of {new} rows is longer than the cache of {have}")
        return [cache]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        cache, update, starts = (*inputs, None)[:3]
        axis = normalize_axis(node, attribute(node, "axis"), cache.ndim)
        rows, count = cache.shape[axis], update.shape[axis]
        first = np.zeros(cache.shape[0], np.int64) if starts is None else starts
        where = first.reshape(-1, 1) + np.arange(count)
        if attribute(node, "mode") == "circular":
            where %= rows
        elif where.size and not (where.min() >= 0 and where.max() < rows):
            fail(node, f"rows {where.min()} to {where.max()} are outside of the cache of {rows}")
        extents = [cache.shape[0], *[1] * (cache.ndim - 1)]
        extents[axis] = count
        y = cache.copy()
        np.put_along_axis(y, np.broadcast_to(where.reshape(extents), update.shape), update, axis)
        return [y]
