"""Runs steps of a model: which tokens of which sequences go in, and logits come out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pyhades.compiler.trace import Trace
from pyhades.compiler.view import Array
from pyhades.config import thread_count
from pyhades.errors import ArgumentError, CancelledError
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.cache.clock import steady_time
from pyhades.llm.cache.kv_cache import KvCache
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.policies import DEFAULT_POLICY, PolicyName
from pyhades.llm.cache.pool import FREED
from pyhades.llm.cache.sequences import Sequence
from pyhades.llm.engine.few_logits import FewLogits
from pyhades.llm.engine.token_filter import Words
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.registry import architecture_of
from pyhades.llm.models.step import Limits
from pyhades.llm.models.weights import ModelWeights

Logits = NDArray[np.float32]

STEP_TOKENS = 512
"""Tokens of a prompt per step: enough to read each expert for some 60 tokens, see bench_llm."""
WANTED_ROWS = 64


@dataclass(frozen=True)
class Piece:
    """Tokens to append to a sequence, and which of their logits are wanted.

    ``wanted`` counts from the end: 1 for the last token only, 0 for none. The last ``drafts``
    tokens are guesses: :meth:`Runner.keep` has to say how many of all were right.
    """

    sequence: Sequence
    tokens: Items[int]
    wanted: int = 1
    drafts: int = 0


class Runner:
    """A model with its cache, ready for steps.

    Parameters
    ----------
    config, weights
        The model.
    context_length
        Most tokens of a sequence, prompt and answer together.
    max_sequences
        Most sequences in a step, and in the cache.
    threads, isa
        As in :func:`pyhades.compile`.
    kv_format
        ``"bf16"`` or ``"int8"``.
    step_tokens
        Most tokens in a step.
    cache_tokens
        For how many tokens the cache has room; by default for all sequences at full length.
    prefix_cache
        Whether what was read is kept for those who begin with the same text.
    levels, policy, facts, clock
        As in :class:`pyhades.llm.cache.kv_cache.KvCache`.
    """

    def __init__(
        self,
        config: ModelConfig,
        weights: ModelWeights[Any],
        context_length: int,
        max_sequences: int = 8,
        threads: int | None = None,
        isa: str | None = None,
        kv_format: KvFormat = "bf16",
        step_tokens: int = STEP_TOKENS,
        keep_all: bool = False,
        cache_tokens: int | None = None,
        prefix_cache: bool = True,
        levels: Levels | None = None,
        policy: PolicyName = DEFAULT_POLICY,
        facts: Mapping[str, str] = MappingProxyType({}),
        clock: Callable[[], float] = steady_time,
    ) -> None:
        step_tokens = max(step_tokens, max_sequences)
        self.config = config
        self.limits = Limits(step_tokens, max_sequences, max(WANTED_ROWS, max_sequences))
        self.cache = KvCache(
            config, context_length, max_sequences, step_tokens, kv_format, cache_tokens,
            prefix_cache, levels, policy, facts, clock,
        )  # fmt: skip
        caches = {
            kind: (pool.memory.shape, self.cache.blocks_per_sequence)
            for kind, pool in self.cache.pools.items()
        }
        build_step = architecture_of(config).build_step
        builder = build_step(config, weights, self.limits, caches, kv_format)
        self.threads, self.isa = thread_count(threads).count, isa
        self.step = builder.build(threads=self.threads, isa=isa, keep_all=keep_all)
        self._feeds = self._allocate()
        self.few_logits: FewLogits | None = None
        if builder.head is not None:
            self._feeds |= builder.head.bindings(self.limits.wanted)
            self.few_logits = FewLogits(builder.head, self._feeds)
        self._is_cancelled = False

    def run(self, pieces: Iterable[Piece], allowed: Words | None = None) -> list[Logits]:
        """Append every piece to its sequence; the wanted rows of logits of each piece.

        Parameters
        ----------
        pieces
            Of different sequences.
        allowed
            A bit per token, of which alone logits are wanted; those of others may mean nothing.

        Returns
        -------
        list of ndarray
            float32 ``[wanted, vocab_size]`` per piece, in a buffer that the next step overwrites.

        Raises
        ------
        ArgumentError
            More tokens, sequences or wanted rows than a step takes, or a token that does not exist.
        CapacityError
            No room in the cache; the sequences are as they were.
        CancelledError, KeyboardInterrupt
            The step was stopped; the sequences are as they were.
        """
        pieces = list(pieces)
        self._check(pieces)
        if self._is_cancelled:
            raise CancelledError("the work was cancelled between two steps")
        before = [piece.sequence.length for piece in pieces]
        try:
            self._bind(pieces, allowed)
            self.step.run(self._feeds)
        except BaseException:
            for piece, length in zip(pieces, before, strict=True):
                self.cache.truncate(piece.sequence, length)
            raise
        if self.few_logits is not None:
            self.few_logits.place()
        for piece in pieces:
            if not piece.drafts:
                self.cache.follow(piece.sequence, piece.tokens)
        logits: list[Logits] = []
        first = 0
        for piece in pieces:
            logits.append(self._feeds["logits"][first : first + piece.wanted])
            first += piece.wanted
        return logits

    def keep(self, piece: Piece, count: int) -> None:
        """Keep the first tokens of a piece with drafts that was just run, and drop the others.

        Nothing remembers those: the cache is as if they had never been there.

        Parameters
        ----------
        piece
            With drafts; it was part of the last step.
        count
            How many of its tokens stay.
        """
        sequence = piece.sequence
        self.cache.truncate(sequence, sequence.length - len(piece.tokens) + count)
        self.cache.follow(sequence, piece.tokens[:count])

    @property
    def logits(self) -> Logits:
        """The buffer of all wanted rows, those of the last step at its beginning."""
        return cast(Logits, self._feeds["logits"])

    @property
    def chosen_experts(self) -> NDArray[np.int32]:
        """Which experts the last step's tokens went to: int32 ``[layers, tokens, k]``."""
        tokens = int(self._feeds["counts"][0])
        return np.asarray(self._feeds["chosen"][:, :tokens])

    def trace(self, pieces: Iterable[Piece]) -> Trace:
        """Time every instruction of a step; the sequences stay as they were."""
        pieces = list(pieces)
        self._check(pieces)
        before = [piece.sequence.length for piece in pieces]
        try:
            self._bind(pieces)
            return self.step.trace(self._feeds)
        finally:
            for piece, length in zip(pieces, before, strict=True):
                self.cache.truncate(piece.sequence, length)

    def cancel(self) -> None:
        """Stop the step that another thread is running, and refuse more until :meth:`allow`."""
        self._is_cancelled = True
        self.step.cancel()

    def allow(self) -> None:
        """Take steps again after :meth:`cancel`."""
        self._is_cancelled = False

    def close(self) -> None:
        """Free arena and cache."""
        self.step.close()
        self._feeds.clear()
        self.cache.close()

    def _allocate(self) -> dict[str, Array]:
        limits, cache = self.limits, self.cache
        feeds: dict[str, Array] = {
            "counts": np.zeros(4, np.int32),
            "tokens": np.zeros(limits.tokens, np.int32),
            "positions": np.zeros(limits.tokens, np.int32),
            "first_token": np.zeros(limits.sequences + 1, np.int32),
            "lengths": np.zeros(limits.sequences, np.int32),
            "wanted": np.zeros(limits.wanted, np.int32),
            "logits": np.zeros((limits.wanted, self.config.vocab_size), np.float32),
            "chosen": np.zeros(
                (self.config.num_hidden_layers, limits.tokens, self.config.num_experts_per_tok),
                np.int32,
            ),
        }
        for kind, pool in cache.pools.items():
            feeds[f"{kind}.pool"] = pool.memory
            feeds[f"{kind}.slots"] = np.zeros(limits.tokens, np.int32)
            shape = (limits.sequences, cache.blocks_per_sequence)
            feeds[f"{kind}.block_table"] = np.full(shape, FREED, np.int32)
        return feeds

    def _check(self, pieces: Items[Piece]) -> None:
        tokens = sum(len(piece.tokens) for piece in pieces)
        wanted = sum(piece.wanted for piece in pieces)
        for what, number, most in (
            ("tokens", tokens, self.limits.tokens),
            ("sequences", len(pieces), self.limits.sequences),
            ("rows of logits", wanted, self.limits.wanted),
        ):
            if number > most:
                raise ArgumentError(f"a step takes at most {most} {what}, not {number}")
        for piece in pieces:
            if not 0 <= piece.wanted <= len(piece.tokens):
                raise ArgumentError(f"wanted={piece.wanted} of {len(piece.tokens)} tokens")
            if not 0 <= piece.drafts <= max(piece.wanted - 1, 0):
                raise ArgumentError(
                    f"drafts={piece.drafts} with wanted={piece.wanted}: the logits of every draft "
                    "are needed, and those before it"
                )
            ids = np.asarray(piece.tokens)
            if ids.size and not (ids.min() >= 0 and ids.max() < self.config.vocab_size):
                raise ArgumentError(
                    f"token {ids.max() if ids.min() >= 0 else ids.min()} is not in the vocabulary "
                    f"of {self.config.vocab_size}"
                )

    def _bind(self, pieces: Items[Piece], allowed: Words | None = None) -> None:
        """Make room in the cache, then write down what the step is to do."""
        feeds = self._feeds
        first = row = 0
        for index, piece in enumerate(pieces):
            sequence, count = piece.sequence, len(piece.tokens)
            start = sequence.length
            slots = self.cache.append(sequence, count)
            end = first + count
            feeds["tokens"][first:end] = piece.tokens
            feeds["positions"][first:end] = np.arange(start, start + count)
            feeds["first_token"][index] = first
            feeds["lengths"][index] = start + count
            feeds["wanted"][row : row + piece.wanted] = np.arange(end - piece.wanted, end)
            self._bind_blocks(slots, sequence, index, first)
            first, row = end, row + piece.wanted
        feeds["first_token"][len(pieces)] = first
        feeds["counts"][:3] = first, len(pieces), row
        if self.few_logits is not None:
            self.few_logits.prepare(row, allowed)

    def _bind_blocks(
        self, slots: Mapping[str, NDArray[np.int32]], sequence: Sequence, index: int, first: int
    ) -> None:
        for kind, places in slots.items():
            self._feeds[f"{kind}.slots"][first : first + len(places)] = places
            blocks = np.asarray(sequence.blocks[kind], np.int32)
            pool = self.cache.pools[kind]
            if pool.window:  # what reads a lost window again looks at nothing before it
                blocks[blocks == FREED] = pool.blank
            self._feeds[f"{kind}.block_table"][index, : len(blocks)] = blocks
