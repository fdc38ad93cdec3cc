"""What enters the matrices of a model when it reads some tokens."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.errors import ArgumentError
from pyhades.llm.engine.runner import Piece, Runner
from pyhades.llm.measure.prompts import PROMPTS
from pyhades.llm.models import Checkpoint
from pyhades.llm.models.gpt_oss.config import GptOssConfig
from pyhades.llm.models.gpt_oss.outline import HEAD
from pyhades.llm.models.weights import ModelWeights
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


@dataclass(frozen=True)
class Captured:
    """What entered the matrices of a model.

    Attributes
    ----------
    rows
        Name of the matrix to bfloat16 rows ``[tokens, k]``, as uint16; experts by ``gate_up``. For
        the head, of as many tokens as a step gives logits of.
    chosen
        The experts of every token, int32 ``[layers, tokens, experts_per_token]``.
    """

    rows: dict[str, Rows]
    chosen: NDArray[np.int32]


def dense_labels(config: GptOssConfig) -> dict[str, str]:
    """Every dense matrix that is multiplied with, and the label of its product in the step."""
    names = {HEAD: "lm_head"}
    for index in range(config.num_hidden_layers):
        names[f"layers.{index}.qkv.weight"] = f"layers.{index}.self_attn.qkv_proj"
        names[f"layers.{index}.attention_output.weight"] = f"layers.{index}.self_attn.o_proj"
    return names


def capture(config: GptOssConfig, weights: ModelWeights, tokens: Sequence[int]) -> Captured:
    """Run a model and keep what enters its dense matrices, and its experts if not in MXFP4.

    Parameters
    ----------
    config, weights
        The model.
    tokens
        Read as one text.

    Returns
    -------
    Captured
        Rows that were quantised are exact in bfloat16.

    Raises
    ------
    ArgumentError
        There are no tokens, or one that does not exist.
    CapacityError
        There are more than the model's context holds.
    """
    if not tokens:
        raise ArgumentError("calibration needs at least one token")
    labels = dense_labels(config)
    for index, layer in enumerate(weights.layers):
        if layer.gate_up.weight.format != "mxfp4":
            # The router takes the same rows in, never rounded to int8.
            labels[f"layers.{index}.gate_up.weight"] = f"layers.{index}.mlp.router"
    context = min(-(-len(tokens) // STEP_TOKENS) * STEP_TOKENS, config.max_position_embeddings)
    kept: dict[str, list[Rows]] = {name: [] for name in labels}
    chosen = []
    runner = Runner(config, weights, context, 1, step_tokens=STEP_TOKENS, keep_all=True)
    with closing(runner):
        text = runner.cache.sequence()
        for first in range(0, len(tokens), STEP_TOKENS):
            piece = tokens[first : first + STEP_TOKENS]
            wanted = min(len(piece), runner.limits.wanted)
            runner.run([Piece(text, piece, wanted)])
            chosen.append(runner.chosen_experts.copy())
            inputs = runner.step.matrix_inputs(labels.values())
            for name, label in labels.items():
                count = wanted if name == HEAD else len(piece)
                kept[name].append(_as_bf16(inputs[label][:count], _columns(config, name)))
    rows = {name: np.concatenate(pieces) for name, pieces in kept.items()}
    return Captured(rows, np.concatenate(chosen, axis=1))


def _columns(config: GptOssConfig, name: str) -> int:
    return config.query_size if name.endswith("attention_output.weight") else config.hidden_size


def _as_bf16(rows: NDArray[Any], k: int) -> Rows:
    return rows if rows.dtype == np.uint16 else to_bf16(from_q8(rows, k))
