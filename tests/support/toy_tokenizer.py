"""A small byte-level BPE with the special tokens of harmony, trained in a moment."""

from __future__ import annotations

from functools import cache

from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as LibraryTokenizer

from pyhades.llm.text.cutting import O200K_PATTERN
from pyhades.llm.text.tokenizer import Tokenizer

SPECIALS = (
    "<|startoftext|>", "<|endoftext|>", "<|return|>", "<|constrain|>", "<|channel|>", "<|start|>",
    "<|end|>", "<|message|>", "<|call|>", "<|reserved_1|>",
)  # fmt: skip

TEXT = """You are a large language model. Current date: 2025-06-28. Reasoning: medium.
analysis, commentary, final. functions. assistant user developer system # Instructions # Tools
What is the weather in Paris? It is 21 degrees and sunny there. Wie wird das Wetter in München?
{"location": "Paris", "unit": "celsius"} namespace functions type get_weather = (_: {}) => any;
日本語の天気はどうですか。今日は晴れです。 Привет, как дела? 🌦️🌦️ ☀️ naïve café, don't, we're, I'LL
def main():\n    return [x for x in range(100)]\n\n\tprint("1234567")\r\n
"""


@cache
def library_tokenizer(specials: tuple[str, ...] = SPECIALS) -> LibraryTokenizer:
    tokenizer = LibraryTokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(O200K_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT.splitlines(keepends=True) * 3, trainer)
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in specials])
    return tokenizer


def tokenizer_json(specials: tuple[str, ...] = SPECIALS) -> bytes:
    """What a checkpoint's ``tokenizer.json`` holds."""
    return library_tokenizer(specials).to_str().encode()


@cache
def toy_tokenizer() -> Tokenizer:
    return Tokenizer.from_json(tokenizer_json())


def tokens_of(text: str, tokenizer: Tokenizer | None = None) -> list[int]:
    """Ids of a text in which special tokens are written out, as only tests may."""
    tokenizer = tokenizer or toy_tokenizer()
    ids: list[int] = []
    while text:
        found = [(text.find(name), name) for name in tokenizer.specials if name in text]
        at, name = min(found, default=(len(text), ""))
        ids += tokenizer.encode(text[:at])
        if name:
            ids.append(tokenizer.specials[name])
        text = text[at + len(name) :]
    return ids
