"""A model that says what a test wants: tokens of texts in which special tokens are written out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Sequence

from pyhades import LLM
from pyhades.llm.engine.request import Request
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from pyhades.llm.text.outputs import Delta, TokenLogprob
from tests.support.toy_tokenizer import tokens_of, toy_tokenizer


class Script:
    """What comes of some requests, in place of the engine's handle."""

    def __init__(self, deltas: list[Delta], seconds: float, error: Exception | None) -> None:
        self._deltas = deltas
        self._seconds = seconds
        self._error = error
        self.told = 0
        self.is_closed = False

    def abort_answer(self, index: int) -> None:
        self._deltas = [delta for delta in self._deltas if delta.index != index]

    def __iter__(self) -> Generator[Delta, None, None]:
        try:
            for delta in self._deltas:
                self.told += 1
                yield delta
            if self._error is not None:
                raise self._error
        finally:
            self.is_closed = True

    async def __aiter__(self) -> AsyncGenerator[Delta, None]:
        try:
            for delta in self._deltas:
                await asyncio.sleep(self._seconds)
                self.told += 1
                yield delta
            if self._error is not None:
                raise self._error
        finally:
            self.is_closed = True


class ScriptedLLM(LLM):
    """Says texts in turn, the last of them for ever; of ``n`` answers, one text each.

    Attributes
    ----------
    texts
        What it says to the next requests: with special tokens written out, or as token ids.
    seconds
        Before each token.
    reason
        Why answers end.
    error
        Raised in place of an end.
    asked, scripts
        Requests so far, and what came of them.
    """

    texts: list[str | Sequence[int]]
    seconds: float
    reason: str
    error: Exception | None
    asked: list[Request]
    scripts: list[Script]

    @classmethod
    def opened(cls, *texts: str) -> ScriptedLLM:
        tokenizer = toy_tokenizer()
        config = tiny_config(
            vocab_size=tokenizer.vocab_size,
            eos_token_ids=tuple(tokenizer.specials[f"<|{n}|>"] for n in ("return", "call")),
        )
        llm = cls.from_weights(config, random_weights(config), tokenizer, threads=1, name="script")
        assert isinstance(llm, ScriptedLLM)
        llm.tell(*texts)
        return llm

    def tell(
        self,
        *texts: str | Sequence[int],
        seconds: float = 0.0,
        reason: str = "stop",
        error: Exception | None = None,
    ) -> None:
        self.texts, self.seconds, self.reason, self.error = list(texts), seconds, reason, error
        self.asked, self.scripts = [], []

    def _stream(self, requests: Sequence[Request]) -> Script:  # type: ignore[override]
        self.asked += requests
        deltas = []
        for request in requests:
            for index in range(request.params.n):
                text = self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]
                deltas += self._deltas(request.number, index, text)
        script = Script(deltas, self.seconds, self.error)
        self.scripts.append(script)
        return script

    def _deltas(self, prompt: int, index: int, text: str | Sequence[int]) -> list[Delta]:
        tokenizer = toy_tokenizer()
        tokens = tokens_of(text) if isinstance(text, str) else text
        return [
            Delta(
                prompt, index, tokenizer.decode([token]), (token,),
                self.reason if number + 1 == len(tokens) and self.error is None else None,
                (TokenLogprob(token, -0.5, ((token, -0.5),)),),
            )
            for number, token in enumerate(tokens)
        ]  # fmt: skip
