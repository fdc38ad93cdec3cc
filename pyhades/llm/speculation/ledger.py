"""What speculation may lose: an account of steps of time."""

from __future__ import annotations

INCOME = 0.01
"""Of each step, what may be lost without having been gained before."""
OPENING = 1.0
"""Steps that may be lost at first, to try at all."""
MOST = 4.0
"""Steps that are kept of what was gained: what drafts that were right for long may lose."""
FIRST_PAUSE = 32
LONGEST_PAUSE = 4096


class Ledger:
    """Gains and losses of drafts, in steps of so much time as they take without drafts.

    Whatever speculation takes is paid from the account, whatever it saves is paid in. Nothing is
    tried that could cost more than there is, and an empty account is a pause, which doubles each
    time, and is short again after a gain. So over any number of steps the loss is at most
    :data:`INCOME` of them and the :data:`OPENING`, plus what was gained before.

    Parameters
    ----------
    income
        Share of the time that may be lost.

    Examples
    --------
    >>> ledger = Ledger()
    >>> ledger.enter(-3.0)
    >>> ledger.is_paused
    True
    """

    def __init__(self, income: float = INCOME) -> None:
        self.balance = OPENING
        """Steps that may be lost."""
        self.pauses = 0
        self._income = income
        self._left = 0
        self._next_pause = FIRST_PAUSE

    @property
    def is_paused(self) -> bool:
        """Whether nothing is to be tried now."""
        return self._left > 0

    def enter(self, gained: float) -> None:
        """Take note of a step, and of what drafts have gained in it: negative where it was lost."""
        self.balance = min(self.balance + gained + self._income, MOST)
        if self._left:
            self._left -= 1
            if not self._left and self.balance <= 0:
                self._left = 1  # not before there is something to lose again
        elif self.balance < 0:
            self._left = self._next_pause
            self._next_pause = min(2 * self._next_pause, LONGEST_PAUSE)
            self.pauses += 1
        elif self.balance > OPENING:
            self._next_pause = FIRST_PAUSE
