"""Drafts of one answer, from whichever source promises most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Protocol

from pyhades.llm.speculation.acceptance import SUREST, Acceptance, Rate
from pyhades.llm.speculation.counts import SourceName
from pyhades.llm.speculation.sources import (
    Draft,
    Forced,
    Headers,
    OtherText,
    OwnText,
    Source,
    predicted,
)
from pyhades.llm.speculation.suffix_automaton import SuffixAutomaton

INDEXED = 32_768
"""Tokens of a prompt, the last of them, that an answer is expected to copy from."""
TAIL = 8
"""Of a prompt, tokens that show where its answer begins: its header may stand there."""
LEAST_CHANCE = 0.05
"""Drafts that are less likely right are not looked at."""
NEVER = -1
"""Tokens that a source has seen which need not see any."""


class Asked(Protocol):
    """What is known of a request."""

    @property
    def tokens(self) -> Sequence[int]:
        """Those of the prompt."""

    @property
    def drafts(self) -> Sequence[Sequence[int]]:
        """Texts that the answer may copy."""

    @property
    def headers(self) -> Sequence[Sequence[int]]:
        """What may stand between messages of the answer."""

    @property
    def client(self) -> str:
        """For whom."""

    @property
    def max_tokens(self) -> int:
        """Most tokens of the answer."""


class Foreseeing(Protocol):
    """What is known of the tokens that an answer may have."""

    def forced(self, most: int) -> Sequence[int]:
        """Tokens that come next because nothing else may."""

    def count_allowed(self, tokens: Sequence[int]) -> int:
        """How many of the first of some tokens may come next."""


class Writer(Hashable, Protocol):
    """An answer in progress."""

    @property
    def tokens(self) -> Sequence[int]:
        """Those of the prompt, and those written so far."""

    @property
    def request(self) -> Asked:
        """What it answers."""

    @property
    def sampler(self) -> Foreseeing:
        """What chooses its tokens."""


class Drafter:
    """Drafts of one answer.

    Parameters
    ----------
    writer
        The answer.
    acceptance
        How likely drafts are right; learned from them.
    past
        Earlier answers to the same client.
    """

    def __init__(
        self, writer: Writer, acceptance: Acceptance, past: Iterable[SuffixAutomaton] = ()
    ) -> None:
        self._writer = writer
        self._acceptance = acceptance
        self._rates: defaultdict[SourceName, Rate] = defaultdict(Rate)
        request = writer.request
        read = len(request.tokens)
        begins = max(read - TAIL, 0)
        # Sources, and how many tokens of prompt and answer each of them has seen.
        self._sources: list[tuple[Source, int]] = [
            (Forced(writer.sampler.forced), NEVER),
            (Headers(request.headers), begins),
            (OtherText("past", past), begins),
            (OwnText(), max(read - INDEXED, 0)),
        ]
        prediction = predicted(request.drafts, request.headers)
        if prediction is not None:
            self._sources.append((prediction, begins if request.headers else read))

    def catch_up(self, most: int) -> int:
        """Show the sources what has been written; how many tokens that were.

        Parameters
        ----------
        most
            Tokens to show now; the sources are asked once they have seen everything.
        """
        tokens, shown = self._writer.tokens, 0
        for index, (source, seen) in enumerate(self._sources):
            if seen == NEVER:
                continue
            new = tokens[seen : seen + max(most - shown, 0)]
            for token in new:
                source.accept(token)
            shown += len(new)
            self._sources[index] = source, seen + len(new)
        return shown

    def propose(self, most: int, least: float = LEAST_CHANCE) -> tuple[Draft, list[float]] | None:
        """The most promising draft, and how likely its first, its first two ... tokens are right.

        Parameters
        ----------
        most
            Tokens.
        least
            How likely they have to be right. Of a draft that is less likely right from the start
            there is the first token, without a chance: it is not to be tried, but to be learned
            from.

        Returns
        -------
        tuple or None
            None where nothing is known.
        """
        best: tuple[Draft, list[float]] | None = None
        promise = -1.0
        length = len(self._writer.tokens)
        for source, seen in self._sources:
            draft = source.propose(1) if seen in (length, NEVER) else None
            if draft is None:
                continue
            chances = self._chances(draft, least)
            if chances and most > 1:
                draft = source.propose(most) or draft
                chances = self._chances(draft, least)
            if sum(chances) > promise:
                best, promise = (draft, chances), sum(chances)
        if best is None or not best[1] or best[0].source == "grammar":
            return best
        allowed = self._writer.sampler.count_allowed(best[0].tokens[: len(best[1])])
        return (best[0].beginning(allowed), best[1][:allowed]) if allowed else None

    def learn(self, draft: Draft, came: Sequence[int]) -> None:
        """Take note of what came where a draft was proposed, whether or not it was tried."""
        rate = self._rates[draft.source]
        for token, key, actual in zip(draft.tokens, draft.keys, came, strict=False):
            was_right = token == actual
            rate.learn(self._acceptance.chance(key), was_right=was_right)
            self._acceptance.learn(key, was_right=was_right)
            if not was_right:
                return

    def _chances(self, draft: Draft, least: float) -> list[float]:
        factor = self._rates[draft.source].factor
        chances, chance = [], 1.0
        for key in draft.keys:
            chance *= min(self._acceptance.chance(key) * factor, SUREST)
            if chance < least:
                break
            chances.append(chance)
        return chances
