"""Configurations of gpt-oss: JSON and GGUF metadata become a :class:`GptOssConfig`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyhades.llm.checkpoint.settings import MOST_LAYERS, Settings
from pyhades.llm.models.config import (
    ConfigSource,
    RopeScaling,
    check_dimensions,
    check_quantization,
    listed_stop_ids,
)
from pyhades.llm.models.gpt_oss.config import GptOssConfig
from pyhades.llm.models.rope import read_rope_scaling, read_rope_theta

STOP_TOKENS = ("<|endoftext|>", "<|return|>", "<|call|>")
"""Tokens that end an answer; the first uploads of gpt-oss forgot to list the last."""
MESSAGE_END = "<|end|>"
"""Ends a message, after which the answer goes on."""
_HARMONY_VOCABULARY = 201088
_HARMONY_IDS = {
    "<|endoftext|>": 199999,
    "<|return|>": 200002,
    "<|end|>": 200007,
    "<|call|>": 200012,
}


def from_huggingface(source: ConfigSource) -> GptOssConfig:
    """Read a ``config.json`` of Hugging Face.

    Raises
    ------
    ModelError
        A value is missing or has no meaning.
    """
    settings = source.settings
    check_quantization(settings, "mxfp4")
    pad = settings.token_ids("pad_token_id")
    config = GptOssConfig(
        **_dimensions(settings),
        max_position_embeddings=settings.integer("max_position_embeddings", default=131072),
        rope_theta=read_rope_theta(source, default=150000.0),
        rope_scaling=read_rope_scaling(source, truncate=False),
        rms_norm_eps=settings.number("rms_norm_eps", default=1e-5),
        eos_token_ids=stop_ids(
            listed_stop_ids(source), source.specials, settings.integer("vocab_size")
        ),
        pad_token_id=pad[0] if pad else None,
        attention_bias=settings.flag("attention_bias", default=True),
    )
    check_dimensions(config, settings)
    return config


def from_original(source: ConfigSource) -> GptOssConfig:
    """Read the ``config.json`` of OpenAI's original layout; as :func:`from_huggingface`."""
    settings = source.settings
    original = settings.integer("initial_context_length", default=4096)
    factor = settings.number("rope_scaling_factor", default=32.0)
    scaling = RopeScaling(
        factor=factor,
        beta_fast=settings.number("rope_ntk_beta", default=32.0),
        beta_slow=settings.number("rope_ntk_alpha", default=1.0),
        original_max_position_embeddings=original,
    )
    config = GptOssConfig(
        **_dimensions(settings),
        max_position_embeddings=settings.integer(
            "max_position_embeddings", default=round(original * factor)
        ),
        rope_theta=settings.number("rope_theta", default=150000.0),
        rope_scaling=scaling if factor > 1.0 else None,
        eos_token_ids=stop_ids((), source.specials, settings.integer("vocab_size")),
    )
    check_dimensions(config, settings)
    return config


def stop_ids(
    listed: Iterable[int], specials: Mapping[str, int], vocab_size: int
) -> tuple[int, ...]:
    """Ids that end an answer: those that a checkpoint lists and those of :data:`STOP_TOKENS`.

    The end of a message is never one, whatever a checkpoint lists.
    """
    if not specials and vocab_size == _HARMONY_VOCABULARY:
        specials = _HARMONY_IDS
    ids = {*listed, *(specials[name] for name in STOP_TOKENS if name in specials)}
    return tuple(sorted(ids - {specials.get(MESSAGE_END, -1)}))


def _dimensions(settings: Settings) -> dict[str, Any]:
    """What both configurations have, the experts under one name or the other."""
    layers = settings.integer("num_hidden_layers", most=MOST_LAYERS)
    return {
        "num_hidden_layers": layers,
        "hidden_size": settings.integer("hidden_size"),
        "intermediate_size": settings.integer("intermediate_size"),
        "num_attention_heads": settings.integer("num_attention_heads"),
        "num_key_value_heads": settings.integer("num_key_value_heads"),
        "head_dim": settings.integer("head_dim", default=64),
        "vocab_size": settings.integer("vocab_size"),
        "num_local_experts": settings.integer("num_local_experts", "num_experts"),
        "num_experts_per_tok": settings.integer(
            "num_experts_per_tok", "experts_per_token", default=4
        ),
        "sliding_window": settings.integer("sliding_window", default=128),
        "layer_types": layer_types(settings, layers),
        "swiglu_limit": settings.number("swiglu_limit", default=7.0),
        "swiglu_alpha": settings.number("swiglu_alpha", default=1.702),
    }


def layer_types(settings: Settings, layers: int) -> tuple[str, ...]:
    """The kind of every layer; where a file does not list them, they take turns."""
    kinds = ("sliding_attention", "full_attention")
    given = settings.get("layer_types")
    if given is None:
        return tuple(kinds[index % 2] for index in range(layers))
    if (
        not isinstance(given, list)
        or len(given) != layers
        or any(kind not in kinds for kind in given)
    ):
        settings.fail(f"layer_types must be {layers} times one of {', '.join(kinds)}")
    return tuple(given)
