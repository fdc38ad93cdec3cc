"""What enters the dense matrices of a model when it reads some tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.errors import ArgumentError
from pyhades.llm.checkpoint import Checkpoint
from pyhades.llm.checkpoint.outline import HEAD
from pyhades.llm.config import GptOssConfig
from pyhades.llm.runner import Piece, Runner
from pyhades.llm.standard_prompts import PROMPTS
from pyhades.llm.weights import ModelWeights
from pyhades.quant import from_q8, to_bf16

CALIBRATION_TOKENS = 512
STEP_TOKENS = 128
"""Every result of a step is kept, so that steps are short."""

Rows = NDArray[np.uint16]


def calibration_tokens(checkpoint: Checkpoint) -> list[int]:
    """The standard prompts one after the other, or random tokens where there is no tokenizer."""
    most = min(CALIBRATION_TOKENS, checkpoint.config.max_position_embeddings)
    tokenizer = checkpoint.tokenizer()
    if tokenizer is None:
        random = np.random.default_rng(0)
        tokens: list[int] = random.integers(0, checkpoint.config.vocab_size, most).tolist()
        return tokens
    return tokenizer.encode("\n\n".join(PROMPTS))[:most]


def dense_names(config: GptOssConfig) -> dict[str, str]:
    """Every dense matrix that is multiplied with, and the label of its product in the step."""
    names = {HEAD: "lm_head"}
    for index in range(config.num_hidden_layers):
        names[f"layers.{index}.qkv.weight"] = f"layers.{index}.self_attn.qkv_proj"
        names[f"layers.{index}.attention_output.weight"] = f"layers.{index}.self_attn.o_proj"
    return names


def dense_inputs(
    config: GptOssConfig, weights: ModelWeights, tokens: Sequence[int]
) -> dict[str, Rows]:
    """Run a model and keep what enters its dense matrices.

    Parameters
    ----------
    config, weights
        The model.
    tokens
        Read as one text.

    Returns
    -------
    dict
        Name of the matrix to bfloat16 rows ``[tokens, k]``, as uint16; for the head, of as many
        tokens as a step gives logits of. Rows that were quantised are exact in bfloat16.

    Raises
    ------
    ArgumentError
        There are no tokens, or one that does not exist.
    CapacityError
        There are more than the model's context holds.
    """
    if not tokens:
        raise ArgumentError("calibration needs at least one token")
    names = dense_names(config)
    context = min(-(-len(tokens) // STEP_TOKENS) * STEP_TOKENS, config.max_position_embeddings)
    kept: dict[str, list[Rows]] = {name: [] for name in names}
    runner = Runner(config, weights, context, 1, step_tokens=STEP_TOKENS, keep_all=True)
    with closing(runner):
        text = runner.cache.sequence()
        for first in range(0, len(tokens), STEP_TOKENS):
            piece = tokens[first : first + STEP_TOKENS]
            wanted = min(len(piece), runner.limits.wanted)
            runner.run([Piece(text, piece, wanted)])
            inputs = runner.step.matrix_inputs(names.values())
            for name, label in names.items():
                count = wanted if name == HEAD else len(piece)
                kept[name].append(_as_bf16(inputs[label][:count], _columns(config, name)))
    return {name: np.concatenate(pieces) for name, pieces in kept.items()}


def _columns(config: GptOssConfig, name: str) -> int:
    return config.query_size if name.endswith("attention_output.weight") else config.hidden_size


def _as_bf16(rows: NDArray[Any], k: int) -> Rows:
    return rows if rows.dtype == np.uint16 else to_bf16(from_q8(rows, k))


def dense_formats(checkpoint: Checkpoint) -> Mapping[str, str]:
    """The dense matrices as the checkpoint stores them."""
    return {name: checkpoint.tensors[name].format for name in dense_names(checkpoint.config)}
