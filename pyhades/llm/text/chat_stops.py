"""Stop strings in an answer: they end what is said to the user, not the reasoning before it."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import replace

from pyhades.llm.text.chat import ChatDelta
from pyhades.llm.text.stopping import StopStrings

Deltas = Generator[ChatDelta, None, None]


class ContentStops:
    """Cuts the pieces of an answer off at the first stop string in its content.

    Parameters
    ----------
    stop
        Strings that end the answer, and are not part of it.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stops = StopStrings(stop)
        self._content: ChatDelta | None = None
        self._held: list[ChatDelta] = []
        self.stopped = False
        """Whether a stop string has come; nothing may be pushed after it."""

    def push(self, delta: ChatDelta) -> list[ChatDelta]:
        """What can be shown after one more piece."""
        shown = []
        if self._content is not None and delta.index != self._content.index:
            shown = self._held_back(self._content)
            self._content = None
        if delta.kind != "content":
            return [*shown, delta]
        self._content = delta
        text, self.stopped = self._stops.push(delta.text)
        if self.stopped:
            return [*shown, self._released(replace(delta, text=text, finish_reason="stop"))]
        if delta.finish_reason is not None:
            return [*shown, *self._held_back(delta, text), replace(delta, text="")]
        if text or not delta.text:
            shown.append(self._released(replace(delta, text=text)))
        else:
            self._held.append(delta)
        return shown

    def _held_back(self, content: ChatDelta, text: str = "") -> list[ChatDelta]:
        """What was held back at the end of a message, where no stop string came of it."""
        text += self._stops.flush()
        last = replace(content, text=text, token_ids=(), logprobs=(), finish_reason=None)
        return [self._released(last)] if text else []

    def _released(self, delta: ChatDelta) -> ChatDelta:
        """A piece with the tokens of those that were held back before it."""
        pieces = [*self._held, delta]
        self._held = []
        return replace(
            delta,
            token_ids=tuple(token for piece in pieces for token in piece.token_ids),
            logprobs=tuple(logprob for piece in pieces for logprob in piece.logprobs),
        )


def until_stop(deltas: Deltas, stop: Sequence[str]) -> Deltas:
    """Pieces of an answer up to the first stop string in its content.

    Parameters
    ----------
    deltas
        Closed at the end, so that the model stops writing.
    stop
        Strings that end the answer, and are not part of it.
    """
    stops = ContentStops(stop)
    with contextlib.closing(deltas):
        for delta in deltas:
            yield from stops.push(delta)
            if stops.stopped:
                return
