"""How much memory keys and values take."""

from __future__ import annotations

from pyhades.arguments import check_count
from pyhades.config import memory_bytes
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.cache.resuming import sees_everything
from pyhades.llm.cache.trails import CHECKPOINT_TOKENS
from pyhades.llm.models.config import ModelConfig

SHARE_OF_MEMORY = 0.25
"""Of the machine's memory, that keys and values may take unless told otherwise."""
_BYTES_PER_VALUE = {"bf16": 2, "int8": 1}
_BYTES_PER_SCALE = {"bf16": 0, "int8": 4}
"""One per key and per value of a head."""


def cached_bytes_per_token(config: ModelConfig, kv_format: KvFormat) -> int:
    """Bytes that a layer keeps of a token: keys, values and their scales."""
    vector = config.head_dim * _BYTES_PER_VALUE[kv_format] + _BYTES_PER_SCALE[kv_format]
    return 2 * config.num_key_value_heads * vector


def cache_tokens(
    config: ModelConfig, kv_format: KvFormat, memory: int | None, *, prefixes: bool = True
) -> int:
    """For how many tokens there is room in so many bytes; by default in a share of all.

    Of layers that see everything and, with ``prefixes``, of the windows that are kept for later.
    Those of answers in progress, which do not grow with their text, come on top.
    """
    if memory is None:
        memory = int(memory_bytes() * SHARE_OF_MEMORY)
    else:
        memory = check_count("kv_memory", memory)
    full = sum(map(sees_everything, config.layer_types))
    windowed = len(config.layer_types) - full if prefixes else 0
    layers = full + windowed * config.sliding_window / CHECKPOINT_TOKENS
    return int(memory / max(layers * cached_bytes_per_token(config, kv_format), 1))
