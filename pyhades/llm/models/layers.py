"""The vocabulary that models are written in: one function per native operator of language models.

Activations that enter a matrix product are *rows*: int8 blocks of 32 with their scales ("q8"), or
bfloat16 ("bf16", as uint16). The residual stream is float32. See
docs/reference/native_operators.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pyhades.compiler.view import Array, View
from pyhades.llm.models.gpt_oss.config import GptOssConfig
from pyhades.llm.models.step import StepBuilder
from pyhades.llm.models.weights import Embedding, Experts, Linear
from pyhades.quant import PackedWeight, q8_row_bytes

CACHE_BLOCK = 16
"""Tokens per block of the KV cache."""


@dataclass(frozen=True)
class Batch:
    """What is bound to every step, besides the caches.

    Attributes
    ----------
    counts
        int32 ``[4]``: tokens, sequences, wanted rows of logits, 0.
    tokens, positions
        int32 ``[tokens]``.
    first_token
        int32 ``[sequences + 1]``: where the tokens of each sequence begin, then their number.
    lengths
        int32 ``[sequences]``: tokens in the cache, those of this step included.
    wanted
        int32 ``[wanted]``: the rows whose logits are computed.
    """

    counts: View
    tokens: View
    positions: View
    first_token: View
    lengths: View
    wanted: View

    @property
    def rows(self) -> View:
        """Number of tokens, int32 ``[1]``."""
        return self.counts.slice(0, 0, 1)

    @property
    def wanted_rows(self) -> View:
        """Number of wanted rows, int32 ``[1]``."""
        return self.counts.slice(0, 2, 1)


@dataclass(frozen=True)
class Cache:
    """The KV cache of one kind of layer, as bound to a step.

    Attributes
    ----------
    pool
        uint8 ``[layers, bytes per layer]``.
    slots
        int32 ``[tokens]``: where each token of the step is stored.
    block_table
        int32 ``[sequences, blocks]``: the block that holds tokens 16 i to 16 i + 15.
    """

    pool: View
    slots: View
    block_table: View

    def of_layer(self, index: int) -> View:
        """The memory of one layer, uint8 ``[bytes per layer]``."""
        return replace(self.pool.slice(0, index, 1), shape=(self.pool.shape[1],), strides=(1,))


class Layers:
    """Operators on the rows of a batch: on its tokens, or on those whose logits are wanted."""

    def __init__(self, step: StepBuilder, batch: Batch, activations: str) -> None:
        self.step = step
        self.batch = batch
        self.activations = activations
        self.rows_in_use = batch.rows

    def rows(self, count: int, k: int, activations: str | None = None) -> View:
        """Memory for activations of ``k`` columns that enter a matrix product."""
        if (activations or self.activations) == "bf16":
            return self.step.scratch((count, k), np.uint16)
        return self.step.scratch((count, q8_row_bytes(k)), np.uint8)

    def embed(self, table: Embedding) -> View:
        """Rows of ``table``: float32 ``[tokens, hidden_size]``."""
        x = self.step.scratch((self.step.limits.tokens, table.values.shape[1]))
        scales = None if table.scales is None else self.step.resident(table.scales)
        inputs = [self.batch.rows, self.batch.tokens, self.step.resident(table.values), scales]
        self.step.emit("embed", inputs, [x], "embed_tokens")
        return x

    def activations_for(self, *weights: PackedWeight) -> str:
        """What enters products with ``weights``: integer kernels take integer weights only."""
        is_wide = any(weight.format in ("bf16", "f32") for weight in weights)
        return "bf16" if is_wide else self.activations

    def rms_norm(
        self, x: View, weight: Array, epsilon: float, label: str, *,
        activations: str | None = None, also_bf16: bool = False,
    ) -> tuple[View, View | None]:  # fmt: skip
        """Normalised rows; with ``also_bf16`` in bfloat16 besides."""
        count, k = x.shape
        a = self.rows(count, k, activations)
        is_bf16 = a.dtype == np.uint16
        also = self.rows(count, k, "bf16") if also_bf16 and not is_bf16 else None
        inputs = [self.rows_in_use, x, self.step.resident(weight)]
        self.step.emit("rms_norm_quantize", inputs, [a, also], label, epsilon=epsilon)
        return a, (a if is_bf16 else also)

    def quantize(self, x: View, label: str, activations: str | None = None) -> View:
        """Rows that can enter a matrix product."""
        count, k = x.shape
        a = self.rows(count, k, activations)
        self.step.emit("quantize_rows", [self.rows_in_use, x], [a], label)
        return a

    def linear(
        self,
        a: View,
        linear: Linear,
        label: str,
        *,
        residual: View | None = None,
        into: View | None = None,
    ) -> View:
        """``a @ weight.T + bias + residual``: float32 ``[rows, n]``, over the residual if given."""
        n, k = linear.weight.shape
        y = into or residual or self.step.scratch((a.shape[0], n))
        bias = None if linear.bias is None else self.step.resident(linear.bias)
        weight = self.step.resident(linear.weight.data)
        inputs = [self.rows_in_use, a, weight, bias, residual]
        self.step.emit("qgemm", inputs, [y], label, format=linear.weight.format, n=n, k=k)
        return y

    def rope_table(self, inverse_frequencies: Array, attention_factor: float) -> View:
        """Cosines, then sines, of every token's angles: float32 ``[tokens, head_dim]``."""
        table = self.step.scratch((self.step.limits.tokens, 2 * inverse_frequencies.size))
        inputs = [self.batch.rows, self.batch.positions, self.step.resident(inverse_frequencies)]
        self.step.emit(
            "rope_table", inputs, [table], "rotary", attention_factor=float(attention_factor)
        )
        return table

    def rope_and_store(self, qkv: View, table: View, cache: Cache, layer: int, c: GptOssConfig,
                       kv_format: str) -> View:  # fmt: skip
        """Rotate queries and keys; store keys and values; queries ``[tokens, query_size]``."""
        q = qkv.slice(1, 0, c.query_size)
        pool = cache.of_layer(layer)
        inputs = [self.batch.rows, qkv, table, cache.slots]
        self.step.emit(
            "rope_store", inputs, [q, pool], "rope", heads=c.num_attention_heads,
            kv_heads=c.num_key_value_heads, head_dim=c.head_dim, kv_format=kv_format,
        )  # fmt: skip
        return q

    def attention(self, q: View, cache: Cache, layer: int, sinks: Array, c: GptOssConfig,
                  window: int, kv_format: str) -> View:  # fmt: skip
        """Attention of the step's queries over the cache: float32 ``[tokens, query_size]``."""
        o = self.step.scratch(q.shape)
        inputs = [
            self.batch.counts, q, cache.of_layer(layer), cache.block_table,
            self.batch.first_token, self.batch.lengths, self.step.resident(sinks),
        ]  # fmt: skip
        self.step.emit(
            "paged_attention", inputs, [o], "attend", kv_heads=c.num_key_value_heads,
            head_dim=c.head_dim, scale=c.head_dim**-0.5, window=window, kv_format=kv_format,
        )  # fmt: skip
        return o

    def top_k(self, logits: View, ids: View) -> tuple[View, View]:
        """Indices of the largest, into ``ids``, and the softmax over them, float32."""
        weights = self.step.scratch(ids.shape)
        self.step.emit("top_k", [self.rows_in_use, logits], [ids, weights], "top_k")
        return ids, weights

    def moe(self, a: View, ids: View, weights: View, gate_up: Experts, down: Experts,
            residual: View, c: GptOssConfig) -> View:  # fmt: skip
        """Add the chosen experts' clamped SwiGLU networks to ``residual``, in place."""
        inputs = [
            self.batch.rows, a, ids, weights,
            self.step.resident(gate_up.weight.data), self.step.resident(gate_up.bias),
            self.step.resident(down.weight.data), self.step.resident(down.bias), residual,
        ]  # fmt: skip
        self.step.emit(
            "moe", inputs, [residual], "experts", experts=gate_up.weight.shape[0],
            hidden_size=c.hidden_size, intermediate_size=c.intermediate_size,
            gate_up_format=gate_up.weight.format, down_format=down.weight.format,
            alpha=c.swiglu_alpha, limit=c.swiglu_limit,
        )  # fmt: skip
        return residual

    def select_wanted(self, x: View) -> View:
        """The rows of ``x`` whose logits are wanted; what follows works on those."""
        y = self.step.scratch((self.step.limits.wanted, x.shape[1]))
        inputs = [self.batch.wanted_rows, x, self.batch.wanted]
        self.step.emit("gather_rows", inputs, [y], "wanted")
        self.rows_in_use = self.batch.wanted_rows
        return y
