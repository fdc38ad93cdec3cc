"""Calls of tools in ChatML: JSON with a name and arguments, between two markers."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from pyhades.llm.text.chat_prompt import Guide

_BEGINNING = re.compile(r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\S)')
_END = re.compile(r"\s*\}?\s*$")


def call_beginning(name: str) -> str:
    """What stands before the arguments of a call."""
    return f'\n{{"name": {json.dumps(name, ensure_ascii=False)}, "arguments": '


CALL_END = "}\n"
"""What stands behind them."""


class CallReader:
    """Splits what stands between the markers, as it comes.

    Attributes
    ----------
    name
        Of the function, once it is known.

    Examples
    --------
    >>> reader = CallReader()
    >>> [reader.push(text) for text in ('{"name": "f", "argu', 'ments": {"x"', ": {}}}")]
    ['', '{"x"', ': {}}']
    >>> reader.name, reader.finish()
    ('f', '')
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self._text = ""

    def push(self, text: str) -> str:
        """What has come of the arguments."""
        self._text += text
        if self.name is None:
            beginning = _BEGINNING.match(self._text)
            if beginning is None:
                return ""
            self.name = str(json.loads(beginning[1], strict=False))
            self._text = self._text[beginning.end() :]
        end = _END.search(self._text)
        assert end is not None
        sure, self._text = self._text[: end.start()], self._text[end.start() :]
        return sure

    def finish(self, *, is_cut: bool = False) -> str:
        """The rest of the arguments; without a :attr:`name`, the text of what is no call.

        Parameters
        ----------
        is_cut
            Whether the call did not come to its end, so that a last brace may be theirs.
        """
        rest, self._text = self._text, ""
        if self.name is not None:
            return rest if is_cut else ""
        try:
            call = json.loads(rest, strict=False)
        except ValueError:
            return rest
        if not isinstance(call, dict) or not isinstance(call.get("name"), str):
            return rest
        self.name = call["name"]
        arguments = call.get("arguments", {})
        return (
            arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        )


class OneCall:
    """Ends an answer after its first call; before, it is guided by another.

    Parameters
    ----------
    called, end
        The tokens that end a call, and an answer.
    other
        What guides besides.
    """

    is_over = False

    def __init__(self, called: int, end: int, other: Guide | None) -> None:
        self._called, self._end, self._other = called, end, other

    def after(self, token: int) -> Sequence[int]:
        """The tokens that have to follow."""
        forced = () if self._other is None else self._other.after(token)
        return (self._end,) if token == self._called else forced
