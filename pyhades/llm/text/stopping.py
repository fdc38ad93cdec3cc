"""Stop strings in a stream of text."""

from __future__ import annotations

from collections.abc import Iterable


class StopStrings:
    """Finds the first of several strings in text that comes in pieces.

    Text that may turn out to be the beginning of a stop string is held back. What is emitted does
    not depend on how the text is cut into pieces: the string that is complete first ends it.

    Parameters
    ----------
    stop
        Strings that end the text; they are not part of it.

    Examples
    --------
    >>> stops = StopStrings(["###"])
    >>> stops.push("one #")
    ('one ', False)
    >>> stops.push("## two")
    ('', True)
    """

    def __init__(self, stop: Iterable[str]) -> None:
        self._stops = tuple(stop)
        self._held = ""

    def push(self, text: str) -> tuple[str, bool]:
        """Take more text.

        Returns
        -------
        text
            What can be shown now.
        stopped
            Whether a stop string is complete; whatever follows is dropped.
        """
        text = self._held + text
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self._held = ""
            return text[: min(found)[1]], True
        safe = len(text) - self._beginning(text)
        self._held = text[safe:]
        return text[:safe], False

    def flush(self) -> str:
        """The text held back, once it is known that nothing follows."""
        text, self._held = self._held, ""
        return text

    def _beginning(self, text: str) -> int:
        """Length of the longest end of ``text`` with which a stop string begins."""
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        for length in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stops):
                return length
        return 0
