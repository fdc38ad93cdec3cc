"""From what users pass to what the scheduler runs."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass

import numpy as np

from pyhades.arguments import check_count
from pyhades.errors import ArgumentError, CapacityError
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.models.config import ModelConfig

DEFAULT_CONTEXT = 8192
Prompt = str | Items[int]


@dataclass(frozen=True)
class Request:
    """A prompt as tokens, and how to answer it."""

    number: int
    tokens: tuple[int, ...]
    params: SamplingParams
    max_tokens: int
    stop_ids: frozenset[int]


def as_list(prompts: Prompt | Items[Prompt]) -> tuple[list[Prompt], bool]:
    """The prompts, and whether there may be several: text is one, and so are token ids."""
    if isinstance(prompts, str):
        return [prompts], False
    ids = [item for item in prompts if isinstance(item, (int, np.integer))]
    if len(ids) == len(prompts):
        return [ids], False
    return [item for item in prompts if not isinstance(item, (int, np.integer))], True


def request_of(
    number: int,
    prompt: Items[int],
    params: SamplingParams,
    context_length: int,
    stop_ids: frozenset[int],
) -> Request:
    """A request for the scheduler.

    Raises
    ------
    ArgumentError
        The prompt is empty.
    CapacityError
        It leaves no room in the context.
    """
    tokens = tuple(prompt)
    if not tokens:
        raise ArgumentError(f"prompt {number} is empty; it needs at least one token")
    room = context_length - len(tokens)
    if room < 1:
        raise CapacityError(
            f"prompt {number} has {len(tokens)} tokens, the context {context_length}; "
            "shorten it, or open the model with a larger context_length"
        )
    most = room if params.max_tokens is None else min(params.max_tokens, room)
    return Request(number, tokens, params, most, stop_ids)


def context_length_of(wanted: int | None, config: ModelConfig) -> int:
    """The wanted context length, or the default for the model."""
    most = config.max_position_embeddings
    if wanted is None:
        return min(DEFAULT_CONTEXT, most)
    if not 1 <= check_count("context_length", wanted, least=0) <= most:
        raise ArgumentError(f"context_length={wanted}: the model allows 1 to {most}")
    return wanted
