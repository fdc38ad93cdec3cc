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
from pyhades.llm.models.names import (
    HUGGINGFACE_COMPUTED,
    huggingface_ends,
    huggingface_qkv,
    spelled,
)
from pyhades.llm.models.outline import outline
from pyhades.llm.models.qwen3_moe.config import Qwen3MoeConfig

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
    """Stored expert by expert, gates and ups apart."""
    experts, rows, columns = shapes[f"{ours}gate_up.weight"]

    def stack(name: str, shape: Shape) -> StoredTensor:
        names = [f"{theirs}{expert}.{name}_proj.weight" for expert in range(experts)]
        return StackedTensor([table.plain(full, shape) for full in names])

    halves = [stack(name, (rows // 2, columns)) for name in ("gate", "up")]
    return {
        f"{ours}gate_up.weight": InterleavedTensor(JoinedTensor(halves, -2), -2),
        f"{ours}down.weight": stack("down", (columns, rows // 2)),
    }
