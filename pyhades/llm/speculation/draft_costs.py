"""What drafts cost a step: their rows, the search for them, and sampling one after the other."""

from __future__ import annotations

from collections.abc import Callable

LEARNING = 0.2
"""Weight of a step in what is known."""
SEEN = 3
"""Steps after which what was measured counts, and what was assumed no more."""
UNTRIED = 0.8
"""Of what other rows would take: those of one text go to the same experts more often."""

StepSeconds = Callable[[int, int], float]
"""Seconds of the kernels of a step, by rows and tokens that those look back at."""


class DraftCosts:
    """Seconds of steps without drafts, and what drafts add.

    Until it has been measured, that is what rows of other texts would add, less some: rows of one
    text share experts, and what is never tried is never known.

    Parameters
    ----------
    seconds
        Of the kernels of a step, see :class:`pyhades.llm.engine.step_costs.StepCosts`.
    untried
        How what was never measured is assumed to be, compared with rows of other texts.

    Examples
    --------
    >>> costs = DraftCosts(lambda rows, looks: 0.04 + 0.02 * rows)
    >>> round(costs.plain(1, 0, writers=1), 3), round(costs.extra(1, 0, 1, drafts=3), 3)
    (0.06, 0.048)
    >>> for _ in range(20):
    ...     costs.learn(1, 0, 1, drafts=3, seconds=0.09)
    >>> round(costs.extra(1, 0, 1, drafts=3), 3)
    0.03
    """

    def __init__(self, seconds: StepSeconds, untried: float = UNTRIED) -> None:
        self._seconds = seconds
        self._untried = untried
        self._writing: dict[int, tuple[float, float]] = {}
        """By answers, what a step that does nothing but write them takes, and how far it looks."""
        self._share: dict[tuple[int, int], tuple[float, int]] = {}
        """By sizes of rows and drafts: what a draft adds, as a share of the step without; how often
        that was measured."""
        self._assumed: dict[tuple[int, int], float] = {}

    def plain(self, rows: int, looks: int, writers: int) -> float:
        """Seconds of a whole step without drafts."""
        kernels = self._seconds(rows, looks)
        measured, looked = self._writing.get(writers, (0.0, 0.0))
        around = measured - self._seconds(writers, round(looked)) if measured else 0.0
        return max(kernels + around, 0.1 * kernels, 1e-9)

    def extra(
        self, rows: int, looks: int, writers: int, drafts: int, plain: float | None = None
    ) -> float:
        """Seconds that drafts add to a step, which takes ``plain`` without, if that is known."""
        if plain is None:
            plain = self.plain(rows, looks, writers)
        return drafts * self.share(rows, looks, drafts) * plain

    def share(self, rows: int, looks: int, drafts: int) -> float:
        """What a draft adds to a step with so many, as a share of the step without."""
        size = _size(rows, drafts)
        known, times = self._share.get(size, (0.0, 0))
        if times >= SEEN:
            return known
        assumed = self._assumed.get(size)
        if assumed is None:
            before = self._seconds(rows, looks)
            after = self._seconds(rows + drafts, looks + drafts * looks // max(rows, 1))
            assumed = max(after / max(before, 1e-9) - 1, 0.0) / drafts * self._untried
            self._assumed[size] = assumed
        return (known * times + assumed * (SEEN - times)) / SEEN

    def learn(self, rows: int, looks: int, writers: int, drafts: int, seconds: float) -> None:
        """Take into account what a whole step has taken.

        Parameters
        ----------
        rows, looks
            Without drafts.
        """
        plain = self.plain(rows, looks, writers)
        if not drafts:
            self._assumed.clear()  # it follows what steps without drafts take
            if rows == writers:
                self._learn_writing(writers, looks, min(seconds, 2 * plain))
            return
        seconds = min(seconds, 2 * (plain + self.extra(rows, looks, writers, drafts)))
        size = _size(rows, drafts)
        known, times = self._share.get(size, (0.0, 0))
        weight = max(LEARNING, 1 / (times + 1))
        share = max(seconds / plain - 1, 0.0) / drafts
        self._share[size] = known + weight * (share - known), times + 1

    def _learn_writing(self, writers: int, looks: int, seconds: float) -> None:
        known, looked = self._writing.get(writers, (seconds, float(looks)))
        known += LEARNING * (seconds - known)
        self._writing[writers] = known, looked + LEARNING * (looks - looked)


def _size(rows: int, drafts: int) -> tuple[int, int]:
    """Steps of similar size are one."""
    return rows.bit_length(), min(drafts, 8) if drafts < 16 else 8 + drafts.bit_length()
