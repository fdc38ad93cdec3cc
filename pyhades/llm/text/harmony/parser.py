"""From tokens to the pieces of messages."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from pyhades.arguments import one_of
from pyhades.llm.text.chat import (
    ChatDelta,
    FinishReason,
    Message,
    kind_of,
    messages_of,
    no_arguments,
)
from pyhades.llm.text.harmony.header import Header, HeaderReader, with_declared_name
from pyhades.llm.text.harmony.markers import Markers
from pyhades.llm.text.tokenizer import StreamDecoder, Tokenizer


class HarmonyParser:
    """Splits the tokens of an answer into messages.

    Models leave out or repeat markers now and then. Such a message is read as well as it can be,
    and none of its text is ever lost: what is not understood is content.

    Parameters
    ----------
    tokenizer
        That of the model. The first token is the one after ``<|start|>assistant``.
    functions
        Names of the functions that were declared: a recipient that means one of them is taken as
        that, however it is spelled.
    """

    def __init__(self, tokenizer: Tokenizer, functions: Collection[str] = ()) -> None:
        self._functions = frozenset(functions)
        self._markers = Markers.of(tokenizer)
        self._specials = frozenset(tokenizer.specials.values())
        self._end_of_text = tokenizer.specials.get("<|endoftext|>")
        self._decoder = StreamDecoder(tokenizer)
        self._header: HeaderReader | None = HeaderReader(is_started=False)
        self._open: Header | None = None
        self._count = 0
        self._deltas: list[ChatDelta] = []
        self._has_stopped = False
        self._is_blank = True

    @property
    def messages(self) -> list[Message]:
        """The messages so far, the last of which may go on."""
        return messages_of(self._deltas)

    def push(self, token: int) -> list[ChatDelta]:
        """What has come with one more token."""
        deltas = self._mark(token) if token in self._specials else self._text(token)
        self._deltas += deltas
        return deltas

    def finish(self, reason: FinishReason | None = None) -> list[ChatDelta]:
        """What is left at the end; the last piece says why the answer ended.

        Parameters
        ----------
        reason
            Why; by default what the last token tells: an answer without a token that ends it was
            cut off.
        """
        if reason is not None:
            one_of("reason", reason, FinishReason)
        deltas = self._close()
        messages = messages_of([*self._deltas, *deltas])
        if reason is None:
            is_call = bool(messages) and messages[-1].kind == "tool_call"
            reason = ("tool_calls" if is_call else "stop") if self._has_stopped else "length"
        last = (deltas or self._deltas or [ChatDelta(None, None, "")])[-1]
        closing = replace(last, text="", finish_reason=reason)
        self._deltas += [*deltas, closing]
        return [*deltas, closing]

    def _mark(self, token: int) -> list[ChatDelta]:
        """Take a special token. Those that mean nothing here are passed over."""
        markers = self._markers
        if token in (markers.end, markers.return_, markers.call, self._end_of_text):
            deltas = self._close(is_ended=True)
            self._has_stopped = token != markers.end
            return deltas
        if token == markers.start:
            deltas = self._close()
            self._header = HeaderReader(is_started=True)
            return deltas
        if token == markers.channel:
            deltas = [] if self._header else self._close()
            self._header = self._header or HeaderReader(is_started=False)
            self._flush_header()
            self._header.begin("channel")
            return deltas
        if token == markers.constrain and self._header:
            self._flush_header()
            self._header.begin("type")
        if token == markers.message and not self._open:
            self._flush_header()
            return self._open_message(is_complete=True)
        return []

    def _text(self, token: int) -> list[ChatDelta]:
        text = self._decoder.push(token)
        if self._open:
            return [self._delta(self._open, text)] if text else []
        self._header = self._header or HeaderReader(is_started=False)
        if self._header.add(text):
            return []
        return self._open_message(is_complete=False)

    def _flush_header(self) -> None:
        if self._header:
            self._header.add(self._decoder.flush())

    def _open_message(self, is_complete: bool) -> list[ChatDelta]:
        """End the header; text that was no part of it begins the content."""
        reader = self._header or HeaderReader(is_started=False)
        header = with_declared_name(reader.read(is_complete), self._functions)
        self._open, self._header = header, None
        self._count += 1
        self._has_stopped, self._is_blank = False, True
        return [self._delta(header, header.leftover)]

    def _close(self, is_ended: bool = False) -> list[ChatDelta]:
        """End the message, or the header of one that has no content."""
        text = self._decoder.flush()
        deltas: list[ChatDelta] = []
        if self._open:
            deltas = [self._delta(self._open, text)] if text else []
        elif self._header:
            self._header.add(text)
            header = self._header.read(is_complete=False)
            if header.leftover or header.recipient:
                deltas = self._open_message(is_complete=False)
        if self._open and self._is_blank and is_ended:
            deltas += self._arguments_of_none(self._open)
        self._open = self._header = None
        return deltas

    def _arguments_of_none(self, header: Header) -> list[ChatDelta]:
        """What is missing of a call that ended without arguments."""
        if kind_of(header.role, header.channel, header.recipient) != "tool_call":
            return []
        text = no_arguments(header.recipient or "")
        return [self._delta(header, text)] if text else []

    def _delta(self, header: Header, text: str) -> ChatDelta:
        kind = kind_of(header.role, header.channel, header.recipient)
        self._is_blank = self._is_blank and not text.strip()
        return ChatDelta(
            header.channel, header.recipient, text, kind, self._count - 1, header.role,
            header.content_type,
        )  # fmt: skip
