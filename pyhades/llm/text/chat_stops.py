"""Stop strings in an answer: they end what is said to the user, not the reasoning before it."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import replace

from pyhades.llm.text.chat import ChatDelta
from pyhades.llm.text.stopping import StopStrings

Deltas = Generator[ChatDelta, None, None]


def until_stop(deltas: Deltas, stop: Sequence[str]) -> Deltas:
    """Pieces of an answer up to the first stop string in its content.

    Parameters
    ----------
    deltas
        Closed at the end, so that the model stops writing.
    stop
        Strings that end the answer, and are not part of it.
    """
    stops = StopStrings(stop)
    content: ChatDelta | None = None
    with contextlib.closing(deltas):
        for delta in deltas:
            if content is not None and delta.index != content.index:
                yield from _held_back(stops, content)
                content = None
            if delta.kind != "content":
                yield delta
                continue
            content = delta
            text, stopped = stops.push(delta.text)
            if stopped:
                yield replace(delta, text=text, finish_reason="stop")
                return
            if delta.finish_reason is not None:
                text += stops.flush()
            if text or not delta.text:
                yield replace(delta, text=text)


def _held_back(stops: StopStrings, content: ChatDelta) -> Deltas:
    """What was held back at the end of a message, where no stop string came of it."""
    text = stops.flush()
    if text:
        yield replace(content, text=text)
