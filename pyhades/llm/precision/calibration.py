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
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.outline import HEAD, outline
from pyhades.llm.models.registry import architecture_of
from pyhades.llm.models.weights import Experts, ModelWeights
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


def dense_labels(config: ModelConfig) -> dict[str, str]:
    """Every dense matrix that is multiplied with, and the label of its product in the step."""
    return {HEAD: "lm_head", **_layer_labels(config, axes=2)}


def _layer_labels(config: ModelConfig, axes: int) -> dict[str, str]:
    architecture = architecture_of(config)
    shapes = architecture.layer_shapes(config)
    return {
        f"layers.{index}.{name}.weight": f"layers.{index}.{label}"
        for index in range(config.num_hidden_layers)
        for name, label in architecture.product_labels.items()
        if len(shapes[f"{name}.weight"]) == axes
    }


def capture(config: ModelConfig, weights: ModelWeights[Any], tokens: Sequence[int]) -> Captured:
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
    for name, label in _layer_labels(config, axes=3).items():
        experts = weights.layers[int(name.split(".")[1])].parts[name.split(".")[2]]
        if isinstance(experts, Experts) and experts.weight.format != "mxfp4":
            labels[name] = label
    context = min(-(-len(tokens) // STEP_TOKENS) * STEP_TOKENS, config.max_position_embeddings)
    shapes = outline(config)
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
                kept[name].append(_as_bf16(inputs[label][:count], shapes[name][-1]))
    rows = {name: np.concatenate(pieces) for name, pieces in kept.items()}
    return Captured(rows, np.concatenate(chosen, axis=1))


def _as_bf16(rows: NDArray[Any], k: int) -> Rows:
    return rows if rows.dtype == np.uint16 else to_bf16(from_q8(rows, k))
