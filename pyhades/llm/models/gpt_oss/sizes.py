"""The published configurations of gpt-oss, and a tiny one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pyhades.errors import ArgumentError
from pyhades.llm.models.config import RopeScaling
from pyhades.llm.models.gpt_oss.config import GptOssConfig


def gpt_oss_config(name: str = "gpt-oss-20b") -> GptOssConfig:
    """The published configurations: ``"gpt-oss-20b"`` and ``"gpt-oss-120b"``."""
    sizes = {"gpt-oss-20b": (24, 32), "gpt-oss-120b": (36, 128)}
    if name not in sizes:
        raise ArgumentError(f"there is no model {name!r}; there are {', '.join(sizes)}")
    layers, experts = sizes[name]
    return GptOssConfig(
        num_hidden_layers=layers, hidden_size=2880, intermediate_size=2880,
        num_attention_heads=64, num_key_value_heads=8, head_dim=64, vocab_size=201088,
        num_local_experts=experts, num_experts_per_tok=4, sliding_window=128,
        layer_types=_alternating(layers), max_position_embeddings=131072, rope_theta=150000.0,
        rope_scaling=RopeScaling(), eos_token_ids=(200002, 199999, 200012), pad_token_id=199999,
    )  # fmt: skip


def tiny_config(**changes: Any) -> GptOssConfig:
    """Four layers of 64 columns: everything that the architecture has, for tests."""
    config = GptOssConfig(
        num_hidden_layers=4, hidden_size=64, intermediate_size=96, num_attention_heads=8,
        num_key_value_heads=2, head_dim=16, vocab_size=320, num_local_experts=8,
        num_experts_per_tok=4, sliding_window=32, layer_types=_alternating(4),
        max_position_embeddings=8192, rope_theta=150000.0,
        rope_scaling=RopeScaling(original_max_position_embeddings=64), eos_token_ids=(2,),
    )  # fmt: skip
    return replace(config, **changes)


def _alternating(layers: int) -> tuple[str, ...]:
    return tuple("full_attention" if i % 2 else "sliding_attention" for i in range(layers))
