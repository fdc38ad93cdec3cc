"""Names of Hugging Face's transformers."""

from __future__ import annotations

from pyhades.llm.checkpoint.stored import (
    InterleavedTensor,
    JoinedTensor,
    StackedTensor,
    StoredTensor,
)
from pyhades.llm.checkpoint.table import Shape, TensorTable
from pyhades.llm.models.config import ConfigSource
from pyhades.llm.models.outline import EMBEDDING, HEAD, NORM, outline
from pyhades.llm.models.qwen3_moe.config import Qwen3MoeConfig

_COMPUTED = r"rotary_emb\.inv_freq$"
"""Tensors that some tools store, and that follow from the configuration."""

_PLAIN = {
    "attention_norm": "input_layernorm.weight",
    "q_norm": "self_attn.q_norm.weight",
    "k_norm": "self_attn.k_norm.weight",
    "attention_output.weight": "self_attn.o_proj.weight",
    "attention_output.bias": "self_attn.o_proj.bias",
    "mlp_norm": "post_attention_layernorm.weight",
    "router.weight": "mlp.gate.weight",
}


def collect(
    config: Qwen3MoeConfig, table: TensorTable, source: ConfigSource
) -> dict[str, StoredTensor]:
    """Every tensor of the outline.

    Raises
    ------
    ModelError
        A tensor is missing, misshapen, of another type, or not part of the model.
    """
    shapes = outline(config)
    embedding = table.plain("model.embed_tokens.weight", shapes[EMBEDDING])
    is_tied = source.values.get("tie_word_embeddings") and "lm_head.weight" not in table
    found: dict[str, StoredTensor] = {
        EMBEDDING: embedding,
        HEAD: embedding if is_tied else table.plain("lm_head.weight", shapes[HEAD]),
        NORM: table.plain("model.norm.weight", shapes[NORM]),
    }
    for index in range(config.num_hidden_layers):
        ours, theirs = f"layers.{index}.", f"model.layers.{index}."
        for name, spelled in _PLAIN.items():
            if ours + name in shapes:
                found[ours + name] = table.plain(theirs + spelled, shapes[ours + name])
        for kind in ("weight", "bias"):
            if f"{ours}qkv.{kind}" in shapes:
                found[f"{ours}qkv.{kind}"] = _qkv(config, table, f"{theirs}self_attn.", kind)
        found |= _experts(table, shapes, ours, f"{theirs}mlp.experts.")
    table.finish(_COMPUTED)
    return found


def _qkv(config: Qwen3MoeConfig, table: TensorTable, theirs: str, kind: str) -> StoredTensor:
    columns = (config.hidden_size,) if kind == "weight" else ()
    rows = {"q": config.query_size, "k": config.key_value_size, "v": config.key_value_size}
    parts = [table.plain(f"{theirs}{name}_proj.{kind}", (n, *columns)) for name, n in rows.items()]
    return JoinedTensor(parts, -2 if kind == "weight" else -1)


def _experts(
    table: TensorTable, shapes: dict[str, Shape], ours: str, theirs: str
) -> dict[str, StoredTensor]:
    """Stored expert by expert, gates and ups apart."""
    experts, rows, columns = shapes[f"{ours}gate_up.weight"]

    def stack(name: str, shape: Shape) -> StoredTensor:
        names = [f"{theirs}{expert}.{name}_proj.weight" for expert in range(experts)]
        return StackedTensor([table.plain(spelled, shape) for spelled in names])

    halves = [stack(name, (rows // 2, columns)) for name in ("gate", "up")]
    return {
        f"{ours}gate_up.weight": InterleavedTensor(JoinedTensor(halves, -2), -2),
        f"{ours}down.weight": stack("down", (columns, rows // 2)),
    }
