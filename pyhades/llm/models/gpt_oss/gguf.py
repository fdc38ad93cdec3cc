"""GGUF: the dialects of llama.cpp (``gpt-oss``) and of ollama (``gptoss``)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pyhades.errors import ModelError
from pyhades.formats import GgufFile
from pyhades.llm.checkpoint.settings import MOST_LAYERS, Settings
from pyhades.llm.checkpoint.stored import (
    PLAIN_DTYPES,
    BlockTensor,
    InterleavedTensor,
    JoinedTensor,
    PlainTensor,
    StoredTensor,
)
from pyhades.llm.checkpoint.table import Shape, TensorTable
from pyhades.llm.models.config import RopeScaling, check_dimensions
from pyhades.llm.models.gpt_oss.config import GptOssConfig
from pyhades.llm.models.gpt_oss.settings import STOP_TOKENS, layer_types, stop_ids
from pyhades.llm.models.names import spelled
from pyhades.llm.models.outline import EMBEDDING, HEAD, NORM, outline
from pyhades.quant import ggml

_COMPUTED = r"^rope_freqs\.weight$"

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
    vocab_size = _vocab_size(file)
    listed = tokens.token_ids("eos_token_ids") + tokens.token_ids("eos_token_id", "eot_token_id")
    pad = tokens.token_ids("padding_token_id")
    config = GptOssConfig(
        num_hidden_layers=layers,
        hidden_size=settings.integer("embedding_length"),
        intermediate_size=settings.integer("expert_feed_forward_length", "feed_forward_length"),
        num_attention_heads=heads,
        num_key_value_heads=settings.integer("attention.head_count_kv"),
        head_dim=settings.integer("attention.key_length", default=64),
        vocab_size=vocab_size,
        num_local_experts=settings.integer("expert_count"),
        num_experts_per_tok=settings.integer("expert_used_count", default=4),
        sliding_window=settings.integer("attention.sliding_window", default=128),
        layer_types=layer_types(settings, layers),
        max_position_embeddings=settings.integer("context_length", default=131072),
        rope_theta=settings.number("rope.freq_base", default=150000.0),
        rope_scaling=_rope_scaling(settings),
        rms_norm_eps=settings.number("attention.layer_norm_rms_epsilon", default=1e-5),
        eos_token_ids=stop_ids(listed, _specials(metadata), vocab_size),
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
    shapes = outline(config)
    embedding = _tensor(table, "token_embd.weight", shapes[EMBEDDING])
    has_head = "output.weight" in table
    found: dict[str, StoredTensor] = {
        EMBEDDING: embedding,
        HEAD: _tensor(table, "output.weight", shapes[HEAD]) if has_head else embedding,
        NORM: table.plain("output_norm.weight", shapes[NORM]),
    }
    for index in range(config.num_hidden_layers):
        ours, theirs = f"layers.{index}.", f"blk.{index}."
        found |= spelled(partial(_tensor, table), _WEIGHTS, shapes, ours, theirs)
        for kind, axis in (("weight", -2), ("bias", -1)):
            columns = (config.hidden_size,) if kind == "weight" else ()
            found[f"{ours}qkv.{kind}"] = _qkv(table, config, theirs, kind, columns, axis)
            shape = shapes[f"{ours}gate_up.{kind}"]
            found[f"{ours}gate_up.{kind}"] = _gate_up(table, theirs, kind, shape, axis, is_ollama)
    table.finish(_COMPUTED)
    return found


def common_name(name: str) -> str:
    """The name that llama.cpp gives to a tensor of ollama, and to its own."""
    block, number, rest = (*name.split(".", 2), "", "")[:3]
    return f"{block}.{number}.{_RENAMED[rest]}" if rest in _RENAMED else name


def _tensor(table: TensorTable, name: str, shape: Shape) -> StoredTensor:
    entry = table.entry(name, shape, ggml.TYPES_BY_NAME)
    return PlainTensor(entry) if entry.dtype in PLAIN_DTYPES else BlockTensor(entry)


def _qkv(
    table: TensorTable, config: GptOssConfig, theirs: str, kind: str, columns: Shape, axis: int
) -> StoredTensor:
    rows = {"q": config.query_size, "k": config.key_value_size, "v": config.key_value_size}
    fused = f"{theirs}attn_qkv.{kind}"
    if fused in table:
        return _tensor(table, fused, (sum(rows.values()), *columns))
    parts = [
        _tensor(table, f"{theirs}attn_{letter}.{kind}", (n, *columns)) for letter, n in rows.items()
    ]
    return JoinedTensor(parts, axis)


def _gate_up(
    table: TensorTable, theirs: str, kind: str, shape: Shape, axis: int, is_ollama: bool
) -> StoredTensor:
    fused = f"{theirs}ffn_gate_up_exps.{kind}"
    if fused in table:
        tensor = _tensor(table, fused, shape)
        return tensor if is_ollama else InterleavedTensor(tensor, axis)
    half = (shape[0], shape[1] // 2, *shape[2:])
    parts = [_tensor(table, f"{theirs}ffn_{name}_exps.{kind}", half) for name in ("gate", "up")]
    return InterleavedTensor(JoinedTensor(parts, axis), axis)


def _rope_scaling(settings: Settings) -> RopeScaling | None:
    kind = settings.text("rope.scaling.type", default="yarn")
    factor = settings.number("rope.scaling.factor", default=1.0)
    if kind == "none" or factor == 1.0:
        return None
    if kind != "yarn":
        settings.fail(f"rope.scaling.type is {kind!r}; pyhades knows 'yarn' and 'none'")
    return RopeScaling(
        factor=factor,
        beta_fast=settings.number("rope.scaling.yarn_beta_fast", default=32.0),
        beta_slow=settings.number("rope.scaling.yarn_beta_slow", default=1.0),
        original_max_position_embeddings=settings.integer(
            "rope.scaling.original_context_length", default=4096
        ),
    )


def _vocab_size(file: GgufFile) -> int:
    """Rows of the embedding: the list of tokens may be padded, or missing."""
    embedding = file.tensors.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise ModelError(
            f"{file.mapping.path}: tensor 'token_embd.weight' is missing or no matrix; of a split "
            "file, name the first part"
        )
    return embedding.shape[0]


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
