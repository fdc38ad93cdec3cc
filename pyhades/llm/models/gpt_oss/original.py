"""Names of OpenAI's original layout."""

from __future__ import annotations

from functools import partial

from pyhades.llm.checkpoint.stored import StoredTensor
from pyhades.llm.checkpoint.table import Shape, TensorTable
from pyhades.llm.models.config import ConfigSource
from pyhades.llm.models.gpt_oss.config import GptOssConfig
from pyhades.llm.models.names import spelled
from pyhades.llm.models.outline import EMBEDDING, HEAD, NORM, outline

MARK = "unembedding.weight"
"""A tensor that no other layout has."""

_PLAIN = {
    "attention_norm": "attn.norm.scale",
    "qkv.weight": "attn.qkv.weight",
    "qkv.bias": "attn.qkv.bias",
    "sinks": "attn.sinks",
    "attention_output.weight": "attn.out.weight",
    "attention_output.bias": "attn.out.bias",
    "mlp_norm": "mlp.norm.scale",
    "router.weight": "mlp.gate.weight",
    "router.bias": "mlp.gate.bias",
    "gate_up.bias": "mlp.mlp1_bias",
    "down.bias": "mlp.mlp2_bias",
}
_EXPERTS = {"gate_up.weight": "mlp.mlp1_weight", "down.weight": "mlp.mlp2_weight"}


def collect(
    config: GptOssConfig, table: TensorTable, source: ConfigSource
) -> dict[str, StoredTensor]:
    """Every tensor of the outline.

    Raises
    ------
    ModelError
        A tensor is missing, misshapen, of another type, or not part of the model.
    """
    shapes = outline(config)
    found: dict[str, StoredTensor] = {
        EMBEDDING: table.plain("embedding.weight", shapes[EMBEDDING]),
        HEAD: table.plain(MARK, shapes[HEAD]),
        NORM: table.plain("norm.scale", shapes[NORM]),
    }
    for index in range(config.num_hidden_layers):
        ours, theirs = f"layers.{index}.", f"block.{index}."
        found |= spelled(table.plain, _PLAIN, shapes, ours, theirs)
        found |= spelled(partial(_expert_weight, table), _EXPERTS, shapes, ours, theirs)
    table.finish()
    return found


def _expert_weight(table: TensorTable, name: str, shape: Shape) -> StoredTensor:
    """MXFP4, or plain numbers, which this layout does not transpose."""
    if f"{name}.blocks" in table or name not in table:
        return table.mxfp4(f"{name}.blocks", f"{name}.scales", shape)
    return table.plain(name, shape)
