"""A model that reads with the real engine, and writes what a test dictates, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pyhades import LLM
from pyhades.llm.engine.request import Request
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from tests.support.toy_tokenizer import tokens_of, toy_tokenizer


def letter_by_letter(text: str) -> list[int]:
    """Tokens of a text in which special tokens are written out, as no tokenizer would cut it."""
    tokenizer = toy_tokenizer()
    specials = set(tokenizer.specials.values())
    tokens: list[int] = []
    for token in tokens_of(text):
        if token in specials:
            tokens.append(token)
        else:
            for letter in tokenizer.decode([token]):
                tokens += tokenizer.encode(letter)
    return tokens


class Dictation:
    """Allows the next token of a dictation only."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = list(tokens)

    @property
    def finished(self) -> bool:
        return not self._tokens

    def fill(self, words: Any) -> bool:
        words[:] = 0
        token = self._tokens[0]
        words[token // 32] = 1 << token % 32
        return True

    def accept(self, token: int) -> None:
        assert token == self._tokens.pop(0)


class DictatedLLM(LLM):
    """Writes dictations in turn, the last of them for ever; of ``n`` answers, all the same one."""

    dictations: list[list[int]]
    asked: list[Request]

    @classmethod
    def opened(cls, *dictations: Sequence[int], **options: Any) -> DictatedLLM:
        tokenizer = toy_tokenizer()
        config = tiny_config(
            vocab_size=tokenizer.vocab_size,
            eos_token_ids=tuple(tokenizer.specials[f"<|{n}|>"] for n in ("return", "call")),
            max_position_embeddings=16384,
        )
        llm = cls.from_weights(
            config, random_weights(config), tokenizer, threads=1, name="dictated", **options
        )
        assert isinstance(llm, DictatedLLM)
        llm.dictate(*dictations)
        return llm

    def dictate(self, *dictations: Sequence[int]) -> None:
        self.dictations, self.asked = [list(tokens) for tokens in dictations], []

    def _stream(self, requests: Sequence[Request]) -> Any:  # type: ignore[override]
        dictated = []
        for request in requests:
            tokens = self.dictations.pop(0) if len(self.dictations) > 1 else self.dictations[0]
            self.asked.append(request)
            dictated.append(
                replace(request, filter_factory=lambda tokens=tokens: Dictation(tokens))
            )
        return super()._stream(dictated)
