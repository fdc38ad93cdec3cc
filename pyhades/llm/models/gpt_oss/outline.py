"""What tensors a gpt-oss model has, under one set of names for all containers."""

from __future__ import annotations

from pyhades.llm.models.gpt_oss.config import GptOssConfig

EMBEDDING, HEAD, NORM = "embedding", "head", "norm"


def outline(config: GptOssConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of the model; matrices are ``[outputs, inputs]``.

    ``gate_up`` has rows of the gate and of the linear part in turn.

    Examples
    --------
    >>> from pyhades.llm.models.gpt_oss.config import GptOssConfig
    >>> config = GptOssConfig(1, 64, 32, 4, 2, 16, 256, 8, 4, 128, ("full_attention",), 512, 1e4,
    ...                       None)
    >>> outline(config)["layers.0.gate_up.weight"]
    (8, 64, 64)
    """
    shapes: dict[str, tuple[int, ...]] = {
        HEAD: (config.vocab_size, config.hidden_size),
        EMBEDDING: (config.vocab_size, config.hidden_size),
        NORM: (config.hidden_size,),
    }
    for index in range(config.num_hidden_layers):
        layer = _layer(config)
        shapes |= {f"layers.{index}.{name}": shape for name, shape in layer.items()}
    return shapes


def _layer(config: GptOssConfig) -> dict[str, tuple[int, ...]]:
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
