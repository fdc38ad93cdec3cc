"""What a token costs: bytes read from memory, and operations."""

from __future__ import annotations

from pyhades.llm.engine.kv_cache import cache_block_bytes
from pyhades.llm.models.gpt_oss.config import GptOssConfig
from pyhades.llm.models.layers import CACHE_BLOCK
from pyhades.llm.models.weights import ModelWeights


def bytes_per_token(
    config: GptOssConfig, weights: ModelWeights, depth: int = 0, kv_format: str = "bf16"
) -> int:
    """Bytes of weights, keys and values that one token needs, each once.

    Parameters
    ----------
    config, weights
        The model.
    depth
        Tokens in the cache before it.
    kv_format
        ``"bf16"`` or ``"int8"``.
    """
    share = config.num_experts_per_tok / config.num_local_experts
    total = float(weights.head.weight.nbytes)
    for layer in weights.layers:
        total += sum(
            linear.weight.nbytes for linear in (layer.qkv, layer.attention_output, layer.router)
        )
        total += share * (layer.gate_up.weight.nbytes + layer.down.weight.nbytes)
    return round(total) + _cache_bytes(config, depth, kv_format)


def operations_per_token(config: GptOssConfig) -> int:
    """Multiplications and additions that reading one token of a prompt takes.

    Those with quantised weights, without the logits, which only the last token of a prompt needs.
    """
    attention = 2 * config.hidden_size * (config.query_size + config.key_value_size)
    experts = 3 * config.hidden_size * config.intermediate_size * config.num_experts_per_tok
    router = config.hidden_size * config.num_local_experts
    return 2 * config.num_hidden_layers * (attention + experts + router)


def _cache_bytes(config: GptOssConfig, depth: int, kv_format: str) -> int:
    per_token = cache_block_bytes(config, kv_format) // CACHE_BLOCK
    seen = {"sliding_attention": min(depth + 1, config.sliding_window)}
    return sum(per_token * seen.get(kind, depth + 1) for kind in config.layer_types)
