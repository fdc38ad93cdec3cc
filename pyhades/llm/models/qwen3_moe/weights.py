"""The weights of a layer of Qwen3-MoE."""

from __future__ import annotations

from dataclasses import dataclass

from pyhades.llm.models.qwen3_moe.config import Qwen3MoeConfig
from pyhades.llm.models.weights import Experts, LayerWeights, Linear, Vector


@dataclass(frozen=True)
class Qwen3MoeLayer(LayerWeights):
    """One transformer block."""

    attention_norm: Vector
    qkv: Linear
    """Rows: all query heads, then the key heads, then the value heads."""
    q_norm: Vector
    k_norm: Vector
    attention_output: Linear
    mlp_norm: Vector
    router: Linear
    gate_up: Experts
    down: Experts


def layer_shapes(config: Qwen3MoeConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a layer."""
    hidden, inner = config.hidden_size, config.intermediate_size
    query, experts = config.query_size, config.num_local_experts
    rows = query + 2 * config.key_value_size
    shapes = {
        "attention_norm": (hidden,),
        "qkv.weight": (rows, hidden),
        "qkv.bias": (rows,),
        "q_norm": (config.head_dim,),
        "k_norm": (config.head_dim,),
        "attention_output.weight": (hidden, query),
        "attention_output.bias": (hidden,),
        "mlp_norm": (hidden,),
        "router.weight": (experts, hidden),
        "gate_up.weight": (experts, 2 * inner, hidden),
        "down.weight": (experts, hidden, inner),
    }
    if not config.attention_bias:
        del shapes["qkv.bias"], shapes["attention_output.bias"]
    return shapes
