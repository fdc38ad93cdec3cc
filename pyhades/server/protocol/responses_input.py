"""What a client of ``/v1/responses`` sends: items, and the messages that they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyhades.server.errors import ApiError
from pyhades.server.protocol.face import Desk
from pyhades.server.protocol.sealing import unsealed

Item = Mapping[str, Any]
_ROLES = ("user", "system", "developer", "assistant")
_TEXTS = {"input_text": "text", "output_text": "text", "text": "text", "reasoning_text": "text",
          "summary_text": "text", "refusal": "refusal"}  # fmt: skip
_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc",
             "function_call_output": "fco"}  # fmt: skip


def items_of(given: str | Sequence[Item], desk: Desk) -> list[Item]:
    """Items as they are stored: each with a type and an id, and none a mere reference.

    Raises
    ------
    ApiError
        One of them is of no type that this model reads.
    """
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    return [_item(item, f"input[{number}]", desk) for number, item in enumerate(given)]


def _item(item: Item, where: str, desk: Desk) -> Item:
    kind = item.get("type") or ("message" if "role" in item else None)
    if kind == "item_reference":
        found = desk.stored.item(desk.client, str(item.get("id")))
        if found is None:
            raise ApiError(
                404, f"{where}: there is no item {item.get('id')!r} here (any more)",
                "item_not_found", where,
            )  # fmt: skip
        return found
    if not isinstance(kind, str) or kind not in _PREFIXES:
        known = ", ".join([*_PREFIXES, "item_reference"])
        raise _wrong(f"{where} has type {kind!r}, which this model does not read; known are "
                     f"{known}", where)  # fmt: skip
    identity = item.get("id") or f"{_PREFIXES[kind]}_{desk.new_id()}"
    whole = {**item, "type": kind, "id": identity, "status": item.get("status") or "completed"}
    if kind == "message":
        role = item.get("role")
        if role not in _ROLES:
            raise _wrong(f"{where} has role {role!r}; known are {', '.join(_ROLES)}", where)
        if isinstance(item.get("content"), str):
            part = "output_text" if role == "assistant" else "input_text"
            whole["content"] = [{"type": part, "text": item["content"]}]
    return whole


def messages_of(
    items: Sequence[Item], desk: Desk, names: Sequence[str] | None = None
) -> list[Mapping[str, Any]]:
    """The messages of a conversation, those that call tools with the reasoning before it.

    Parameters
    ----------
    items
        As :func:`items_of` gives them.
    names
        What errors call each of them.

    Raises
    ------
    ApiError
        An item lacks something, or has what is no text.
    """
    writer = _Writer(desk)
    for number, item in enumerate(items):
        writer.add(item, f"input[{number}]" if names is None else names[number])
    return desk.chains.completed(desk.client, writer.finished())


class _Writer:
    """Puts items together that one message of the assistant is made of.

    These are reasoning, what is said before calls, and calls, in this order.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._messages: list[Mapping[str, Any]] = []
        self._open: dict[str, Any] | None = None
        self._has_answer = False
        self._calls: set[str] = set()

    def add(self, item: Item, where: str) -> None:
        kind = item["type"]
        if kind == "reasoning":
            self._reasoning(self._thought(item, where))
        elif kind == "function_call":
            self._call(item, where)
        elif kind == "function_call_output":
            self._result(item, where)
        elif item["role"] == "assistant":
            self._said(item, where)
        else:
            self._close()
            text = _text(item.get("content"), f"{where}.content")
            self._messages.append({"role": item["role"], "content": text})

    def finished(self) -> list[Mapping[str, Any]]:
        self._close()
        return self._messages

    def _thought(self, item: Item, where: str) -> str:
        text = unsealed(item.get("encrypted_content"), self._desk)
        for name in ("content", "summary"):
            if not text:
                text = _text(item.get(name) or "", f"{where}.{name}", between="\n\n")
        return text or ""

    def _reasoning(self, text: str) -> None:
        if text:
            opened = self._opened(is_new=self._has_answer or self._has_calls)
            opened["reasoning"] = "\n\n".join(filter(None, (opened.get("reasoning"), text)))

    def _said(self, item: Item, where: str) -> None:
        text = _text(item.get("content"), f"{where}.content")
        opened = self._opened(is_new=self._has_answer or self._has_calls)
        opened["content"] = "\n\n".join(filter(None, (opened["content"], text)))
        if self._desk.chains.knows(self._desk.client, item.get("id")):
            opened["id"] = item["id"]
        self._has_answer = item.get("phase") != "commentary"

    def _call(self, item: Item, where: str) -> None:
        for name in ("call_id", "name"):
            if not isinstance(item.get(name), str):
                raise _wrong(f"{where} is a call without {name}", f"{where}.{name}")
        function = {"name": item["name"], "arguments": item.get("arguments")}
        calls = self._opened().setdefault("tool_calls", [])
        calls.append({"id": item["call_id"], "type": "function", "function": function})
        self._calls.add(item["call_id"])

    def _result(self, item: Item, where: str) -> None:
        identity = item.get("call_id")
        if not isinstance(identity, str) or identity not in self._calls:
            raise _wrong(f"{where}: no function_call before it has the call_id {identity!r}",
                         f"{where}.call_id")  # fmt: skip
        self._close()
        text = _text(item.get("output"), f"{where}.output")
        self._messages.append({"role": "tool", "tool_call_id": identity, "content": text})

    @property
    def _has_calls(self) -> bool:
        return self._open is not None and "tool_calls" in self._open

    def _opened(self, *, is_new: bool = False) -> dict[str, Any]:
        if is_new:
            self._close()
        if self._open is None:
            self._open = {"role": "assistant", "content": None}
        return self._open

    def _close(self) -> None:
        if self._open is not None:
            self._messages.append(self._open)
        self._open, self._has_answer = None, False


def _text(content: Any, where: str, *, between: str = "") -> str:
    """The text of a string, or of parts with text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        raise _wrong(f"{where} is {content!r}; it is text, or a list of parts with text", where)
    texts = []
    for number, part in enumerate(content):
        kind = part.get("type", "text") if isinstance(part, Mapping) else type(part).__name__
        is_known = isinstance(part, Mapping) and isinstance(kind, str) and kind in _TEXTS
        text = part.get(_TEXTS[kind]) if is_known else None
        if not isinstance(text, str):
            raise _wrong(f"{where}[{number}] has type {kind!r}; this model reads text only",
                         f"{where}[{number}]")  # fmt: skip
        texts.append(text)
    return between.join(texts)


def _wrong(message: str, param: str) -> ApiError:
    return ApiError(400, message, "invalid_value", param)
