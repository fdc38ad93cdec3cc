"""What tensors a layer of gpt-oss has."""

from __future__ import annotations

from pyhades.llm.models.gpt_oss.config import GptOssConfig


def layer_shapes(config: GptOssConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a layer."""
    hidden, inner = config.hidden_size, config.intermediate_size
    query, experts = config.query_size, config.num_local_experts
    rows = query + 2 * config.key_value_size
    shapes = {
        "attention_norm": (hidden,),
        "qkv.weight": (rows, hidden),
        "qkv.bias": (rows,),
        "sinks": (config.num_attention_heads,),
        "attention_output.weight": (hidden, query),
        "attention_output.bias": (hidden,),
        "mlp_norm": (hidden,),
        "router.weight": (experts, hidden),
        "router.bias": (experts,),
        "gate_up.weight": (experts, 2 * inner, hidden),
        "gate_up.bias": (experts, 2 * inner),
        "down.weight": (experts, hidden, inner),
        "down.bias": (experts, hidden),
    }
    if not config.attention_bias:
        del shapes["qkv.bias"], shapes["attention_output.bias"]
    return shapes
