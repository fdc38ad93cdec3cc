"""GGUF: the names of llama.cpp, where the architecture is ``qwen3moe``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyhades.formats import GgufFile
from pyhades.llm.checkpoint.settings import MOST_LAYERS, Settings
from pyhades.llm.checkpoint.stored import StoredTensor
from pyhades.llm.checkpoint.table import TensorTable
from pyhades.llm.models.config import check_dimensions
from pyhades.llm.models.gguf_tensors import every_tensor, rope_scaling, vocab_size
from pyhades.llm.models.qwen3_moe.config import Qwen3MoeConfig

_WEIGHTS = {
    "attention_norm": "attn_norm.weight",
    "q_norm": "attn_q_norm.weight",
    "k_norm": "attn_k_norm.weight",
    "attention_output.weight": "attn_output.weight",
    "attention_output.bias": "attn_output.bias",
    "mlp_norm": "ffn_norm.weight",
    "router.weight": "ffn_gate_inp.weight",
    "down.weight": "ffn_down_exps.weight",
}
_ENDS = ("<|im_end|>", "<|endoftext|>")
"""Tokens that end an answer; files list one of them at most."""


def read_config(file: GgufFile) -> Qwen3MoeConfig:
    """The configuration in the metadata of a (first) file.

    Raises
    ------
    ModelError
        A value is missing, has no meaning, or asks for what is not computed here.
    """
    source, metadata = str(file.mapping.path), file.metadata
    settings = Settings(metadata, source, f"{metadata['general.architecture']}.")
    tokens = Settings(metadata, source, "tokenizer.ggml.")
    layers = settings.integer("block_count", most=MOST_LAYERS)
    hidden, heads = settings.integer("embedding_length"), settings.integer("attention.head_count")
    head_dim = settings.integer("attention.key_length", default=hidden // heads)
    if settings.integer("attention.value_length", default=head_dim) != head_dim:
        settings.fail(f"attention.value_length is not attention.key_length, {head_dim}")
    pad = tokens.token_ids("padding_token_id")
    config = Qwen3MoeConfig(
        num_hidden_layers=layers,
        hidden_size=hidden,
        intermediate_size=settings.integer("expert_feed_forward_length", "feed_forward_length"),
        num_attention_heads=heads,
        num_key_value_heads=settings.integer("attention.head_count_kv"),
        head_dim=head_dim,
        vocab_size=vocab_size(file),
        num_local_experts=settings.integer("expert_count"),
        num_experts_per_tok=settings.integer("expert_used_count"),
        sliding_window=0,
        layer_types=("full_attention",) * layers,
        max_position_embeddings=settings.integer("context_length"),
        rope_theta=settings.number("rope.freq_base"),
        rope_scaling=rope_scaling(settings, truncate=True),
        rms_norm_eps=settings.number("attention.layer_norm_rms_epsilon", default=1e-6),
        eos_token_ids=_stop_ids(tokens, metadata),
        pad_token_id=pad[0] if pad else None,
        attention_bias="blk.0.attn_output.bias" in file.tensors,
    )
    check_dimensions(config, settings)
    return config


def collect(config: Qwen3MoeConfig, table: TensorTable) -> dict[str, StoredTensor]:
    """Every tensor of the outline.

    Raises
    ------
    ModelError
        A tensor is missing, misshapen, of another type, or not part of the model.
    """
    return every_tensor(config, table, _WEIGHTS)


def _stop_ids(tokens: Settings, metadata: Mapping[str, Any]) -> tuple[int, ...]:
    listed = tokens.token_ids("eos_token_ids") + tokens.token_ids("eos_token_id", "eot_token_id")
    texts = metadata.get("tokenizer.ggml.tokens")
    if isinstance(texts, list):
        listed = [*listed, *(texts.index(text) for text in _ENDS if text in texts)]
    return tuple(sorted({*listed}))
