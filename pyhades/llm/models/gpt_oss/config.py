"""What a gpt-oss checkpoint says about itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RopeScaling:
    """YaRN: how rotary frequencies are stretched beyond the context of the first training.

    Source: Peng et al., "YaRN: Efficient Context Window Extension of Large Language Models", 2023.
    """

    factor: float = 32.0
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    original_max_position_embeddings: int = 4096
    truncate: bool = False
    """Whether the bounds of the ramp are rounded to whole dimensions; gpt-oss does not."""


@dataclass(frozen=True)
class GptOssConfig:
    """Hyperparameters, with the names of Hugging Face's ``config.json``."""

    num_hidden_layers: int
    hidden_size: int
    intermediate_size: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    num_local_experts: int
    num_experts_per_tok: int
    sliding_window: int
    layer_types: tuple[str, ...]
    """``"sliding_attention"`` or ``"full_attention"`` per layer."""
    max_position_embeddings: int
    rope_theta: float
    rope_scaling: RopeScaling | None
    rms_norm_eps: float = 1e-5
    swiglu_limit: float = 7.0
    swiglu_alpha: float = 1.702
    eos_token_ids: tuple[int, ...] = ()
    pad_token_id: int | None = None
    attention_bias: bool = True
    """Whether the projections of the attention have biases."""

    @property
    def query_size(self) -> int:
        """Width of all query heads."""
        return self.num_attention_heads * self.head_dim

    @property
    def key_value_size(self) -> int:
        """Width of all key heads, and of all value heads."""
        return self.num_key_value_heads * self.head_dim
