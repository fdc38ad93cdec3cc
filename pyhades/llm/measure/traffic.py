"""What a token costs: bytes read from memory, and operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.cache.sizes import cached_bytes_per_token
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.weights import Experts, Linear, ModelWeights


def bytes_per_token(
    config: ModelConfig, weights: ModelWeights[Any], depth: int = 0, kv_format: KvFormat = "bf16"
) -> int:
    """Bytes of weights, keys and values, scales included, that one token needs, each once.

    Parameters
    ----------
    config, weights
        The model.
    depth
        Tokens in the cache before it.
    kv_format
        ``"bf16"`` or ``"int8"``.
    """
    return bytes_per_step(config, weights, config.num_experts_per_tok, [depth], kv_format)


def bytes_per_step(
    config: ModelConfig,
    weights: ModelWeights[Any],
    experts: float,
    depths: Sequence[int],
    kv_format: KvFormat = "bf16",
) -> int:
    """Bytes of weights, keys and values that a step of several sequences needs, each once.

    Parameters
    ----------
    config, weights
        The model.
    experts
        How many different experts of a layer its tokens go to, on average.
    depths
        Tokens in the cache before each of its tokens.
    kv_format
        ``"bf16"`` or ``"int8"``.
    """
    share = experts / config.num_local_experts
    total = float(weights.head.weight.nbytes)
    for part in (part for layer in weights.layers for part in layer.parts.values()):
        if isinstance(part, Linear):
            total += part.weight.nbytes
        elif isinstance(part, Experts):
            total += share * part.weight.nbytes
    return round(total) + sum(_cache_bytes(config, depth, kv_format) for depth in depths)


def operations_per_token(config: ModelConfig) -> int:
    """Multiplications and additions that reading one token of a prompt takes.

    Those with quantised weights, without the logits, which only the last token of a prompt needs.
    """
    attention = 2 * config.hidden_size * (config.query_size + config.key_value_size)
    experts = 3 * config.hidden_size * config.intermediate_size * config.num_experts_per_tok
    router = config.hidden_size * config.num_local_experts
    return 2 * config.num_hidden_layers * (attention + experts + router)


def _cache_bytes(config: ModelConfig, depth: int, kv_format: KvFormat) -> int:
    per_token = cached_bytes_per_token(config, kv_format)
    seen = {"sliding_attention": min(depth + 1, config.sliding_window)}
    return sum(per_token * seen.get(kind, depth + 1) for kind in config.layer_types)
