"""What a file says of a tokenizer, before there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from pyhades.errors import ConfigurationError, ModelError


@dataclass(frozen=True)
class Vocabulary:
    """A byte-level BPE, and what cuts text for it.

    Attributes
    ----------
    cutter
        A tokenizer of the library without tokens.
    texts
        Ids of the tokens that text is cut into, in letters that stand for bytes.
    merges
        Pairs of those, the first to be merged first.
    specials
        Ids of the special tokens by their text.
    name
        Where it came from, for messages.
    options
        For the library's model of a BPE.
    """

    cutter: Any
    texts: Mapping[str, int]
    merges: Sequence[tuple[str, ...]]
    specials: Mapping[str, int]
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def backend(self) -> Any:
        """The library's tokenizer, which knows no special tokens: no text can become one.

        Raises
        ------
        ModelError
            Text with some bytes would be lost, or the library refuses the vocabulary.
        """
        texts = self.ordinary
        missing = [byte for letter, byte in byte_letters().items() if letter not in texts]
        if missing:
            raise ModelError(
                f"{self.name} has no token for byte {min(missing)}; text would be lost"
            )
        bpe = library().models.BPE
        self.cutter.model = built(lambda: bpe(texts, self.merges, **self.options), self.name)
        return self.cutter

    @cached_property
    def ordinary(self) -> dict[str, int]:
        """Those of :attr:`texts` that are not special besides."""
        return {text: index for text, index in self.texts.items() if text not in self.specials}


def library() -> Any:
    """The library ``tokenizers``; ConfigurationError where it is not installed."""
    try:
        import tokenizers
    except ImportError as error:
        raise ConfigurationError(
            'tokenizing text needs the library `tokenizers`: pip install "pyhades[llm]"'
        ) from error
    return tokenizers


def built(build: Any, name: str) -> Any:
    """What ``build`` gives; the library raises bare exceptions."""
    try:
        return build()
    except Exception as error:
        raise ModelError(f"{name}: {error}") from error


def pairs(merges: Sequence[Any]) -> list[tuple[str, ...]]:
    """Merges, which are pairs or, in older files and GGUF, pairs with a space between them."""
    if merges and isinstance(merges[0], str):
        return [tuple(merge.split(" ")) for merge in merges]
    return [*map(tuple, merges)]


def checked_text(token: Any) -> str:
    """The text of a token; a TypeError or ValueError where it is none."""
    if not isinstance(token, str):
        raise TypeError(f"a token is {token!r}, not text")
    token.encode()
    return token


@cache
def byte_letters() -> dict[str, int]:
    """The letter that stands for each byte in a byte-level vocabulary.

    Printable Latin-1 stands for itself, all other bytes for the letters from 256 on.
    """
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("ÿ") + 1)} - {0xAD}
    others = (byte for byte in range(256) if byte not in printable)
    letters = {chr(byte): byte for byte in printable}
    return letters | {chr(256 + number): byte for number, byte in enumerate(others)}
