"""The terms of a model: what every request is made and checked by, of a text or of a chat."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items
from functools import cached_property
from typing import Any

from pyhades.errors import ArgumentError, ArgumentTypeError, ConfigurationError
from pyhades.llm.engine.request import Prompt, Request, checked_tokens, request_of, rows_request
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.engine.token_filter import FilterFactory
from pyhades.llm.grammar.compiled import Grammar, Grammars
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.text.tokenizer import Tokenizer


class ModelTerms:
    """What a model takes and how much of it, with the grammars that were compiled for it.

    It knows nothing of the engine: requests can be made and looked at without asking the model.

    Parameters
    ----------
    name
        Of the model, for messages.
    config
        Of the model.
    tokenizer
        None where it takes token ids only.
    context_length
        Most tokens of prompt and answer together.
    max_sequences
        Most answers that are written at the same time.
    """

    def __init__(
        self,
        name: str,
        config: ModelConfig,
        tokenizer: Tokenizer | None,
        context_length: int,
        max_sequences: int,
    ) -> None:
        self.name = name
        self.config = config
        self.context_length = context_length
        self.max_sequences = max_sequences
        self._tokenizer = tokenizer

    @property
    def has_tokenizer(self) -> bool:
        """Whether the model takes text, and not token ids only."""
        return self._tokenizer is not None

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model; ConfigurationError where it has none."""
        if self._tokenizer is None:
            raise ConfigurationError(
                f"{self.name} has no tokenizer.json; put it beside the weights, or pass token ids"
            )
        return self._tokenizer

    def tokens_of(self, prompt: Prompt) -> Items[int]:
        """The tokens of a text, in which none is special; token ids as they are."""
        return self.tokenizer.encode(prompt) if isinstance(prompt, str) else prompt

    def sampling(
        self, params: SamplingParams | None, keywords: Mapping[str, Any]
    ) -> SamplingParams:
        """Parameters, with some fields set anew.

        Raises
        ------
        ArgumentError
            One means nothing, or more answers are wanted than are written at once.
        """
        if not isinstance(params, SamplingParams | None):
            raise ArgumentTypeError(
                f"params is {type(params).__name__}; give SamplingParams, or keywords such as "
                "max_tokens=50"
            )
        sampling = (params or SamplingParams()).changed(**keywords)
        if sampling.n > self.max_sequences:
            raise ArgumentError(
                f"n={sampling.n}: this model writes at most {self.max_sequences} answers at once"
            )
        return sampling

    def stop_ids(self, params: SamplingParams) -> frozenset[int]:
        """The tokens that end an answer."""
        return frozenset() if params.ignore_eos else frozenset(self.config.eos_token_ids)

    def drafts(self, prediction: Prompt | None) -> tuple[tuple[int, ...], ...]:
        """What answers are likely to repeat, as tokens."""
        if prediction is None or isinstance(prediction, str):
            return (tuple(self.tokens_of(prediction)),) if prediction else ()
        tokens = checked_tokens(prediction, "prediction", self.config.vocab_size)
        return (tokens,) if tokens else ()

    def filters(self, grammar: Grammar | None, begun: Items[int] = ()) -> FilterFactory | None:
        """What keeps answers to a grammar; compiled here, in the thread of the caller."""
        return None if grammar is None else self._grammars.compiled(grammar).filters(begun)

    @cached_property
    def _grammars(self) -> Grammars:
        return Grammars(self.tokenizer, self.config.vocab_size, self.config.eos_token_ids)

    def request(
        self,
        number: int,
        prompt: Items[int],
        params: SamplingParams,
        stop_ids: frozenset[int],
        client: str,
        filters: FilterFactory | None,
    ) -> Request:
        """A request for what follows a prompt, checked; what is wrong with it is said here."""
        return request_of(
            number, prompt, params, self.context_length, stop_ids, self.config.vocab_size, client,
            filters,
        )  # fmt: skip

    def rows_request(self, tokens: Items[int]) -> Request:
        """A request for the logits after every token."""
        return rows_request(tokens, self.context_length, self.config.vocab_size)
