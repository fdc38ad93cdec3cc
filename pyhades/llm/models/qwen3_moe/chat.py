"""ChatML, as Qwen3 speaks it: conversations become prompts, and answers become messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pyhades.errors import ArgumentError, ModelError
from pyhades.llm.text.chat import ChatDelta, FinishReason
from pyhades.llm.text.chat_messages import check_continued, checked_messages
from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.chat_prompt import ChatPrompt, Guide
from pyhades.llm.text.reasoning_budget import ReasoningBudget
from pyhades.llm.text.response_format import ResponseFormat
from pyhades.llm.text.tokenizer import StreamDecoder, Tokenizer

_MARKERS = ("<|im_start|>", "<|im_end|>", "<think>", "</think>")
_ROLES = ("system", "user", "assistant")
_THINKS = {"low": False, "medium": True, "high": True}


def render_chat(
    messages: Sequence[Mapping[str, Any]], tokenizer: Tokenizer, **options: Any
) -> list[int]:
    """Tokens of a conversation, after which the model writes its answer.

    Parameters
    ----------
    messages
        Dicts as in OpenAI's API: ``role`` (system, user, assistant) and ``content`` (text).
    tokenizer
        That of the model.
    options
        Keywords of :meth:`pyhades.LLM.chat`. An effort of ``"low"`` is an answer without reasoning;
        the model knows no difference between the others. The format has no place for a date, a
        system message tells of a response format, and tools are not known to it here.

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
    return list(chatml_prompt(messages, tokenizer, ChatOptions(**options)).tokens)


def chatml_prompt(
    messages: Sequence[Mapping[str, Any]], tokenizer: Tokenizer, options: ChatOptions
) -> ChatPrompt:
    """As :func:`render_chat`, with what reads the answer."""
    _refuse_others(options)
    start, end, _, thought = _markers(tokenizer)
    said = checked_messages(messages)
    if options.continue_final_message:
        check_continued(said)
    unended = said.pop() if options.continue_final_message else None
    told = [options.instructions, "" if options.form is None else _told(options.form)]
    texts = [("system", text) for text in told if text]
    texts += [_role_and_content(message, number) for number, message in enumerate(said)]
    tokens: list[int] = []
    for role, content in texts:
        tokens += [start, *tokenizer.encode(f"{role}\n{content}"), end, *tokenizer.encode("\n")]
    tokens += [start, *tokenizer.encode("assistant\n")]
    begun = _begun(unended, len(said), tokenizer, options)
    budget = options.reasoning_budget

    def guide() -> Guide:
        parser = ChatmlParser(tokenizer)
        for token in begun:
            parser.push(token)
        blank = tokenizer.encode("\n\n")
        return ReasoningBudget(parser, budget or 0, [[thought, *blank]])

    return ChatPrompt(
        (*tokens, *begun), begun, lambda: ChatmlParser(tokenizer),
        None if budget is None else guide,
    )  # fmt: skip


def _told(form: ResponseFormat) -> str:
    """The format has no place for a schema, so a system message tells of it."""
    schema = json.dumps(form.schema, ensure_ascii=False, separators=(",", ":"))
    return f"Answer with JSON that follows this JSON schema:\n{schema}"


def _refuse_others(options: ChatOptions) -> None:
    """ArgumentError for what this format has no place for."""
    given = {
        "tools": options.tools,
        "builtin_tools": options.builtin_tools,
        "model_identity": options.model_identity,
    }
    asked = [name for name, value in given.items() if value]
    if asked:
        raise ArgumentError(
            f"this model chats in ChatML, for which {', '.join(asked)} "
            f"{'is' if len(asked) == 1 else 'are'} not implemented; leave them out"
        )


def _begun(
    unended: Mapping[str, Any] | None, number: int, tokenizer: Tokenizer, options: ChatOptions
) -> tuple[int, ...]:
    """The tokens with which the answer begins: a message that goes on, or no reasoning."""
    _, _, think, thought = _markers(tokenizer)
    if unended is None:
        if _THINKS[options.reasoning_effort] and options.reasoning_budget != 0:
            return ()
        unended = {"role": "assistant", "content": ""}
    reasoning = str(unended.get("reasoning") or unended.get("reasoning_content") or "")
    is_thinking = unended.get("content") is None
    content = None if is_thinking else _role_and_content(unended, number)[1]
    tokens = [think, *tokenizer.encode("\n" + reasoning if reasoning or content is None else "")]
    if content is not None:
        tokens += [*tokenizer.encode("\n" if reasoning else "\n\n"), thought]
        tokens += tokenizer.encode("\n\n" + content)
    return tuple(tokens)


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
