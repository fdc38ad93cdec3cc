"""ChatML, as Qwen3 speaks it: conversations become prompts, and answers become messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from pyhades.errors import ArgumentError
from pyhades.llm.models.qwen3_moe.calls import CallReader, OneCall, call_beginning
from pyhades.llm.models.qwen3_moe.markers import Markers
from pyhades.llm.models.qwen3_moe.rendering import Piece, Renderer, encoded
from pyhades.llm.text.chat import NAMESPACE, ChatDelta, FinishReason, Kind
from pyhades.llm.text.chat_messages import (
    check_continued,
    checked_messages,
    reasoning_of,
    text_of,
)
from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.chat_prompt import ChatPrompt, Guide, common_beginning
from pyhades.llm.text.reasoning_budget import ReasoningBudget
from pyhades.llm.text.tokenizer import StreamDecoder, Tokenizer


def render_chat(
    messages: Sequence[Mapping[str, Any]], tokenizer: Tokenizer, **options: Any
) -> list[int]:
    """Tokens of a conversation, after which the model writes its answer.

    Parameters
    ----------
    messages
        Dicts as in OpenAI's API: ``role`` (system, developer, user, assistant, tool), ``content``
        (text, or parts with text), ``tool_calls``, and ``reasoning`` of an assistant.
    tokenizer
        That of the model.
    options
        Keywords of :meth:`pyhades.LLM.chat`. An effort of ``"low"`` is an answer without reasoning;
        the model knows no difference between the others. Users may write ``/think`` and
        ``/no_think`` in their messages. The format has no place for a date, and a system message
        tells of a response format.

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
    said = checked_messages(messages)
    if options.continue_final_message:
        check_continued(said)
    unended = said.pop() if options.continue_final_message else None
    tokens, points = Renderer(said, tokenizer, options).tokens()
    begun = _begun(unended, len(said), tokenizer, options)
    markers = Markers.of(tokenizer)
    return ChatPrompt(
        (*tokens, *begun), begun, lambda: ChatmlParser(tokenizer),
        _guide(tokenizer, options, begun), ends=frozenset({markers.end}), points=points,
        opens=frozenset() if markers.called is None else frozenset({markers.called}),
    )  # fmt: skip


def _refuse_others(options: ChatOptions) -> None:
    """ArgumentError for what this format has no place for."""
    given = {"builtin_tools": options.builtin_tools, "model_identity": options.model_identity}
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
    markers = Markers.of(tokenizer)
    nothing: list[Piece] = [markers.think, "\n\n", markers.thought, "\n\n"]
    if unended is None:
        if options.offer.is_required and not options.is_constrained:
            call = Markers.of(tokenizer, with_tools=True).call
            assert call is not None
            return common_beginning(
                [
                    encoded(tokenizer, [*nothing, call, call_beginning(name)])
                    for name in options.offer.names
                ]
            )
        thinks = options.known_effort != "low" and options.reasoning_budget != 0
        return () if thinks else tuple(encoded(tokenizer, nothing))
    reasoning = text_of({"content": reasoning_of(unended)}, number)
    if unended.get("content") is None:
        return tuple(encoded(tokenizer, [markers.think, f"\n{reasoning}"]))
    thoughts = f"\n{reasoning}\n" if reasoning else "\n\n"
    content = text_of(unended, number)
    return tuple(encoded(tokenizer, [markers.think, thoughts, markers.thought, f"\n\n{content}"]))


def _guide(
    tokenizer: Tokenizer, options: ChatOptions, begun: Sequence[int]
) -> Callable[[], Guide] | None:
    """What makes a guide: of a reasoning budget, and of a single call where more are not wanted."""
    budget, markers = options.reasoning_budget, Markers.of(tokenizer)
    is_single = options.parallel_tool_calls is False and markers.called is not None
    if budget is None and not is_single:
        return None

    def guide() -> Guide:
        of_budget = None
        if budget is not None:
            parser = ChatmlParser(tokenizer)
            for token in begun:
                parser.push(token)
            exit_ = encoded(tokenizer, [markers.thought, "\n\n"])
            of_budget = ReasoningBudget(parser, budget, [exit_])
        if not is_single:
            assert of_budget is not None
            return of_budget
        assert markers.called is not None
        return OneCall(markers.called, markers.end, of_budget)

    return guide


class ChatmlParser:
    """Splits the tokens of an answer into what was thought, what is said, and what is called.

    Parameters
    ----------
    tokenizer
        That of the model. The first token is the one after the role of the assistant.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._markers = Markers.of(tokenizer)
        self._specials = frozenset(tokenizer.specials.values())
        self._decoder = StreamDecoder(tokenizer)
        self._is_thinking = False
        self._index = -1
        self._has_ended = False
        self._has_called = False
        self._is_blank = True
        self._held = ""
        self._call: CallReader | None = None

    def push(self, token: int) -> list[ChatDelta]:
        """What has come with one more token."""
        if token not in self._specials:
            return self._text(self._decoder.push(token))
        deltas = self._text(self._decoder.flush())
        if token == self._markers.call:
            deltas += self._end_call(is_cut=True)
            self._begin(is_thinking=False)
            self._call = CallReader()
        elif token == self._markers.called:
            deltas += self._end_call()
        elif token in (self._markers.think, self._markers.thought):
            self._begin(is_thinking=token == self._markers.think)
        self._has_ended = token == self._markers.end
        return deltas

    def finish(self, reason: FinishReason | None = None) -> list[ChatDelta]:
        """What is left at the end; the last piece says why the answer ended."""
        deltas = [*self._text(self._decoder.flush()), *self._end_call(is_cut=True)]
        if self._held and not self._is_thinking and not self._is_blank:
            deltas.append(self._piece(self._held))
        if reason is None:
            ended: FinishReason = "tool_calls" if self._has_called else "stop"
            reason = ended if self._has_ended else "length"
        closing = replace(deltas[-1], text="") if deltas else self._piece("")
        return [*deltas, replace(closing, index=max(self._index, 0), finish_reason=reason)]

    def _begin(self, *, is_thinking: bool) -> None:
        """Something else begins, and white space before it is nobody's."""
        self._is_thinking, self._is_blank, self._held = is_thinking, True, ""

    def _piece(self, text: str) -> ChatDelta:
        channel, kind = ("analysis", "reasoning") if self._is_thinking else ("final", "content")
        return ChatDelta(channel, None, text, cast("Kind", kind), self._index)

    def _text(self, text: str) -> list[ChatDelta]:
        """A piece of what comes, without the white space around it."""
        if self._call is not None:
            return self._called(self._call.push(text))
        text = self._held + text
        kept = text.rstrip()
        text, self._held = kept, text[len(kept) :]
        if self._is_blank:
            text = text.lstrip()
            if not text:
                self._held = ""
                return []
            self._is_blank = False
            self._index += 1
        return [self._piece(text)] if text else []

    def _called(self, arguments: str) -> list[ChatDelta]:
        """Pieces of a call; the first of them tells the name."""
        assert self._call is not None
        if self._call.name is None:
            return []
        deltas = []
        if self._is_blank:
            self._is_blank, self._has_called = False, True
            self._index += 1
            deltas.append(self._call_piece(""))
        return [*deltas, self._call_piece(arguments)] if arguments else deltas

    def _call_piece(self, text: str) -> ChatDelta:
        assert self._call is not None
        name = f"{NAMESPACE}.{self._call.name}"
        return ChatDelta("commentary", name, text, "tool_call", self._index, content_type="json")

    def _end_call(self, *, is_cut: bool = False) -> list[ChatDelta]:
        """The rest of a call; what is none is said, as it was written."""
        if self._call is None:
            return []
        rest = self._call.finish(is_cut=is_cut)
        deltas = self._called(rest)
        is_call = self._call.name is not None
        self._call = None
        self._begin(is_thinking=False)
        if not is_call and rest.strip():
            deltas += self._text(f"<tool_call>{rest}" + ("" if is_cut else "</tool_call>"))
            self._begin(is_thinking=False)
        return deltas
