"""The weights of a layer of gpt-oss."""

from __future__ import annotations

from dataclasses import dataclass

from pyhades.llm.models.weights import Experts, LayerWeights, Linear, Vector


@dataclass(frozen=True)
class GptOssLayer(LayerWeights):
    """One transformer block."""

    attention_norm: Vector
    qkv: Linear
    """Rows: all query heads, then the key heads, then the value heads."""
    sinks: Vector
    attention_output: Linear
    mlp_norm: Vector
    router: Linear
    gate_up: Experts
    down: Experts
