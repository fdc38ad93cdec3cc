"""ChatML, as Qwen3 speaks it: conversations become prompts, and answers become messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError, ModelError
from pyhades.llm.text.chat import ChatDelta, FinishReason, ReasoningEffort
from pyhades.llm.text.tokenizer import StreamDecoder, Tokenizer

_MARKERS = ("<|im_start|>", "<|im_end|>", "<think>", "</think>")
_ROLES = ("system", "user", "assistant")
_THINKS = {"low": False, "medium": True, "high": True}


def render_chat(
    messages: Sequence[Mapping[str, Any]],
    tokenizer: Tokenizer,
    *,
    tools: Sequence[Mapping[str, Any]] | None = None,
    reasoning_effort: ReasoningEffort = "medium",
    date: str | None = None,
    instructions: str | None = None,
    response_format: Mapping[str, Any] | None = None,
) -> list[int]:
    """Tokens of a conversation, after which the model writes its answer.

    Parameters
    ----------
    messages
        Dicts as in OpenAI's API: ``role`` (system, user, assistant) and ``content`` (text).
    tokenizer
        That of the model.
    reasoning_effort
        ``"low"`` is an answer without reasoning; the model knows no difference between the others.
    date
        Ignored: the format has no place for it.
    instructions
        A system message before the others.
    tools, response_format
        Not known to this format here.

    Returns
    -------
    list of int
        Ends with the beginning of the answer.

    Raises
    ------
    ArgumentError
        A message cannot be interpreted, or asks for what the format does not have.
    ModelError
        The tokenizer lacks the special tokens.
    """
    if tools or response_format:
        raise ArgumentError("this model chats in ChatML, for which tools and response_format are "
                            "not implemented; leave them out")  # fmt: skip
    one_of("reasoning_effort", reasoning_effort, ReasoningEffort)
    if not messages:
        raise ArgumentError("messages are empty; a conversation begins with one from the user")
    start, end, think, thought = _markers(tokenizer)
    said = [{"role": "system", "content": instructions}] if instructions else []
    tokens: list[int] = []
    for number, message in enumerate([*said, *messages]):
        role, content = _role_and_content(message, number - len(said))
        tokens += [start, *tokenizer.encode(f"{role}\n{content}"), end, *tokenizer.encode("\n")]
    tokens += [start, *tokenizer.encode("assistant\n")]
    if not _THINKS[reasoning_effort]:
        blank = tokenizer.encode("\n\n")
        tokens += [think, *blank, thought, *blank]
    return tokens


class ChatmlParser:
    """Splits the tokens of an answer into what was thought and what is said.

    Parameters
    ----------
    tokenizer
        That of the model. The first token is the one after the role of the assistant.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        _, self._end, self._think, self._thought = _markers(tokenizer)
        self._specials = frozenset(tokenizer.specials.values())
        self._decoder = StreamDecoder(tokenizer)
        self._is_thinking = False
        self._index = -1
        self._has_ended = False
        self._is_blank = True
        self._held = ""

    def push(self, token: int) -> list[ChatDelta]:
        """What has come with one more token."""
        if token not in self._specials:
            return self._text(self._decoder.push(token))
        deltas = self._text(self._decoder.flush())
        if token in (self._think, self._thought):
            self._is_thinking, self._is_blank, self._held = token == self._think, True, ""
        self._has_ended = token == self._end
        return deltas

    def finish(self, reason: FinishReason | None = None) -> list[ChatDelta]:
        """What is left at the end; the last piece says why the answer ended."""
        deltas = self._text(self._decoder.flush())
        reason = reason or ("stop" if self._has_ended else "length")
        closing = ChatDelta(self._channel, None, "", self._kind, max(self._index, 0))
        return [*deltas, replace(closing, finish_reason=reason)]

    @property
    def _channel(self) -> str:
        return "analysis" if self._is_thinking else "final"

    @property
    def _kind(self) -> Any:
        return "reasoning" if self._is_thinking else "content"

    def _text(self, text: str) -> list[ChatDelta]:
        """A piece of the message, without the white space around it."""
        text = self._held + text
        kept = text.rstrip() if self._is_thinking else text
        text, self._held = kept, text[len(kept) :]
        if self._is_blank:
            text = text.lstrip()
            if not text:
                return []
            self._is_blank = False
            self._index += 1
        return [ChatDelta(self._channel, None, text, self._kind, self._index)] if text else []


def _markers(tokenizer: Tokenizer) -> list[int]:
    missing = [name for name in _MARKERS if name not in tokenizer.specials]
    if missing:
        raise ModelError(
            f"{tokenizer.name} has no {', '.join(missing)}, so this model cannot chat; "
            "generate continues a prompt with any tokenizer"
        )
    return [tokenizer.specials[name] for name in _MARKERS]


def _role_and_content(message: Mapping[str, Any], number: int) -> tuple[str, str]:
    role, content = message.get("role"), message.get("content")
    role = "system" if role == "developer" else role
    if role not in _ROLES:
        raise ArgumentError(
            f"messages[{number}] has role {role!r}; known are {', '.join(_ROLES)}, and developer"
        )
    if content is None and role == "assistant":
        content = ""  # it was cut off while it thought
    if not isinstance(content, str):
        raise ArgumentError(f"messages[{number}]: content is {content!r}; this model reads text")
    return str(role), content
