"""Names of Hugging Face's transformers."""

from __future__ import annotations

from pyhades.llm.checkpoint.stored import StoredTensor
from pyhades.llm.checkpoint.table import Shape, TensorTable
from pyhades.llm.models.config import ConfigSource
from pyhades.llm.models.gpt_oss.config import GptOssConfig
from pyhades.llm.models.names import (
    HUGGINGFACE_COMPUTED,
    huggingface_ends,
    huggingface_qkv,
    spelled,
)
from pyhades.llm.models.outline import outline

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
    found = huggingface_ends(table, shapes, source)
    for index in range(config.num_hidden_layers):
        ours, theirs = f"layers.{index}.", f"model.layers.{index}."
        found |= spelled(table.plain, _PLAIN, shapes, ours, theirs)
        found |= huggingface_qkv(table, shapes, config, ours, theirs)
        found |= _experts(table, shapes, ours, f"{theirs}mlp.experts.")
    table.finish(HUGGINGFACE_COMPUTED)
    return found


def _experts(
    table: TensorTable, shapes: dict[str, Shape], ours: str, theirs: str
) -> dict[str, StoredTensor]:
    def weight(name: str, shape: Shape) -> StoredTensor:
        full = theirs + name
        if f"{full}_blocks" in table or full not in table:
            return table.mxfp4(f"{full}_blocks", f"{full}_scales", shape)
        return table.transposed(full, shape)

    return {
        f"{ours}gate_up.weight": weight("gate_up_proj", shapes[f"{ours}gate_up.weight"]),
        f"{ours}down.weight": weight("down_proj", shapes[f"{ours}down.weight"]),
    }
