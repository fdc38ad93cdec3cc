"""Bytes per token, against what the kernels keep of one."""

from __future__ import annotations

import pytest

from pyhades import kernels
from pyhades.llm.cache.kv_cache import KvCache
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.measure.traffic import bytes_per_token
from pyhades.llm.models.gpt_oss.sizes import tiny_config

CONFIG = tiny_config()
WEIGHTS = random_weights(CONFIG)


def stored_per_token(kv_format: str) -> int:
    """Bytes of one token in one layer."""
    heads, width = CONFIG.num_key_value_heads, CONFIG.head_dim
    return kernels.cache_block_bytes(heads, width, kv_format) // 16


@pytest.mark.parametrize("kv_format", ["bf16", "int8"])
@pytest.mark.parametrize("depth", [0, 9, 100])
def test_the_cache_counts_with_its_scales(kv_format, depth):
    seen = sum(
        min(depth + 1, CONFIG.sliding_window) if kind == "sliding_attention" else depth + 1
        for kind in CONFIG.layer_types
    )
    empty = bytes_per_token(CONFIG, WEIGHTS, 0, kv_format)
    weights = empty - CONFIG.num_hidden_layers * stored_per_token(kv_format)
    assert bytes_per_token(CONFIG, WEIGHTS, depth, kv_format) == weights + (
        seen * stored_per_token(kv_format)
    )


def test_weights_count_alike_for_both_formats():
    layers = CONFIG.num_hidden_layers
    rests = {
        bytes_per_token(CONFIG, WEIGHTS, 0, kv_format) - layers * stored_per_token(kv_format)
        for kv_format in ("bf16", "int8")
    }
    assert len(rests) == 1


@pytest.mark.parametrize("kv_format", ["bf16", "int8"])
def test_the_pool_has_the_blocks_of_the_kernels(kv_format):
    for pool in KvCache(CONFIG, 64, 1, 32, kv_format).pools.values():
        assert pool.block_bytes == 16 * stored_per_token(kv_format)
