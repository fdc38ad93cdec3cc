"""GGUF: the dialects of llama.cpp (``gpt-oss``) and of ollama (``gptoss``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyhades.formats import GgufFile
from pyhades.llm.checkpoint.settings import MOST_LAYERS, Settings
from pyhades.llm.checkpoint.stored import StoredTensor
from pyhades.llm.checkpoint.table import TensorTable
from pyhades.llm.models.config import check_dimensions
from pyhades.llm.models.gguf_tensors import every_tensor, rope_scaling, vocab_size
from pyhades.llm.models.gpt_oss.config import GptOssConfig
from pyhades.llm.models.gpt_oss.settings import STOP_TOKENS, layer_types, stop_ids

_RENAMED = {
    "attn_out.weight": "attn_output.weight",
    "attn_out.bias": "attn_output.bias",
    "attn_sinks": "attn_sinks.weight",
    "ffn_norm.weight": "post_attention_norm.weight",
}
"""Names of ollama to those of llama.cpp, inside of a block."""

_WEIGHTS = {
    "attention_norm": "attn_norm.weight",
    "sinks": "attn_sinks.weight",
    "attention_output.weight": "attn_output.weight",
    "attention_output.bias": "attn_output.bias",
    "mlp_norm": "post_attention_norm.weight",
    "router.weight": "ffn_gate_inp.weight",
    "router.bias": "ffn_gate_inp.bias",
    "down.weight": "ffn_down_exps.weight",
    "down.bias": "ffn_down_exps.bias",
}


def read_config(file: GgufFile) -> GptOssConfig:
    """The configuration in the metadata of a (first) file.

    Raises
    ------
    ModelError
        A value is missing or has no meaning.
    """
    source, metadata = str(file.mapping.path), file.metadata
    family = metadata["general.architecture"]
    settings = Settings(metadata, source, f"{family}.")
    tokens = Settings(metadata, source, "tokenizer.ggml.")
    layers = settings.integer("block_count", most=MOST_LAYERS)
    heads = settings.integer("attention.head_count")
    rows = vocab_size(file)
    listed = tokens.token_ids("eos_token_ids") + tokens.token_ids("eos_token_id", "eot_token_id")
    pad = tokens.token_ids("padding_token_id")
    config = GptOssConfig(
        num_hidden_layers=layers,
        hidden_size=settings.integer("embedding_length"),
        intermediate_size=settings.integer("expert_feed_forward_length", "feed_forward_length"),
        num_attention_heads=heads,
        num_key_value_heads=settings.integer("attention.head_count_kv"),
        head_dim=settings.integer("attention.key_length", default=64),
        vocab_size=rows,
        num_local_experts=settings.integer("expert_count"),
        num_experts_per_tok=settings.integer("expert_used_count", default=4),
        sliding_window=settings.integer("attention.sliding_window", default=128),
        layer_types=layer_types(settings, layers),
        max_position_embeddings=settings.integer("context_length", default=131072),
        rope_theta=settings.number("rope.freq_base", default=150000.0),
        rope_scaling=rope_scaling(settings, "yarn"),
        rms_norm_eps=settings.number("attention.layer_norm_rms_epsilon", default=1e-5),
        eos_token_ids=stop_ids(listed, _specials(metadata), rows),
        pad_token_id=pad[0] if pad else None,
    )
    check_dimensions(config, settings)
    return config


def collect(
    config: GptOssConfig, table: TensorTable, *, is_ollama: bool
) -> dict[str, StoredTensor]:
    """Every tensor of the outline.

    Raises
    ------
    ModelError
        A tensor is missing, misshapen, of another type, or not part of the model.
    """
    return every_tensor(config, table, _WEIGHTS, is_interleaved=is_ollama)


def common_name(name: str) -> str:
    """The name that llama.cpp gives to a tensor of ollama, and to its own."""
    block, number, rest = (*name.split(".", 2), "", "")[:3]
    return f"{block}.{number}.{_RENAMED[rest]}" if rest in _RENAMED else name


def _specials(metadata: Mapping[str, Any]) -> dict[str, int]:
    tokens = metadata.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, list):
        return {}
    wanted = {*STOP_TOKENS, "<|end|>"}
    return {
        token: index
        for index, token in enumerate(tokens)
        if isinstance(token, str) and token in wanted
    }
