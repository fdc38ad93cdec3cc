"""Names of Hugging Face's transformers."""

from __future__ import annotations

from pyhades.llm.checkpoint.stored import JoinedTensor, StoredTensor
from pyhades.llm.checkpoint.table import Shape, TensorTable
from pyhades.llm.models.config import ConfigSource
from pyhades.llm.models.gpt_oss.config import GptOssConfig
from pyhades.llm.models.outline import EMBEDDING, HEAD, NORM, outline

_COMPUTED = r"rotary_emb\.inv_freq$"
"""Tensors that some tools store, and that follow from the configuration."""

_PLAIN = {
    "attention_norm": "input_layernorm.weight",
    "sinks": "self_attn.sinks",
    "attention_output.weight": "self_attn.o_proj.weight",
    "attention_output.bias": "self_attn.o_proj.bias",
    "mlp_norm": "post_attention_layernorm.weight",
    "router.weight": "mlp.router.weight",
    "router.bias": "mlp.router.bias",
    "gate_up.bias": "mlp.experts.gate_up_proj_bias",
    "down.bias": "mlp.experts.down_proj_bias",
}


def collect(
    config: GptOssConfig, table: TensorTable, source: ConfigSource
) -> dict[str, StoredTensor]:
    """Every tensor of the outline.

    Parameters
    ----------
    config
        The model.
    table
        What the files hold.
    source
        Says whether the head is the embedding where the files have no head.

    Raises
    ------
    ModelError
        A tensor is missing, misshapen, of another type, or not part of the model.
    """
    shapes = outline(config)
    is_tied = bool(source.values.get("tie_word_embeddings", False))
    embedding = table.plain("model.embed_tokens.weight", shapes[EMBEDDING])
    has_head = "lm_head.weight" in table or not is_tied
    found: dict[str, StoredTensor] = {
        EMBEDDING: embedding,
        HEAD: table.plain("lm_head.weight", shapes[HEAD]) if has_head else embedding,
        NORM: table.plain("model.norm.weight", shapes[NORM]),
    }
    for index in range(config.num_hidden_layers):
        ours, theirs = f"layers.{index}.", f"model.layers.{index}."
        for name, spelled in _PLAIN.items():
            if ours + name in shapes:
                found[ours + name] = table.plain(theirs + spelled, shapes[ours + name])
        found |= _qkv(config, table, ours, theirs)
        found |= _experts(table, shapes, ours, f"{theirs}mlp.experts.")
    table.finish(_COMPUTED)
    return found


def _qkv(
    config: GptOssConfig, table: TensorTable, ours: str, theirs: str
) -> dict[str, StoredTensor]:
    rows = (config.query_size, config.key_value_size, config.key_value_size)
    names = [f"{theirs}self_attn.{letter}_proj" for letter in "qkv"]
    weights = [
        table.plain(f"{name}.weight", (n, config.hidden_size))
        for name, n in zip(names, rows, strict=True)
    ]
    found: dict[str, StoredTensor] = {f"{ours}qkv.weight": JoinedTensor(weights, -2)}
    if config.attention_bias:
        biases = [table.plain(f"{name}.bias", (n,)) for name, n in zip(names, rows, strict=True)]
        found[f"{ours}qkv.bias"] = JoinedTensor(biases, -1)
    return found


def _experts(
    table: TensorTable, shapes: dict[str, Shape], ours: str, theirs: str
) -> dict[str, StoredTensor]:
    def weight(name: str, shape: Shape) -> StoredTensor:
        spelled = theirs + name
        if f"{spelled}_blocks" in table or spelled not in table:
            return table.mxfp4(f"{spelled}_blocks", f"{spelled}_scales", shape)
        return table.transposed(spelled, shape)

    return {
        f"{ours}gate_up.weight": weight("gate_up_proj", shapes[f"{ours}gate_up.weight"]),
        f"{ours}down.weight": weight("down_proj", shapes[f"{ours}down.weight"]),
    }
