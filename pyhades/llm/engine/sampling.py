"""From logits to a token: what may be sampled, and how."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from pyhades.errors import ArgumentTypeError
from pyhades.kernels.sampling import SETTINGS
from pyhades.llm.engine.batch_sampler import BatchSampler, Logits, Sampled
from pyhades.llm.engine.sampler_state import SamplerState
from pyhades.llm.engine.sampling_checks import RANGES, biases_of, check_range, stop_strings
from pyhades.llm.engine.token_filter import FilterFactory
from pyhades.llm.engine.token_table import TokenTable

COOLEST = 1e-3
"""Lowest temperature that differs from greedy decoding."""
_MOST = 2**31 - 1
_HUGE = 1e30


@dataclass(frozen=True)
class SamplingParams:
    """How to choose tokens, and when to stop.

    The steps are applied in this order: bias and penalties, temperature, top-k, top-p, min-p.
    None stands for the default of every parameter.

    Parameters
    ----------
    temperature
        0 takes the likeliest token, the lowest id among equals; 1 samples as the model says. From
        0.001 down, but for 0, it is 0.001.
    top_k
        Only the ``top_k`` likeliest tokens; 0 or -1 for all.
    top_p
        Only the likeliest tokens that together have this probability.
    min_p
        Only tokens at least this likely in comparison with the likeliest.
    repetition_penalty
        Logits of tokens of prompt and answer are divided by this where they are positive, and
        multiplied where they are negative.
    presence_penalty
        Subtracted from the logits of tokens of the answer.
    frequency_penalty
        Subtracted from them once for each time they were sampled.
    logit_bias
        Added to logits, by token id; ids may be text, as JSON has them.
    seed
        The same seed gives the same tokens, for any number of threads; None is different each time.
    stop
        Strings that end the answer, and are not part of it.
    max_tokens
        Most tokens of an answer; None for what the context leaves.
    logprobs
        Give the log-probability of each token, and of this many of the likeliest; True is 0 of
        them, False is none at all. They are those of the model, before temperature, bias and
        penalties.
    n
        How many answers to give.
    ignore_eos
        Do not stop at the model's end-of-text tokens.

    Raises
    ------
    ArgumentError
        A value lies outside its range.
    ArgumentTypeError
        A value has the wrong type.

    Examples
    --------
    >>> SamplingParams(temperature=0.7, stop="END").stop
    ('END',)
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] | None = None
    seed: int | None = None
    stop: str | Sequence[str] = ()
    max_tokens: int | None = None
    logprobs: int | None = None
    n: int = 1
    ignore_eos: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) is None:
                self._set(field.name, field.default)
        if isinstance(self.logprobs, bool):
            self._set("logprobs", 0 if self.logprobs else None)
        for name in RANGES:
            check_range(name, getattr(self, name))
        if not isinstance(self.ignore_eos, (bool, np.bool_)):
            raise ArgumentTypeError(f"ignore_eos={self.ignore_eos!r} is neither True nor False")
        self._set("top_k", max(self.top_k, 0))
        if 0 < self.temperature < COOLEST:  # as others do: some clients spell greedy so
            self._set("temperature", COOLEST)
        self._set("stop", stop_strings(self.stop))
        if self.logit_bias is not None:
            self._set("logit_bias", biases_of(self.logit_bias))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def changed(self, **fields_to_set: Any) -> SamplingParams:
        """The same with some fields set anew.

        Raises
        ------
        ArgumentTypeError
            There is no such field.

        Examples
        --------
        >>> SamplingParams(seed=1).changed(temperature=0).temperature
        0
        """
        unknown = fields_to_set.keys() - {field.name for field in fields(self)}
        if unknown:
            known = ", ".join(field.name for field in fields(self))
            raise ArgumentTypeError(
                f"there is no sampling parameter {', '.join(sorted(unknown))}; there are {known}"
            )
        return replace(self, **fields_to_set)

    @property
    def is_plain(self) -> bool:
        """Whether any token may be sampled."""
        return (self.top_k, self.top_p, self.min_p) == (0, 1, 0)

    @property
    def has_penalties(self) -> bool:
        """Whether the tokens so far change the logits."""
        return (self.repetition_penalty, self.presence_penalty, self.frequency_penalty) != (1, 0, 0)


class Sampler(SamplerState):
    """Chooses the tokens of one answer, one after the other.

    The engine chooses those of all answers at once, by a
    :class:`pyhades.llm.engine.batch_sampler.BatchSampler`.

    Parameters
    ----------
    params
        How to choose.
    prompt_tokens
        Ids of the prompt, which the repetition penalty counts.
    branch
        Number of the answer; each of several answers to a prompt has random numbers of its own.
    filter_factory
        Makes what allows tokens; None allows all.

    Examples
    --------
    >>> sampler = Sampler(SamplingParams(temperature=0), prompt_tokens=[])
    >>> sampler.sample(np.float32([0.5, 2.0, 1.0])).token
    1
    """

    def __init__(
        self,
        params: SamplingParams,
        prompt_tokens: Sequence[int],
        branch: int = 0,
        filter_factory: FilterFactory | None = None,
    ) -> None:
        entropy = None if params.seed is None else [params.seed, branch]
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
        super().__init__(
            [_single(getattr(params, name)) for name in SETTINGS],
            min(params.top_k, _MOST),
            -1 if params.logprobs is None else min(params.logprobs, _MOST),
            random if params.temperature > 0 else None,
            _table(params, prompt_tokens),
            counts_tokens=params.has_penalties,
            filter_factory=filter_factory,
        )
        self.params = params

    def sample(self, logits: Logits) -> Sampled:
        """Choose the next token of this answer alone.

        Parameters
        ----------
        logits
            float32 ``[vocab_size]``; they are not changed.

        Returns
        -------
        Sampled
            The token, which later penalties take into account.

        Raises
        ------
        ModelError
            The logits are not finite.
        ArgumentError
            ``logit_bias`` has an id that the vocabulary lacks.
        """
        rows = np.asarray(logits, np.float32)[None]
        [sampled] = BatchSampler(rows.shape[1], threads=1).sample(rows, [0], [self])
        if isinstance(sampled, Exception):
            raise sampled
        return sampled


def _table(params: SamplingParams, prompt_tokens: Sequence[int]) -> TokenTable | None:
    if not params.has_penalties and not params.logit_bias:
        return None
    biases = {token: _single(bias) for token, bias in (params.logit_bias or {}).items()}
    return TokenTable(biases, prompt_tokens if params.has_penalties else ())


def _single(value: float) -> float:
    """Within what float32 holds, with room for sums; -inf stays."""
    return value if value == -math.inf else min(max(float(value), -_HUGE), _HUGE)
