"""Keys and values to measure codecs on: what models left in their cache after reading a text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import pyhades
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.cache.pool import FREED
from pyhades.llm.engine.runner import Piece, Runner
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config

Contents = NDArray[np.uint8]
"""``[layers, blocks, bytes]``, as in a record."""

TOKENS = 1000
STEP = 128
TEXTS = ("README.md", "docs/decisions/0012-prefixes.md", "docs/decisions/0016-cache-levels.md")


def toy_blocks(kv_format: KvFormat) -> list[Contents]:
    """Of the trained toy, over texts of this repository: small blocks, real statistics."""
    root = Path(__file__).parents[2]
    with pyhades.LLM(kv_format=kv_format) as llm:
        tokens = llm.tokenize("\n".join((root / name).read_text() for name in TEXTS))[:TOKENS]
        return _blocks(llm.engine.runner, tokens)


def synthetic_blocks(kv_format: KvFormat) -> list[Contents]:
    """Of random weights with the blocks of gpt-oss: 8 heads of 64 values."""
    config = tiny_config(hidden_size=512, num_key_value_heads=8, head_dim=64)
    weights = random_weights(config)
    tokens = np.random.default_rng(0).zipf(1.3, TOKENS) % config.vocab_size
    runner = Runner(config, weights, 2 * TOKENS, 1, kv_format=kv_format, prefix_cache=False)
    try:
        return _blocks(runner, tokens.tolist())
    finally:
        runner.close()


SOURCES: dict[str, Callable[[KvFormat], list[Contents]]] = {
    "toy": toy_blocks,
    "synthetic": synthetic_blocks,
}


def _blocks(runner: Runner, tokens: list[int]) -> list[Contents]:
    """Every whole block that is still there, of all layers of a kind."""
    text = runner.cache.sequence()
    for first in range(0, len(tokens), STEP):
        runner.run([Piece(text, tokens[first : first + STEP])])
    found = []
    for kind, pool in runner.cache.pools.items():
        memory = pool.of_blocks
        found += [memory[:, [b]] for b in text.blocks[kind][: text.length // 16] if b != FREED]
    return found
