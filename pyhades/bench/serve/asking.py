"""Questions in OpenAI's protocol, and their answers as streams of text."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Any, Literal

import h11
import msgspec

from pyhades.bench.serve.exchange import Exchange, HttpClient, HttpRequest
from pyhades.bench.serve.outcome import LEFT, Outcome
from pyhades.bench.serve.prompts import random_words, words_for
from pyhades.bench.serve.sse import DONE, EventReader
from pyhades.errors import PyhadesError

Endpoint = Literal["completions", "chat"]
PATHS: dict[Endpoint, str] = {"completions": "/v1/completions", "chat": "/v1/chat/completions"}
_PROBES = (16, 96)
"""Words of the two prompts that tell how many tokens a word is."""


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[Any] | None = None


class _Choice(msgspec.Struct):
    text: str | None = None
    delta: _Delta | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


_chunk = msgspec.json.Decoder(_Chunk).decode


@dataclass(frozen=True)
class Leave:
    """When a client goes away before the answer is there: after seconds, or pieces of text."""

    seconds: float | None = None
    pieces: float = float("inf")


STAY = Leave()


class Asker:
    """Asks one server, in one way.

    Parameters
    ----------
    url, api_key
        Of the server.
    model
        Its name there.
    endpoint
        ``"completions"`` or ``"chat"``.
    seed
        Of the prompts.
    """

    def __init__(
        self, url: str, model: str, endpoint: Endpoint, api_key: str | None, seed: int
    ) -> None:
        self.http = HttpClient(url, api_key)
        self.model = model
        self._endpoint, self._seed = endpoint, seed
        self._probes: dict[int, int] = {}
        self._asked = 0
        self._start = time.perf_counter()

    def restart(self) -> None:
        """The clock of outcomes begins anew."""
        self._start = time.perf_counter()

    @property
    def now(self) -> float:
        """Seconds since :meth:`restart`."""
        return time.perf_counter() - self._start

    async def calibrate(self) -> None:
        """Find out how many tokens a word is.

        Raises
        ------
        PyhadesError
            The server does not answer, or does not tell how many tokens it read.
        """
        for words in _PROBES:
            outcome = await self.ask(random_words(words, f"probe {self._seed}"), 1)
            if not outcome.good:
                raise PyhadesError(f"the server does not answer: {outcome.error or 'cut off'}")
            if not outcome.prompt_tokens:
                raise PyhadesError("the server does not tell usage.prompt_tokens of a stream")
            self._probes[words] = outcome.prompt_tokens

    def prompt(self, tokens: int) -> str:
        """A text of about so many tokens, each time another one."""
        self._asked += 1
        return random_words(words_for(tokens, self._probes), f"{self._seed} {self._asked}")

    def request(self, prompt: str, tokens: int) -> HttpRequest:
        """Ask to continue ``prompt`` by exactly so many tokens, the likeliest ones."""
        body: dict[str, Any] = {
            "model": self.model, "max_tokens": tokens, "temperature": 0, "ignore_eos": True,
            "stream": True, "stream_options": {"include_usage": True},
        }  # fmt: skip
        if self._endpoint == "chat":
            body["messages"] = [{"role": "user", "content": prompt}]
        else:
            body["prompt"] = prompt
        return HttpRequest(PATHS[self._endpoint], msgspec.json.encode(body))

    async def ask(self, prompt: str, tokens: int, who: str = "", leave: Leave = STAY) -> Outcome:
        """Ask and read the answer; what goes wrong is told by the outcome."""
        outcome = Outcome(self.now, who)
        try:
            async with (
                asyncio.timeout(leave.seconds),
                self.http.exchange(self.request(prompt, tokens)) as exchange,
            ):
                outcome.status = exchange.status
                if exchange.status == 200:
                    await self._read(exchange, outcome, leave.pieces)
                else:
                    await _read_refusal(exchange, outcome)
        except TimeoutError:
            outcome.error = LEFT
        except (OSError, h11.ProtocolError, msgspec.DecodeError) as error:
            outcome.error = f"{type(error).__name__}: {error}"
        outcome.ended = self.now
        return outcome

    async def _read(self, exchange: Exchange, outcome: Outcome, pieces: float) -> None:
        """Note when each piece of text comes."""
        reader = EventReader()
        async for piece in exchange.pieces():
            now, has_text = self.now, False
            for data in reader.feed(piece):
                if data == DONE:
                    outcome.complete = True
                    continue
                chunk = _chunk(data)
                if chunk.error is not None:
                    outcome.error = str(chunk.error)
                if chunk.usage is not None:
                    outcome.prompt_tokens = chunk.usage.prompt_tokens
                    outcome.tokens = chunk.usage.completion_tokens
                has_text |= any(map(_has_text, chunk.choices))
                outcome.text += "".join(map(_text, chunk.choices))
            if has_text:  # once for what comes together, which nobody waits for
                outcome.times.append(now)
            if len(outcome.times) >= pieces:
                outcome.error = LEFT
                return


def _has_text(choice: _Choice) -> bool:
    """Whether tokens have come: a first chunk may say who speaks, and no more."""
    delta = choice.delta
    if delta is None:
        return bool(choice.text)
    return bool(delta.content or delta.reasoning or delta.reasoning_content or delta.tool_calls)


def _text(choice: _Choice) -> str:
    delta = choice.delta
    if delta is None:
        return choice.text or ""
    return delta.content or delta.reasoning or delta.reasoning_content or ""


async def _read_refusal(exchange: Exchange, outcome: Outcome) -> None:
    """A status that is not 200, with what it says."""
    body = (await exchange.body()).decode(errors="replace")
    outcome.complete = True
    outcome.error = f"{exchange.status} {' '.join(body.split())[:200]}"
    with contextlib.suppress(ValueError, KeyError):
        outcome.retry_after = float(exchange.headers["retry-after"])
