"""How GGUF files spell models: what several architectures have in common."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pyhades.errors import ModelError
from pyhades.formats import GgufFile
from pyhades.llm.checkpoint.settings import Settings
from pyhades.llm.checkpoint.stored import (
    PLAIN_DTYPES,
    BlockTensor,
    InterleavedTensor,
    JoinedTensor,
    PlainTensor,
    StoredTensor,
)
from pyhades.llm.checkpoint.table import Shape, TensorTable
from pyhades.llm.models.config import ModelConfig, RopeScaling
from pyhades.llm.models.names import Shapes, Tensors, spelled
from pyhades.llm.models.outline import EMBEDDING, HEAD, NORM, outline
from pyhades.quant import ggml

COMPUTED = r"^rope_freqs\.weight$"
"""Tensors that some tools store, and that follow from the configuration."""


def every_tensor(
    config: ModelConfig,
    table: TensorTable,
    weights: Mapping[str, str],
    *,
    is_interleaved: bool = False,
) -> Tensors:
    """Every tensor of the outline.

    Parameters
    ----------
    config
        Of the model.
    table
        What the file holds.
    weights
        Names in a layer, ours to theirs, of what is not found by :func:`qkv` and :func:`gate_up`.
    is_interleaved
        See :func:`gate_up`.

    Raises
    ------
    ModelError
        A tensor is missing, misshapen, of another type, or not part of the model.
    """
    shapes = outline(config)
    found = ends(table, shapes)
    for index in range(config.num_hidden_layers):
        ours, theirs = f"layers.{index}.", f"blk.{index}."
        found |= spelled(partial(tensor, table), weights, shapes, ours, theirs)
        found |= qkv(table, shapes, config, ours, theirs)
        found |= gate_up(table, shapes, ours, theirs, is_interleaved=is_interleaved)
    table.finish(COMPUTED)
    return found


def tensor(table: TensorTable, name: str, shape: Shape) -> StoredTensor:
    """A tensor of any type that is read."""
    entry = table.entry(name, shape, ggml.TYPES_BY_NAME)
    return PlainTensor(entry) if entry.dtype in PLAIN_DTYPES else BlockTensor(entry)


def ends(table: TensorTable, shapes: Shapes) -> Tensors:
    """Embedding, head and last norm; a head that is tied is missing."""
    embedding = tensor(table, "token_embd.weight", shapes[EMBEDDING])
    has_head = "output.weight" in table
    return {
        EMBEDDING: embedding,
        HEAD: tensor(table, "output.weight", shapes[HEAD]) if has_head else embedding,
        NORM: table.plain("output_norm.weight", shapes[NORM]),
    }


def qkv(table: TensorTable, shapes: Shapes, config: ModelConfig, ours: str, theirs: str) -> Tensors:
    """Queries, keys and values, in one or apart; biases where the outline has them."""
    rows = {"q": config.query_size, "k": config.key_value_size, "v": config.key_value_size}
    found: Tensors = {}
    for kind, columns, axis in (("weight", (config.hidden_size,), -2), ("bias", (), -1)):
        name, fused = f"{ours}qkv.{kind}", f"{theirs}attn_qkv.{kind}"
        if name not in shapes:
            continue
        if fused in table:
            found[name] = tensor(table, fused, shapes[name])
            continue
        parts = [
            tensor(table, f"{theirs}attn_{letter}.{kind}", (n, *columns))
            for letter, n in rows.items()
        ]
        found[name] = JoinedTensor(parts, axis)
    return found


def gate_up(
    table: TensorTable, shapes: Shapes, ours: str, theirs: str, *, is_interleaved: bool = False
) -> Tensors:
    """Gates and ups of experts, in one or apart; biases where the outline has them.

    ``is_interleaved`` says that in one tensor they come in turn, and not one half after the other.
    """
    found: Tensors = {}
    for kind, axis in (("weight", -2), ("bias", -1)):
        name, fused = f"{ours}gate_up.{kind}", f"{theirs}ffn_gate_up_exps.{kind}"
        if name not in shapes:
            continue
        experts, rows, *columns = shapes[name]
        if fused in table:
            whole = tensor(table, fused, shapes[name])
            found[name] = whole if is_interleaved else InterleavedTensor(whole, axis)
            continue
        half = (experts, rows // 2, *columns)
        parts = [tensor(table, f"{theirs}ffn_{x}_exps.{kind}", half) for x in ("gate", "up")]
        found[name] = InterleavedTensor(JoinedTensor(parts, axis), axis)
    return found


def vocab_size(file: GgufFile) -> int:
    """Rows of the embedding: the list of tokens may be padded, or missing."""
    embedding = file.tensors.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise ModelError(
            f"{file.mapping.path}: tensor 'token_embd.weight' is missing or no matrix; of a split "
            "file, name the first part"
        )
    return embedding.shape[0]


def rope_scaling(
    settings: Settings, default: str = "none", *, truncate: bool = False
) -> RopeScaling | None:
    """The keys ``rope.scaling.*``; ``default`` is the type where a file names none."""
    kind = settings.text("rope.scaling.type", default=default)
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
        truncate=truncate,
    )
