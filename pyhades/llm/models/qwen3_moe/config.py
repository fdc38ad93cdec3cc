"""What a checkpoint of Qwen3-MoE says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pyhades.llm.checkpoint.settings import MOST_LAYERS, Settings
from pyhades.llm.models.config import (
    ConfigSource,
    ModelConfig,
    check_dimensions,
    check_quantization,
    listed_stop_ids,
)
from pyhades.llm.models.rope import read_rope_scaling, read_rope_theta


@dataclass(frozen=True)
class Qwen3MoeConfig(ModelConfig):
    """Hyperparameters of Qwen3-MoE; ``intermediate_size`` is ``moe_intermediate_size``."""

    model_type: ClassVar[str] = "qwen3_moe"

    norm_topk_prob: bool = True
    """Whether the shares of the chosen experts add up to one; false is refused."""


def from_huggingface(source: ConfigSource) -> Qwen3MoeConfig:
    """Read a ``config.json`` of Hugging Face, or of a packed file.

    Raises
    ------
    ModelError
        A value is missing, has no meaning, or asks for what is not computed here.
    """
    settings = source.settings
    check_quantization(settings)
    _refuse_others(settings)
    layers = settings.integer("num_hidden_layers", most=MOST_LAYERS)
    hidden, heads = settings.integer("hidden_size"), settings.integer("num_attention_heads")
    pad = settings.token_ids("pad_token_id")
    config = Qwen3MoeConfig(
        num_hidden_layers=layers,
        hidden_size=hidden,
        intermediate_size=settings.integer("moe_intermediate_size", "intermediate_size"),
        num_attention_heads=heads,
        num_key_value_heads=settings.integer("num_key_value_heads"),
        head_dim=settings.integer("head_dim", default=hidden // heads),
        vocab_size=settings.integer("vocab_size"),
        num_local_experts=settings.integer("num_experts", "num_local_experts"),
        num_experts_per_tok=settings.integer("num_experts_per_tok"),
        sliding_window=0,
        layer_types=("full_attention",) * layers,
        max_position_embeddings=settings.integer("max_position_embeddings"),
        rope_theta=read_rope_theta(source),
        rope_scaling=read_rope_scaling(source),
        rms_norm_eps=settings.number("rms_norm_eps", default=1e-6),
        eos_token_ids=tuple(sorted({*listed_stop_ids(source)})),
        pad_token_id=pad[0] if pad else None,
        attention_bias=settings.flag("attention_bias", default=False),
    )
    check_dimensions(config, settings)
    return config


def _refuse_others(settings: Settings) -> None:
    """ModelError for what other checkpoints of this type could ask for."""
    wanted = {
        "hidden_act": ("silu",),
        "norm_topk_prob": (True,),
        "decoder_sparse_step": (1,),
        "mlp_only_layers": ([],),
        "use_sliding_window": (False,),
    }
    for name, allowed in wanted.items():
        value = settings.get(name)
        if value is not None and value not in allowed:
            settings.fail(f"{name} is {value!r}; of this architecture pyhades runs {allowed[0]!r}")
    if settings.get("norm_topk_prob") is None:
        settings.fail("norm_topk_prob is missing, which means false; pyhades runs true")
