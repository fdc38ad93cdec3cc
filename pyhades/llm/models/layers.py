"""The vocabulary that models are written in: one function per native operator of language models.

Activations that enter a matrix product are *rows*: int8 blocks of 32 with their scales ("q8"), or
bfloat16 ("bf16", as uint16). The residual stream is float32. See
docs/reference/native_operators.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pyhades.compiler.view import Array, View
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.head import Head
from pyhades.llm.models.step import StepBuilder
from pyhades.llm.models.weights import Embedding, Experts, Linear, Vector
from pyhades.quant import TILE, PackedWeight, q8_row_bytes

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

    @classmethod
    def bound_to(cls, step: StepBuilder) -> Batch:
        """The bindings of a step, by the names of the fields."""
        limits = step.limits
        sizes = {
            "counts": 4, "tokens": limits.tokens, "positions": limits.tokens,
            "first_token": limits.sequences + 1, "lengths": limits.sequences,
            "wanted": limits.wanted,
        }  # fmt: skip
        return cls(**{name: step.bound(name, (size,), np.int32) for name, size in sizes.items()})

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

    @classmethod
    def bound_to(cls, step: StepBuilder, kind: str, shape: tuple[int, int], blocks: int) -> Cache:
        """The bindings of a step for a kind of layer, ``full_attention.slots`` for example."""
        limits = step.limits
        return cls(
            step.bound(f"{kind}.pool", shape, np.uint8),
            step.bound(f"{kind}.slots", (limits.tokens,), np.int32),
            step.bound(f"{kind}.block_table", (limits.sequences, blocks), np.int32),
        )

    def of_layer(self, index: int) -> View:
        """The memory of one layer, uint8 ``[bytes per layer]``."""
        return replace(self.pool.slice(0, index, 1), shape=(self.pool.shape[1],), strides=(1,))


@dataclass(frozen=True)
class Place:
    """Where a layer keeps its keys and values: the cache of its kind, and its number there."""

    cache: Cache
    index: int

    @property
    def memory(self) -> View:
        """Of the layer, uint8 ``[bytes]``."""
        return self.cache.of_layer(self.index)


def places_of(config: ModelConfig, caches: Mapping[str, Cache]) -> list[Place]:
    """The place of every layer."""
    taken = dict.fromkeys(caches, 0)
    places = []
    for kind in config.layer_types:
        places.append(Place(caches[kind], taken[kind]))
        taken[kind] += 1
    return places


def bind_choices(step: StepBuilder, config: ModelConfig) -> list[View]:
    """Where routers write which experts they chose, a matrix per layer, bound as ``chosen``."""
    tokens, k = step.limits.tokens, config.num_experts_per_tok
    chosen = step.bound("chosen", (config.num_hidden_layers, tokens, k), np.int32)
    return [
        replace(chosen.slice(0, index, 1), shape=(tokens, k), strides=(k, 1))
        for index in range(config.num_hidden_layers)
    ]


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

    def norm_heads(self, x: View, weight: Array, epsilon: float, label: str) -> View:
        """Every head of ``x`` normalised by itself, in place."""
        inputs = [self.batch.rows, x, self.step.resident(weight)]
        self.step.emit("rms_norm_heads", inputs, [x], label, epsilon=epsilon)
        return x

    def rope_and_store(self, qkv: View, table: View, place: Place, c: ModelConfig,
                       kv_format: KvFormat) -> View:  # fmt: skip
        """Rotate queries and keys; store keys and values; queries ``[tokens, query_size]``."""
        q = qkv.slice(1, 0, c.query_size)
        pool = place.memory
        inputs = [self.batch.rows, qkv, table, place.cache.slots]
        self.step.emit(
            "rope_store", inputs, [q, pool], "rope", heads=c.num_attention_heads,
            kv_heads=c.num_key_value_heads, head_dim=c.head_dim, kv_format=kv_format,
        )  # fmt: skip
        return q

    def attention(self, q: View, place: Place, c: ModelConfig, kv_format: KvFormat, *,
                  sinks: Array | None = None, window: int = 0) -> View:  # fmt: skip
        """Attention of the step's queries over the cache: float32 ``[tokens, query_size]``.

        With a window, a query sees so many tokens, itself included.
        """
        o = self.step.scratch(q.shape)
        inputs = [
            self.batch.counts, q, place.memory, place.cache.block_table, self.batch.first_token,
            self.batch.lengths, None if sinks is None else self.step.resident(sinks),
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
            residual: View, c: ModelConfig, **activation: Any) -> View:  # fmt: skip
        """Add the chosen experts' gated networks to ``residual``, in place.

        ``activation`` are attributes of the native operator: ``activation="swiglu"`` for example.
        """
        inputs: list[View | None] = [self.batch.rows, a, ids, weights]
        for experts in (gate_up, down):
            bias = None if experts.bias is None else self.step.resident(experts.bias)
            inputs += [self.step.resident(experts.weight.data), bias]
        self.step.emit(
            "moe", [*inputs, residual], [residual], "experts", experts=gate_up.weight.shape[0],
            hidden_size=c.hidden_size, intermediate_size=c.intermediate_size,
            gate_up_format=gate_up.weight.format, down_format=down.weight.format,
            **activation,
        )  # fmt: skip
        return residual

    def select_wanted(self, x: View) -> View:
        """The rows of ``x`` whose logits are wanted; what follows works on those."""
        y = self.step.scratch((self.step.limits.wanted, x.shape[1]))
        inputs = [self.batch.wanted_rows, x, self.batch.wanted]
        self.step.emit("gather_rows", inputs, [y], "wanted")
        self.rows_in_use = self.batch.wanted_rows
        return y

    def logits(self, x: View, norm: Vector, head: Linear, c: ModelConfig) -> View:
        """Logits of the wanted rows of the last layer, bound as ``logits``.

        Of all tokens, or of those in some tiles of the matrix: ``head.rows`` says how many rows are
        multiplied with what, see :class:`pyhades.llm.models.head.Head`.
        """
        x = self.select_wanted(x)
        a, _ = self.rms_norm(
            x, norm, c.rms_norm_eps, "norm", activations=self.activations_for(head.weight)
        )
        whole = self.step.head = Head.of(head)
        operands = {
            name: self.step.bound(name, buffer.shape, buffer.dtype)
            for name, buffer in whole.bindings(self.step.limits.wanted).items()
        }
        rows, weight = operands["head.rows"], head.weight
        for number, part in enumerate(whole.parts, 1):
            inputs = [rows.slice(0, number, 1), a, operands[f"head.tiles.{part}"], None, None]
            self.step.emit(
                "qgemm", inputs, [operands[f"head.logits.{part}"]], f"lm_head.{part}",
                format=weight.format, n=part * TILE, k=weight.shape[1],
            )  # fmt: skip
        self.rows_in_use = rows.slice(0, 0, 1)
        into = self.step.bound("logits", (self.step.limits.wanted, c.vocab_size), np.float32)
        return self.linear(a, head, "lm_head", into=into)
