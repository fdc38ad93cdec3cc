"""What tensors a model has, under one set of names for all containers and architectures."""

from __future__ import annotations

from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.registry import architecture_of

EMBEDDING, HEAD, NORM = "embedding", "head", "norm"


def outline(config: ModelConfig) -> dict[str, tuple[int, ...]]:
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
    layer = architecture_of(config).layer_shapes(config)
    for index in range(config.num_hidden_layers):
        shapes |= {f"layers.{index}.{name}": shape for name, shape in layer.items()}
    return shapes
