"""What speculation may lose: an account of time."""

from __future__ import annotations

INCOME = 0.01
"""Of the time of all steps, what may be lost without having been gained before."""
OPENING = 1.0
"""Steps that may be lost at first, to try at all; no more is saved up by waiting."""
MOST = 4.0
"""Steps that are kept of what was gained: what drafts that were right for long may lose."""
LEAST = 0.05
"""Steps with less than which nothing is tried."""
FIRST_PAUSE = 16
LONGEST_PAUSE = 4096


class Ledger:
    """Gains and losses of drafts.

    Whatever speculation takes, searching included, is paid from the account, whatever it saves is
    paid in. Nothing is tried that could cost more than there is, and an empty account is a pause,
    which is longer each time, and short again after a gain. So over any stretch of time the loss is
    at most :data:`INCOME` of it and :data:`OPENING` steps, plus what was gained before.

    Examples
    --------
    >>> ledger = Ledger()
    >>> ledger.enter(seconds=0.1, gained=0.0, unit=0.1)
    >>> ledger.balance
    0.1
    >>> ledger.enter(seconds=0.2, gained=-0.1, unit=0.1)
    >>> ledger.is_paused
    True
    """

    def __init__(self) -> None:
        self.balance = 0.0
        """Seconds that may be lost."""
        self.pauses = 0
        self._is_new = True
        self._left = 0
        self._next_pause = FIRST_PAUSE

    @property
    def is_paused(self) -> bool:
        """Whether nothing is to be tried now."""
        return self._left > 0

    def enter(self, seconds: float, gained: float, unit: float) -> None:
        """Take note of a step.

        Parameters
        ----------
        seconds
            That it has taken.
        gained
            Those that drafts have saved: negative where they were lost.
        unit
            Of a step that writes a token of each answer, without drafts.
        """
        if self._is_new:
            self._is_new, self.balance = False, OPENING * unit
        with_income = max(self.balance, min(self.balance + INCOME * seconds, OPENING * unit))
        self.balance = min(with_income + gained, MOST * unit)
        if self._left:
            self._left -= 1
            if not self._left and self.balance < LEAST * unit:
                self._left = 1  # not before there is something to lose again
        elif self.balance < LEAST * unit:
            self._left = self._next_pause
            self._next_pause = min(2 * self._next_pause, LONGEST_PAUSE)
            self.pauses += 1
        elif self.balance > OPENING * unit:
            self._next_pause = FIRST_PAUSE
