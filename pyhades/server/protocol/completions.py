"""``/v1/completions``: what follows a text, without a chat around it."""

from __future__ import annotations

from typing import Any

from pyhades.errors import ArgumentError
from pyhades.llm import Delta
from pyhades.llm.text.outputs import TokenLogprob
from pyhades.server.errors import ApiError
from pyhades.server.protocol.chat import StreamOptions
from pyhades.server.protocol.chat_face import usage_dict
from pyhades.server.protocol.face import (
    DONE,
    Call,
    Desk,
    Endpoint,
    Event,
    Sampling,
    checked_logprobs,
)
from pyhades.server.turns import TextTurn

_DEFAULT_TOKENS = 16
"""As OpenAI has it."""


class CompletionsBody(Sampling, kw_only=True):
    """A request; what is null has its default."""

    prompt: str | list[str | int | list[int]]
    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    stop: str | list[str] | None = None
    max_tokens: int | None = None
    logprobs: int | None = None
    echo: bool | None = None
    best_of: int | None = None
    suffix: str | None = None
    user: Any = None


def understand(body: CompletionsBody, desk: Desk) -> Call[Delta]:
    """From a request to what is asked, and how it is answered.

    Raises
    ------
    ApiError
        It asks for what there is not.
    """
    if body.suffix:
        raise ApiError(400, "suffix: this model continues texts only", "unsupported", "suffix")
    if body.best_of is not None and body.best_of != (body.n or 1):
        raise ApiError(400, "best_of is not known here; use n", "unsupported", "best_of")
    logprobs = None if body.logprobs is None else checked_logprobs(body.logprobs, "logprobs")
    if body.echo and logprobs is not None:
        raise ApiError(
            400, "logprobs of the prompt are not known here; leave echo out", "unsupported", "echo"
        )
    most = _DEFAULT_TOKENS if body.max_tokens is None else body.max_tokens
    turn = TextTurn(
        prompts=body.prompt,
        sampling=body.sampling(n=body.n, stop=body.stop, logprobs=logprobs, max_tokens=most),
    )
    wants_usage = body.stream_options is not None and bool(body.stream_options.include_usage)
    return Call(turn, CompletionsFace(body, desk, wants_usage=wants_usage), bool(body.stream))


class _Choice:
    """One answer so far."""

    def __init__(self, echoed: str) -> None:
        self.texts = [echoed] if echoed else []
        self.length = 0
        self.tokens = 0
        self.finish_reason: str | None = None
        self.logprobs: list[dict[str, Any]] = []


class CompletionsFace:
    """The answers to one request, as completions; choices are numbered prompt by prompt."""

    def __init__(self, body: CompletionsBody, desk: Desk, *, wants_usage: bool) -> None:
        self._desk = desk
        self._n = body.n or 1
        self._has_logprobs = body.logprobs is not None
        self._wants_usage = wants_usage
        self._echoed = _echoed(body, desk) if body.echo else []
        self._id = f"cmpl-{desk.new_id()}"
        self._created = int(desk.now())
        self._prompt_tokens = 0
        self._cached: dict[int, int] = {}
        self._choices: dict[int, _Choice] = {}

    def begin(self, prompt_tokens: int) -> list[Event]:
        """Nothing is told before something is written."""
        self._prompt_tokens = prompt_tokens
        return []

    def push(self, piece: Delta) -> list[Event]:
        """A chunk for a piece."""
        index = piece.prompt * self._n + piece.index
        choice = self._choices.get(index)
        text = piece.text
        if choice is None:
            echoed = self._echoed[piece.prompt] if self._echoed else ""
            choice = self._choices[index] = _Choice("")
            text = echoed + text
        self._cached[piece.prompt] = piece.cached_tokens
        logprobs = self._logprobs(choice, piece.logprobs) if self._has_logprobs else None
        choice.texts.append(text)
        choice.length += len(text)
        choice.tokens += len(piece.token_ids)
        choice.finish_reason = piece.finish_reason
        if logprobs is not None:
            choice.logprobs.append(logprobs)
        told = {
            "index": index, "text": text, "logprobs": logprobs,
            "finish_reason": piece.finish_reason,
        }  # fmt: skip
        return [Event({**self._head(), "choices": [told]})]

    def finish(self) -> list[Event]:
        """How many tokens it took, where that is asked for, and the end."""
        if not self._wants_usage:
            return [DONE]
        return [Event({**self._head(), "choices": [], "usage": self._usage()}), DONE]

    def fail(self, error: ApiError) -> list[Event]:
        """An error in the stream, which clients raise."""
        return [Event(error.body()), DONE]

    def whole(self) -> dict[str, Any]:
        """All choices in one object."""
        choices = [
            {
                "index": index,
                "text": "".join(choice.texts),
                "logprobs": _joined(choice.logprobs) if self._has_logprobs else None,
                "finish_reason": choice.finish_reason,
            }
            for index, choice in sorted(self._choices.items())
        ]
        return {**self._head(), "choices": choices, "usage": self._usage()}

    def _head(self) -> dict[str, Any]:
        return {
            "id": self._id, "object": "text_completion", "created": self._created,
            "model": self._desk.model, "system_fingerprint": self._desk.fingerprint,
        }  # fmt: skip

    def _usage(self) -> dict[str, Any]:
        written = sum(choice.tokens for choice in self._choices.values())
        return usage_dict(self._prompt_tokens, written, sum(self._cached.values()))

    def _logprobs(self, choice: _Choice, logprobs: tuple[TokenLogprob, ...]) -> dict[str, Any]:
        """Four lists beside one another, as this protocol has them."""
        texts = [self._desk.spelled(each.token)[0] for each in logprobs]
        offsets, offset = [], choice.length
        for text in texts:
            offsets.append(offset)
            offset += len(text)
        tops = [
            {self._desk.spelled(token)[0]: logprob for token, logprob in each.top}
            for each in logprobs
        ]
        return {
            "tokens": texts, "token_logprobs": [each.logprob for each in logprobs],
            "top_logprobs": tops, "text_offset": offsets,
        }  # fmt: skip


def _joined(logprobs: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("tokens", "token_logprobs", "top_logprobs", "text_offset")
    return {name: [item for each in logprobs for item in each[name]] for name in names}


def _echoed(body: CompletionsBody, desk: Desk) -> list[str]:
    """The text of every prompt."""
    prompts: list[Any] = [body.prompt] if isinstance(body.prompt, str) else list(body.prompt)
    if prompts and all(isinstance(item, int) for item in prompts):
        prompts = [prompts]  # one, of token ids
    return [each if isinstance(each, str) else _text(each, desk) for each in prompts]


def _text(tokens: list[int], desk: Desk) -> str:
    if desk.tokenizer is None:
        raise ArgumentError("echo needs a model with a tokenizer")
    return desk.tokenizer.decode(tokens)


ENDPOINT = Endpoint("/v1/completions", CompletionsBody, understand)
