"""How files spell tensors: what several architectures and layouts have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyhades.llm.checkpoint.stored import JoinedTensor, StoredTensor
from pyhades.llm.checkpoint.table import Shape, TensorTable
from pyhades.llm.models.config import ConfigSource, ModelConfig
from pyhades.llm.models.outline import EMBEDDING, HEAD, NORM

Shapes = Mapping[str, Shape]
Tensors = dict[str, StoredTensor]

HUGGINGFACE_COMPUTED = r"rotary_emb\.inv_freq$"
"""Tensors that some tools store, and that follow from the configuration."""


def spelled(
    read: Callable[[str, Shape], StoredTensor],
    names: Mapping[str, str],
    shapes: Shapes,
    ours: str,
    theirs: str,
) -> Tensors:
    """Tensors of a layer that only have another name in the files.

    Parameters
    ----------
    read
        Takes a tensor of this name and shape out of the files.
    names
        Theirs by ours; those that the outline does not have are left out.
    shapes
        The outline.
    ours, theirs
        What stands before the names of this layer.
    """
    return {
        ours + name: read(theirs + other, shapes[ours + name])
        for name, other in names.items()
        if ours + name in shapes
    }


def huggingface_ends(table: TensorTable, shapes: Shapes, source: ConfigSource) -> Tensors:
    """Embedding, head and last norm; a head that is tied may be missing."""
    embedding = table.plain("model.embed_tokens.weight", shapes[EMBEDDING])
    is_tied = source.values.get("tie_word_embeddings") and "lm_head.weight" not in table
    return {
        EMBEDDING: embedding,
        HEAD: embedding if is_tied else table.plain("lm_head.weight", shapes[HEAD]),
        NORM: table.plain("model.norm.weight", shapes[NORM]),
    }


def huggingface_qkv(
    table: TensorTable, shapes: Shapes, config: ModelConfig, ours: str, theirs: str
) -> Tensors:
    """Queries, keys and values, apart in the files; biases where the outline has them."""
    rows = {"q": config.query_size, "k": config.key_value_size, "v": config.key_value_size}
    found: Tensors = {}
    for kind, columns, axis in (("weight", (config.hidden_size,), -2), ("bias", (), -1)):
        if f"{ours}qkv.{kind}" in shapes:
            parts = [
                table.plain(f"{theirs}self_attn.{letter}_proj.{kind}", (n, *columns))
                for letter, n in rows.items()
            ]
            found[f"{ours}qkv.{kind}"] = JoinedTensor(parts, axis)
    return found
