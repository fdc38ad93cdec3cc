"""Models of random weights: the real shapes without a checkpoint, for measuring, and tiny ones.

Weights are made in their packed layout, so a model of 12 GB is there in seconds. Scales are chosen
so that every matrix product of normalised activations has a deviation near one: activations stay
finite through all layers, and the router spreads tokens over all experts.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pyhades.config import thread_count
from pyhades.errors import ArgumentError
from pyhades.kernels.qgemm import aligned_empty
from pyhades.llm.models.gpt_oss.config import GptOssConfig, RopeScaling
from pyhades.llm.models.weights import Embedding, Experts, LayerWeights, Linear, ModelWeights
from pyhades.quant import BLOCK, TILE, PackedWeight, RowOrder, format_named, to_bf16

DENSE = {"exact": "bf16", "balanced": "int8_g32", "fast": "int4_g32"}
"""Format of the dense matrices per precision."""
_RMS = {"mxfp4": 2.93, "int4_g32": 4.61, "int8_g32": 73.9, "bf16": 1.0}
"""Root mean square of what random bytes stand for, before scales."""
_CHUNK = 1 << 26


def gpt_oss_config(name: str = "gpt-oss-20b") -> GptOssConfig:
    """The published configurations: ``"gpt-oss-20b"`` and ``"gpt-oss-120b"``."""
    sizes = {"gpt-oss-20b": (24, 32), "gpt-oss-120b": (36, 128)}
    if name not in sizes:
        raise ArgumentError(f"there is no model {name!r}; there are {', '.join(sizes)}")
    layers, experts = sizes[name]
    return GptOssConfig(
        num_hidden_layers=layers, hidden_size=2880, intermediate_size=2880,
        num_attention_heads=64, num_key_value_heads=8, head_dim=64, vocab_size=201088,
        num_local_experts=experts, num_experts_per_tok=4, sliding_window=128,
        layer_types=_alternating(layers), max_position_embeddings=131072, rope_theta=150000.0,
        rope_scaling=RopeScaling(), eos_token_ids=(200002, 199999, 200012), pad_token_id=199999,
    )  # fmt: skip


def tiny_config(**changes: Any) -> GptOssConfig:
    """Four layers of 64 columns: everything that the architecture has, for tests."""
    config = GptOssConfig(
        num_hidden_layers=4, hidden_size=64, intermediate_size=96, num_attention_heads=8,
        num_key_value_heads=2, head_dim=16, vocab_size=320, num_local_experts=8,
        num_experts_per_tok=4, sliding_window=32, layer_types=_alternating(4),
        max_position_embeddings=8192, rope_theta=150000.0,
        rope_scaling=RopeScaling(original_max_position_embeddings=64), eos_token_ids=(2,),
    )  # fmt: skip
    return replace(config, **changes)


def random_weights(
    config: GptOssConfig,
    precision: str = "balanced",
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> ModelWeights:
    """Weights of a whole model, experts in MXFP4.

    Parameters
    ----------
    config
        Sizes of the model.
    precision
        ``"exact"``, ``"balanced"`` or ``"fast"``, see :class:`pyhades.LLM`.
    seed
        The same seed gives the same weights, whatever the number of threads.
    threads
        As in :func:`pyhades.compile`.
    progress
        Whether to show a bar.
    """
    if precision not in DENSE:
        raise ArgumentError(f"precision={precision!r}: expected one of {', '.join(DENSE)}")
    with ThreadPoolExecutor(thread_count(threads).count) as pool:
        maker = _Maker(config, precision, seed, pool)
        hidden = None if progress else True  # None: where stderr is no terminal
        layers = tqdm(range(config.num_hidden_layers), "random weights", disable=hidden)
        return ModelWeights(
            embedding=maker.embedding(),
            layers=tuple(maker.layer() for _ in layers),
            norm=maker.vector(config.hidden_size, 0.05, 1.0),
            head=Linear(maker.packed(DENSE[precision], config.vocab_size, config.hidden_size)),
            precision=precision,
            activations="bf16" if precision == "exact" else "q8",
        )


class _Maker:
    """Draws the tensors of a model, one after the other."""

    def __init__(
        self, config: GptOssConfig, precision: str, seed: int, pool: ThreadPoolExecutor
    ) -> None:
        self._config = config
        self._dense = DENSE[precision]
        self._seeds = np.random.SeedSequence(seed)
        self._pool = pool

    def layer(self) -> LayerWeights:
        """One transformer block."""
        c = self._config
        rows = c.query_size + 2 * c.key_value_size
        experts = c.num_local_experts
        return LayerWeights(
            attention_norm=self.vector(c.hidden_size, 0.05, 1.0),
            qkv=Linear(self.packed(self._dense, rows, c.hidden_size), self.vector(rows, 0.1)),
            sinks=self.vector(c.num_attention_heads, 1.0),
            attention_output=Linear(
                self.packed(self._dense, c.hidden_size, c.query_size),
                self.vector(c.hidden_size, 0.1),
            ),
            mlp_norm=self.vector(c.hidden_size, 0.05, 1.0),
            router=Linear(
                self.packed("bf16", experts, c.hidden_size, deviation=2.0),
                self.vector(experts, 0.1),
            ),
            gate_up=self._experts(2 * c.intermediate_size, c.hidden_size, "gate_up"),
            down=self._experts(c.hidden_size, c.intermediate_size, "plain"),
        )

    def embedding(self) -> Embedding:
        """A table with rows of deviation one."""
        c = self._config
        if self._dense == "bf16":
            table = np.empty((c.vocab_size, c.hidden_size), np.uint16)
            self._fill(table.reshape(-1).view(np.uint8), _as_bf16(1.0))
            return Embedding(table)
        values = np.empty((c.vocab_size, c.hidden_size), np.int8)
        self._fill(values.reshape(-1).view(np.uint8), _as_int8)
        scale = np.float16(1 / _RMS["int8_g32"])
        return Embedding(values, np.full((c.vocab_size, c.hidden_size // BLOCK), scale))

    def packed(
        self, format: str, n: int, k: int, experts: int = 0, order: RowOrder = "plain",
        deviation: float = 1.0,
    ) -> PackedWeight:  # fmt: skip
        """A packed matrix, or one per expert, of products with that deviation."""
        entry = format_named(format)
        shape = (experts, n, k) if experts else (n, k)
        data = aligned_empty(max(experts, 1) * entry.packed_bytes(n, k))
        scale = deviation / (_RMS[format] * np.sqrt(k))
        blocks = data.reshape(-1, entry.block_bytes)
        if format == "bf16":
            self._fill(data, _as_bf16(scale))
        elif format == "mxfp4":
            self._fill(data)
            blocks[:, :TILE] = 127 + round(np.log2(scale))
        else:
            self._fill(data, _as_packed_int8 if format == "int8_g32" else None)
            blocks[:, : 2 * TILE] = np.full(TILE, scale, np.float16).view(np.uint8)
        return PackedWeight(data, format, shape, order)

    def vector(self, n: int, deviation: float, mean: float = 0.0) -> NDArray[np.float32]:
        """Normally distributed values."""
        values = self._generator().normal(mean, deviation, n)
        return np.asarray(values, np.float32)

    def _experts(self, n: int, k: int, order: RowOrder) -> Experts:
        experts = self._config.num_local_experts
        bias = self._generator().normal(0, 0.1, (experts, n))
        weight = self.packed("mxfp4", n, k, experts, order)
        return Experts(weight, np.asarray(bias, np.float32))

    def _generator(self) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64(self._seeds.spawn(1)[0]))

    def _fill(
        self, data: NDArray[np.uint8], change: Callable[[NDArray[np.uint8]], None] | None = None
    ) -> None:
        """Random bytes, piece by piece, each with a generator of its own."""
        pieces = [data[i : i + _CHUNK] for i in range(0, data.size, _CHUNK)]
        generators = [self._generator() for _ in pieces]
        list(self._pool.map(lambda g, p: _draw(g, p, change), generators, pieces))


def _draw(
    generator: np.random.Generator,
    piece: NDArray[np.uint8],
    change: Callable[[NDArray[np.uint8]], None] | None,
) -> None:
    words = -(-piece.size // 8)
    drawn = generator.integers(0, 1 << 64, words, np.uint64, endpoint=False)
    piece[:] = drawn.view(np.uint8)[: piece.size]
    if change is not None:
        change(piece)


def _as_int8(piece: NDArray[np.uint8]) -> None:
    """No -128 among int8 values."""
    np.maximum(piece.view(np.int8), -127, out=piece.view(np.int8))


def _as_packed_int8(piece: NDArray[np.uint8]) -> None:
    """No -128, which packed is 0."""
    np.maximum(piece, 1, out=piece)


def _as_bf16(scale: float) -> Callable[[NDArray[np.uint8]], None]:
    """Uniform numbers of that root mean square, as bfloat16."""

    def change(piece: NDArray[np.uint8]) -> None:
        bits = piece.view(np.uint16)
        unit = bits.astype(np.int16, copy=False).view(np.int16) * np.float32(np.sqrt(3) / 32768)
        bits[:] = to_bf16(unit * np.float32(scale))

    return change


def _alternating(layers: int) -> tuple[str, ...]:
    return tuple("full_attention" if i % 2 else "sliding_attention" for i in range(layers))
