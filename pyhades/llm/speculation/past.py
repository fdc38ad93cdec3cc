"""Earlier answers, which later ones to the same client may repeat."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from pyhades.llm.speculation.suffix_automaton import SuffixAutomaton

CLIENTS = 32
"""Clients of whom answers are kept; of others than the last, none."""


class PastAnswers:
    """The last answers to each client, which nobody else's drafts come from.

    Parameters
    ----------
    tokens
        Most tokens that are kept of each client's; the oldest go first, half of them at a time.

    Examples
    --------
    >>> past = PastAnswers(100)
    >>> past.add("a", [1, 2, 3])
    >>> [automaton.size for automaton in past.of("a")], past.of("b")
    ([4], ())
    """

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens
        self._of: OrderedDict[str, tuple[SuffixAutomaton, ...]] = OrderedDict()

    def add(self, client: str, tokens: Sequence[int]) -> None:
        """Keep an answer."""
        half = self._tokens // 2
        tokens = tokens[:half]
        if not tokens:
            return
        kept = self._of.get(client, ())
        if not kept or kept[-1].size + len(tokens) >= half:
            kept = (*kept[-1:], SuffixAutomaton())
        kept[-1].extend_all(tokens)
        kept[-1].extend(-kept[-1].size - 1)  # so that no answer goes on as the next one
        self._of[client] = kept
        self._of.move_to_end(client)
        if len(self._of) > CLIENTS:
            self._of.popitem(last=False)

    def of(self, client: str) -> tuple[SuffixAutomaton, ...]:
        """What is kept of a client's answers, the oldest first."""
        return self._of.get(client, ())
