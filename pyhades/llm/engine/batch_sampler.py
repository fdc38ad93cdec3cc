"""The next tokens of all answers of a step, in one call of a kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pyhades.errors import ArgumentError, ModelError
from pyhades.kernels.sampling import (
    ADJUSTED,
    NOT_FINITE,
    NOTHING_ALLOWED,
    NUMBERS,
    SAMPLED,
    SETTINGS,
    AdjustedTokens,
    RowOperands,
    SampledRows,
    run_rows,
)
from pyhades.llm.engine.sampler_state import SamplerState
from pyhades.llm.engine.token_filter import Words, words_of

ROW, TOP_K, LIKELIEST, MASK_ROW = range(len(NUMBERS))
NO_MASK = -1
NO_DRAFTS: Mapping[int, Sequence[int]] = MappingProxyType({})

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Sampled:
    """A token, and if asked for its log-probability and the likeliest tokens with theirs."""

    token: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


class BatchSampler:
    """Chooses the next token of each of many answers.

    What the kernel reads stands in arrays that are kept from step to step: as long as the same
    answers take part, only what changed is written.

    Parameters
    ----------
    vocab_size
        Columns of logits.
    threads, isa
        As in :mod:`pyhades.kernels`; the tokens do not depend on threads.
    """

    def __init__(
        self, vocab_size: int, *, threads: int | None = None, isa: str | None = None
    ) -> None:
        self._vocab_size = vocab_size
        self._threads, self._isa = threads, isa
        self._samplers: list[SamplerState] = []
        self._numbers = np.zeros((0, len(NUMBERS)), np.int32)
        self._settings = np.zeros((0, len(SETTINGS)), np.float64)
        self._uniforms = np.zeros(0, np.float64)
        self._first = np.zeros(1, np.int32)
        self._adjusted = np.zeros((0, len(ADJUSTED)), np.int32)
        self._biases = np.zeros(0, np.float32)
        self._masks = np.zeros((0, words_of(vocab_size)), np.uint32)
        self._likeliest = 0
        self._reports = False
        self._asked: list[SamplerState] | None = None
        self._failures: dict[int, Exception] = {}

    def allowed(
        self, samplers: Sequence[SamplerState], drafts: Mapping[int, Sequence[int]] = NO_DRAFTS
    ) -> Words | None:
        """Ask what the next token of each answer may be, before there are logits.

        :meth:`sample`, which has to follow for the same answers, does not ask again.

        Parameters
        ----------
        samplers
            What is known of the answers.
        drafts
            Guesses of what comes next, by place of the answer: logits after those are needed, too.

        Returns
        -------
        ndarray or None
            uint32, a bit per token that one of them may have; None where that may be any, or where
            log-probabilities are wanted, which depend on all logits.
        """
        self._settle(samplers)
        self._asked = list(samplers)
        failures = self._failures = self._fill_masks(samplers)
        rows = self._numbers[: len(samplers), MASK_ROW]
        is_any = [place for place in np.flatnonzero(rows == NO_MASK) if place not in failures]
        if self._reports or is_any:
            return None
        masks = self._masks[rows[rows != NO_MASK]]
        if not len(masks):
            return None
        words = cast("Words", np.bitwise_or.reduce(masks, axis=0))
        for place, guesses in drafts.items():
            if place not in failures and not samplers[place].add_after(guesses, words):
                return None
        return words

    def sample(
        self, logits: Logits, rows: Sequence[int], samplers: Sequence[SamplerState]
    ) -> list[Sampled | Exception]:
        """The next token of each answer, of which its sampler takes note.

        Parameters
        ----------
        logits
            float32 ``[any, vocab_size]``; they are not changed.
        rows
            Which of them each answer continues.
        samplers
            What is known of the answers.

        Returns
        -------
        list
            Per answer what was sampled, or why nothing could be.
        """
        if not samplers:
            return []
        self._settle(samplers)
        self._numbers[: len(rows), ROW] = rows
        self._uniforms[: len(rows)] = [sampler.uniform() for sampler in samplers]
        failures = self._failures
        if self._asked != list(samplers):
            failures = self._fill_masks(samplers)
        self._asked = None
        adjusted = self._fill_adjusted(samplers, failures)
        sampled = self._run(logits, len(rows), adjusted)
        outcomes = self._outcomes(sampled, samplers)
        for place in np.flatnonzero(sampled.status != SAMPLED).tolist():
            failures.setdefault(place, _failure(sampled.status[place], logits[rows[place]]))
        for place, sampler in enumerate(samplers):
            if place not in failures:
                try:
                    sampler.accept(outcomes[place].token)
                except Exception as error:
                    failures[place] = error
        return [failures.get(place, outcome) for place, outcome in enumerate(outcomes)]

    def _settle(self, samplers: Sequence[SamplerState]) -> None:
        """Write down what stays as it is while the same answers take part."""
        if self._samplers == samplers:
            return
        self._samplers = list(samplers)
        count = len(samplers)
        if count > len(self._numbers):
            self._numbers = np.zeros((count, len(NUMBERS)), np.int32)
            self._settings = np.zeros((count, len(SETTINGS)), np.float64)
            self._uniforms = np.zeros(count, np.float64)
            self._first = np.zeros(count + 1, np.int32)
        self._settings[:count] = [sampler.settings for sampler in samplers]
        self._numbers[:count, TOP_K] = [sampler.top_k for sampler in samplers]
        likeliest = [min(sampler.likeliest, self._vocab_size) for sampler in samplers]
        self._numbers[:count, LIKELIEST] = likeliest
        self._numbers[:count, MASK_ROW] = NO_MASK
        self._likeliest = max(0, *likeliest)
        self._reports = max(likeliest) >= 0

    def _fill_masks(self, samplers: Sequence[SamplerState]) -> dict[int, Exception]:
        """Ask the filters of tokens; what went wrong with them, by answer."""
        failures: dict[int, Exception] = {}
        filtered = [place for place, sampler in enumerate(samplers) if sampler.is_filtered]
        if len(filtered) > len(self._masks):
            self._masks = np.zeros((len(filtered), words_of(self._vocab_size)), np.uint32)
        for mask, place in enumerate(filtered):
            try:
                is_limited = samplers[place].fill(self._masks[mask])
            except Exception as error:
                failures[place] = error
                is_limited = False
            self._numbers[place, MASK_ROW] = mask if is_limited else NO_MASK
        return failures

    def _fill_adjusted(
        self, samplers: Sequence[SamplerState], failures: dict[int, Exception]
    ) -> AdjustedTokens | None:
        tables = {
            place: sampler.table
            for place, sampler in enumerate(samplers)
            if sampler.table is not None
        }
        if not tables:
            return None
        total = sum(table.size for table in tables.values())
        if total > len(self._biases):
            self._adjusted = np.zeros((2 * total, len(ADJUSTED)), np.int32)
            self._biases = np.zeros(2 * total, np.float32)
        end = 0
        for place in range(len(samplers)):
            self._first[place] = end
            table = tables.get(place)
            if table is None:
                continue
            if table.largest >= self._vocab_size:
                failures[place] = ArgumentError(
                    f"logit_bias has token {table.largest}, the vocabulary {self._vocab_size}"
                )
                continue
            self._adjusted[end : end + table.size] = table.tokens
            self._biases[end : end + table.size] = table.biases
            end += table.size
        self._first[len(samplers)] = end
        return AdjustedTokens(
            self._first[: len(samplers) + 1], self._adjusted[:end], self._biases[:end]
        )

    def _run(self, logits: Logits, count: int, adjusted: AdjustedTokens | None) -> SampledRows:
        operands = RowOperands(
            logits,
            self._numbers[:count],
            self._settings[:count],
            self._uniforms[:count],
            adjusted,
            self._masks if len(self._masks) else None,
        )
        return run_rows(operands, self._likeliest, threads=self._threads, isa=self._isa)

    def _outcomes(self, sampled: SampledRows, samplers: Sequence[SamplerState]) -> list[Sampled]:
        tokens = sampled.tokens.tolist()
        if not self._reports:
            return [Sampled(token) for token in tokens]
        logprobs = sampled.logprobs.tolist()
        ids, logs = sampled.top_tokens.tolist(), sampled.top_logprobs.tolist()
        outcomes = []
        for place, sampler in enumerate(samplers):
            if sampler.likeliest < 0:
                outcomes.append(Sampled(tokens[place]))
                continue
            count = min(sampler.likeliest, self._vocab_size)
            top = tuple(zip(ids[place][:count], logs[place][:count], strict=True))
            outcomes.append(Sampled(tokens[place], logprobs[place], top))
        return outcomes


def _failure(status: int, row: Logits) -> ModelError:
    token = int(row.argmax())
    if status == NOT_FINITE:
        return ModelError(f"the logit of token {token} is {row[token]}; the weights are damaged")
    assert status == NOTHING_ALLOWED
    return ModelError(
        f"no token is left, where the largest logit is {row[token]}: the weights are damaged, or "
        "logit_bias or a grammar forbids every token"
    )
