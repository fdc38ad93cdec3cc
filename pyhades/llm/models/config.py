"""What every architecture says about itself, and how files say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pyhades.llm.checkpoint.settings import Settings
from pyhades.quant import BLOCK


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
class ModelConfig:
    """Hyperparameters, with the names of Hugging Face's ``config.json``.

    Architectures derive theirs and add what they have besides.
    """

    model_type: ClassVar[str]
    """The name in ``config.json``, which is also that of the folder under ``models/``."""

    num_hidden_layers: int
    hidden_size: int
    intermediate_size: int
    """Of one expert."""
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    num_local_experts: int
    num_experts_per_tok: int
    sliding_window: int
    """Tokens that layers with ``"sliding_attention"`` see; 0 where there are none."""
    layer_types: tuple[str, ...]
    """``"sliding_attention"`` or ``"full_attention"`` per layer."""
    max_position_embeddings: int
    rope_theta: float
    rope_scaling: RopeScaling | None
    rms_norm_eps: float = 1e-5
    eos_token_ids: tuple[int, ...] = ()
    pad_token_id: int | None = None
    attention_bias: bool = False
    """Whether the projections of the attention have biases."""

    @property
    def query_size(self) -> int:
        """Width of all query heads."""
        return self.num_attention_heads * self.head_dim

    @property
    def key_value_size(self) -> int:
        """Width of all key heads, and of all value heads."""
        return self.num_key_value_heads * self.head_dim


@dataclass(frozen=True)
class ConfigSource:
    """The files that a configuration is read from.

    Attributes
    ----------
    values
        The object in ``config.json``.
    name
        What to call it in errors.
    generation
        The object in ``generation_config.json``, or an empty one.
    specials
        Ids of the special tokens, as far as known.
    """

    values: Mapping[str, Any]
    name: str
    generation: Mapping[str, Any] = field(default_factory=dict)
    specials: Mapping[str, int] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """The values, with checks of their types."""
        return Settings(self.values, self.name)


def listed_stop_ids(source: ConfigSource) -> list[int]:
    """Ids that end an answer, as both files list them."""
    generation = Settings(source.generation, source.name)
    return [*generation.token_ids("eos_token_id"), *source.settings.token_ids("eos_token_id")]


def to_huggingface(config: ModelConfig) -> dict[str, Any]:
    """The object of a ``config.json`` that an architecture reads as ``config``."""
    values = {"model_type": config.model_type, **vars(config)}
    values["eos_token_id"] = list(values.pop("eos_token_ids"))
    values["layer_types"] = list(config.layer_types)
    if config.rope_scaling is not None:
        values["rope_scaling"] = {"rope_type": "yarn", **vars(config.rope_scaling)}
    return values


def check_dimensions(config: ModelConfig, settings: Settings) -> None:
    """ModelError where the numbers of a configuration do not fit together."""
    widths = {
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_attention_heads * head_dim": config.query_size,
    }
    for name, width in widths.items():
        if width % BLOCK:
            settings.fail(f"{name} is {width}, no multiple of {BLOCK}, which pyhades needs")
    if config.head_dim % 2:
        settings.fail(f"head_dim is {config.head_dim}; rotary embeddings need pairs")
    if config.num_attention_heads % config.num_key_value_heads:
        settings.fail(
            f"num_attention_heads {config.num_attention_heads} is no multiple of "
            f"num_key_value_heads {config.num_key_value_heads}"
        )
    if config.num_experts_per_tok > config.num_local_experts:
        settings.fail(
            f"num_experts_per_tok {config.num_experts_per_tok} of only "
            f"{config.num_local_experts} experts"
        )


def check_quantization(settings: Settings, *methods: str) -> None:
    """ModelError where weights are quantised by another method than these."""
    quantization = settings.get("quantization_config")
    method = quantization.get("quant_method") if isinstance(quantization, dict) else None
    if method is not None and method not in methods:
        known = ", ".join([*(name.upper() for name in methods), "bf16"]) + " and fp16"
        settings.fail(f"the weights are quantised by {method!r}; pyhades reads {known} weights")
