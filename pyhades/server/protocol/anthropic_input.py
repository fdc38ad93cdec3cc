"""Messages of Anthropic's API as the items that this server turns into a conversation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyhades.server.errors import ApiError
from pyhades.server.protocol.face import Desk
from pyhades.server.protocol.responses_input import Item, messages_of

Content = str | Sequence[Mapping[str, Any]]


def conversation_of(
    system: Content | None, messages: Sequence[Mapping[str, Any]], desk: Desk
) -> list[Mapping[str, Any]]:
    """Messages as :meth:`pyhades.LLM.chat` takes them.

    Raises
    ------
    ApiError
        A message has what is no text, no thinking, and no use of a tool.
    """
    named: list[tuple[str, Item]] = []
    if system:
        named.append(("system", _message("system", _text(system, "system"))))
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        role = message.get("role")
        if role not in ("user", "assistant", "system"):
            raise _wrong(f"{where} has role {role!r}; known are user, assistant, system", where)
        content = message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not isinstance(blocks, list) or not all(isinstance(each, dict) for each in blocks):
            raise _wrong(f"{where}.content is text, or a list of blocks", f"{where}.content")
        named += _items(role, blocks, f"{where}.content")
    return messages_of([item for _, item in named], desk, [name for name, _ in named])


def _items(
    role: str, blocks: Sequence[Mapping[str, Any]], where: str
) -> Iterator[tuple[str, Item]]:
    """The items of a message. Of several texts, all but the last come before something."""
    texts = [number for number, block in enumerate(blocks) if block.get("type") == "text"]
    for number, block in enumerate(blocks):
        name = f"{where}[{number}]"
        kind = block.get("type")
        if kind == "text":
            phase = "final_answer" if number == texts[-1] else "commentary"
            yield name, {**_message(role, _text([block], name)), "phase": phase}
        elif role == "assistant" and kind == "thinking":
            yield name, {"type": "reasoning", "encrypted_content": block.get("signature"),
                         "content": str(block.get("thinking") or "")}  # fmt: skip
        elif role == "assistant" and kind == "tool_use":
            yield name, {"type": "function_call", "call_id": block.get("id"),
                         "name": block.get("name"), "arguments": block.get("input")}  # fmt: skip
        elif role == "user" and kind == "tool_result":
            yield name, {"type": "function_call_output", "call_id": block.get("tool_use_id"),
                         "output": _text(block.get("content") or "", name)}  # fmt: skip
        elif kind != "redacted_thinking":
            raise _wrong(f"{name} has type {kind!r}, which this model does not read in a message "
                         f"of {role!r}", name)  # fmt: skip


def _message(role: str, text: str) -> Item:
    return {"type": "message", "role": role, "content": text}


def _text(content: Any, where: str) -> str:
    if isinstance(content, str):
        return content
    texts = []
    for block in content if isinstance(content, list) else [content]:
        kind = block.get("type") if isinstance(block, Mapping) else type(block).__name__
        if kind != "text" or not isinstance(block.get("text"), str):
            raise _wrong(f"{where} has {kind!r}; this model reads text only", where)
        texts.append(block["text"])
    return "".join(texts)


def _wrong(message: str, param: str) -> ApiError:
    return ApiError(400, message, "invalid_value", param)
