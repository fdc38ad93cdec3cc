"""The pieces of one choice of a chat, as the deltas that clients add up.

Clients of OpenAI concatenate every string of a delta, so what is whole is told once: the role, the
id and the name of a call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pyhades.llm.text.chat import NAMESPACE, ChatDelta

_BETWEEN = "\n\n"
"""Between two messages of a kind, as :attr:`pyhades.llm.ChatAnswer.content` has it."""


class ChoiceStream:
    """Deltas of one choice.

    Parameters
    ----------
    new_id
        Makes what ids of calls end with.

    Attributes
    ----------
    call_ids
        Of its calls so far.
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._has_role = False
        self._message: int | None = None
        self._said = {"content": False, "reasoning": False}
        self._between = ""
        self.call_ids: list[str] = []

    def deltas(self, piece: ChatDelta) -> Iterator[dict[str, Any]]:
        """What has come with one more piece."""
        if not self._has_role:
            self._has_role = True
            yield {"role": "assistant", "content": ""}
        is_end = piece.finish_reason is not None and not piece.text
        is_new = piece.index != self._message and not is_end
        if is_new:
            self._message = piece.index
        if piece.kind == "tool_call":
            yield from self._call(piece, is_new)
        elif piece.kind in ("content", "reasoning"):
            yield from self._text(piece, is_new)

    def _call(self, piece: ChatDelta, is_new: bool) -> Iterator[dict[str, Any]]:
        if is_new:
            self.call_ids.append(f"call_{self._new_id()[:24]}")
            name = (piece.recipient or "").removeprefix(f"{NAMESPACE}.")
            yield _tool_calls({
                "index": len(self.call_ids) - 1, "id": self.call_ids[-1], "type": "function",
                "function": {"name": name, "arguments": ""},
            })  # fmt: skip
        if piece.text:
            index = len(self.call_ids) - 1
            yield _tool_calls({"index": index, "function": {"arguments": piece.text}})

    def _text(self, piece: ChatDelta, is_new: bool) -> Iterator[dict[str, Any]]:
        if is_new:
            self._between = _BETWEEN if self._said[piece.kind] else ""
        if piece.text:
            text, self._between = self._between + piece.text, ""
            self._said[piece.kind] = True
            if piece.kind == "content":
                yield {"content": text}
            else:
                yield {"reasoning": text, "reasoning_content": text}


def _tool_calls(call: dict[str, Any]) -> dict[str, Any]:
    return {"tool_calls": [call]}
