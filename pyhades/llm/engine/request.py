"""From what users pass to what the scheduler runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyhades.arguments import check_count
from pyhades.errors import ArgumentError, ArgumentTypeError, CapacityError
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.engine.token_filter import FilterFactory
from pyhades.llm.models.config import ModelConfig

DEFAULT_CONTEXT = 8192
Prompt = str | Items[int]


@dataclass(frozen=True)
class Request:
    """A prompt as tokens, and what is wanted of it.

    Attributes
    ----------
    number
        Which prompt of the call it is.
    client
        For whom; clients share the engine evenly.
    wants_rows
        Whether the logits after every token are wanted, and no answer.
    filter_factory
        Makes what allows the tokens of an answer, for each of them; None allows all.
    points
        Offsets in the prompt from which other prompts are likely to go on.
    opens
        Tokens that an answer ends with, or before its last, where it leaves a chain of calls open.
    drafts
        Texts that the answer is likely to repeat.
    headers
        What may stand between the messages of the answer, the likelier first.
    """

    number: int
    tokens: tuple[int, ...]
    params: SamplingParams
    max_tokens: int
    stop_ids: frozenset[int]
    client: str = ""
    wants_rows: bool = False
    filter_factory: FilterFactory | None = None
    points: tuple[int, ...] = ()
    opens: frozenset[int] = frozenset()
    drafts: tuple[tuple[int, ...], ...] = ()
    headers: tuple[tuple[int, ...], ...] = ()


def as_list(prompts: Prompt | Items[Prompt]) -> tuple[list[Prompt], bool]:
    """The prompts, and whether there may be several: text is one, and so are token ids.

    Raises
    ------
    ArgumentTypeError
        It is neither text nor token ids nor a list of either.
    """
    if isinstance(prompts, str):
        return [prompts], False
    items = _items(prompts, "prompts")
    if all(_is_id(item) for item in items):
        return [items], False
    for number, item in enumerate(items):
        if not isinstance(item, str):
            if _is_id(item):
                raise ArgumentTypeError(
                    f"prompts[{number}] is the number {item}, others are text or lists; "
                    "a prompt of token ids is a list of them"
                )
            _items(item, f"prompts[{number}]")
    return items, True


def _items(value: object, name: str) -> list[Any]:
    """The items of a list-like value, none of which text or a mapping is."""
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)):
        return list(value)
    raise ArgumentTypeError(
        f"{name} is {type(value).__name__}; it is text, a list of token ids, or a list of either"
    )


def _is_id(item: object) -> bool:
    return isinstance(item, (int, np.integer)) and not isinstance(item, (bool, np.bool_))


def checked_tokens(tokens: object, name: str, vocab_size: int) -> tuple[int, ...]:
    """Token ids of the vocabulary.

    Raises
    ------
    ArgumentTypeError
        They are no integers.
    ArgumentError
        One is not in the vocabulary.
    """
    items = _items(tokens, name)
    for item in items:
        if not _is_id(item):
            raise ArgumentTypeError(f"{name} holds {item!r}; token ids are integers")
        if not 0 <= item < vocab_size:
            raise ArgumentError(f"{name}: token {item} is not in the vocabulary of {vocab_size}")
    return tuple(map(int, items))


def request_of(
    number: int,
    prompt: Items[int],
    params: SamplingParams,
    context_length: int,
    stop_ids: frozenset[int],
    vocab_size: int,
    client: str = "",
    filter_factory: FilterFactory | None = None,
) -> Request:
    """A request for the scheduler.

    Raises
    ------
    ArgumentError
        The prompt is empty, or has a token that does not exist.
    ArgumentTypeError
        The client is not named by a text.
    CapacityError
        It leaves no room in the context.
    """
    if not isinstance(client, str):
        raise ArgumentTypeError(f"client={client!r} is not text")
    tokens = checked_tokens(prompt, f"prompt {number}", vocab_size)
    if not tokens:
        raise ArgumentError(f"prompt {number} is empty; it needs at least one token")
    biased = max(params.logit_bias or (), default=0)
    if biased >= vocab_size:
        raise ArgumentError(f"logit_bias has token {biased}, the vocabulary {vocab_size}")
    room = context_length - len(tokens)
    if room < 1:
        raise CapacityError(
            f"prompt {number} has {len(tokens)} tokens, the context {context_length}; "
            "shorten it, or open the model with a larger context_length"
        )
    most = room if params.max_tokens is None else min(params.max_tokens, room)
    return Request(number, tokens, params, most, stop_ids, client, filter_factory=filter_factory)


def rows_request(tokens: object, context_length: int, vocab_size: int) -> Request:
    """A request for the logits after every token.

    Raises
    ------
    ArgumentError
        A token does not exist.
    CapacityError
        They are more than the context holds.
    """
    ids = checked_tokens(tokens, "tokens", vocab_size)
    if not ids:
        raise ArgumentError("tokens are empty; there are logits after one token or more")
    if len(ids) > context_length:
        raise CapacityError(
            f"{len(ids)} tokens do not fit the context of {context_length}; "
            "open the model with a larger context_length"
        )
    return Request(0, ids, SamplingParams(), 0, frozenset(), wants_rows=True)


def context_length_of(wanted: int | None, config: ModelConfig) -> int:
    """The wanted context length, or the default for the model."""
    most = config.max_position_embeddings
    if wanted is None:
        return min(DEFAULT_CONTEXT, most)
    if not 1 <= check_count("context_length", wanted, least=0) <= most:
        raise ArgumentError(f"context_length={wanted}: the model allows 1 to {most}")
    return wanted
