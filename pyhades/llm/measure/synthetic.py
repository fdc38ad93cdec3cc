"""Models of random weights: the real shapes without a checkpoint, for measuring, and tiny ones.

Weights are made in their packed layout, so a model of 12 GB is there in seconds. Scales are chosen
so that every matrix product of normalised activations has a deviation near one: activations stay
finite through all layers, and the router spreads tokens over all experts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pyhades.arguments import one_of
from pyhades.config import thread_count
from pyhades.kernels.qgemm import aligned_empty
from pyhades.llm.checkpoint.table import Shape
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.registry import architecture_of
from pyhades.llm.models.weights import (
    Embedding,
    Experts,
    LayerWeights,
    Linear,
    ModelWeights,
    Vector,
)
from pyhades.quant import BLOCK, TILE, FormatName, PackedWeight, RowOrder, format_named, to_bf16

FixedPrecision = Literal["exact", "balanced", "fast"]
"""What needs no measuring, for which random weights would be no ground."""
DENSE: dict[str, FormatName] = {"exact": "bf16", "balanced": "int8_g32", "fast": "int4_g32"}
"""Format of the dense matrices per precision."""
_RMS = {"mxfp4": 2.93, "int4_g32": 4.61, "int8_g32": 73.9, "bf16": 1.0}
"""Root mean square of what random bytes stand for, before scales."""
_CHUNK = 1 << 26


def random_weights(
    config: ModelConfig,
    precision: FixedPrecision = "balanced",
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> ModelWeights[Any]:
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
    one_of("precision", precision, FixedPrecision)
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
        self, config: ModelConfig, precision: str, seed: int, pool: ThreadPoolExecutor
    ) -> None:
        self._config = config
        self._dense = DENSE[precision]
        self._seeds = np.random.SeedSequence(seed)
        self._pool = pool

    def layer(self) -> LayerWeights:
        """One transformer block."""
        architecture = architecture_of(self._config)
        shapes = architecture.layer_shapes(self._config)
        names = [name for name in shapes if not name.endswith(".bias")]
        return architecture.layer_weights(
            **{name.removesuffix(".weight"): self._part(name, shapes) for name in names}
        )

    def _part(self, name: str, shapes: Mapping[str, Shape]) -> Linear | Experts | Vector:
        """A part of a layer: norms near one, choices of the router clear."""
        shape, whole = shapes[name], name.removesuffix(".weight")
        if whole == name:
            return (
                self.vector(shape[0], 0.05, 1.0)
                if name.endswith("norm")
                else self.vector(shape[0], 1.0)
            )
        bias = self._bias(shapes.get(f"{whole}.bias"))
        if len(shape) == 3:
            order: RowOrder = "gate_up" if whole == "gate_up" else "plain"
            experts, n, k = shape
            return Experts(self.packed("mxfp4", n, k, experts, order), bias)
        is_router = whole == "router"
        n, k = shape
        format: FormatName = "bf16" if is_router else self._dense
        return Linear(self.packed(format, n, k, deviation=2.0 if is_router else 1.0), bias)

    def _bias(self, shape: Shape | None) -> Vector | None:
        if shape is None:
            return None
        return np.asarray(self._generator().normal(0, 0.1, shape), np.float32)

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
        self, format: FormatName, n: int, k: int, experts: int = 0, order: RowOrder = "plain",
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
