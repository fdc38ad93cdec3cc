"""Between text and token ids: byte-level BPE, computed by the library ``tokenizers``.

Only the cutting of text into tokens is the library's. Special tokens are kept from it, so that no
text can become one, and the bytes of a token are looked up here, so that none are lost.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from hashlib import sha256
from numbers import Integral
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.llm.text.vocabulary import Vocabulary, byte_letters
from pyhades.llm.text.vocabulary_gguf import vocabulary_of_gguf
from pyhades.llm.text.vocabulary_json import vocabulary_of_json

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Tokenizer:
    """A byte-level BPE vocabulary with special tokens.

    Made by :meth:`from_json` or :meth:`from_gguf`.

    Attributes
    ----------
    name
        Where it came from, for messages.
    specials
        Ids of the special tokens by their text. Text never becomes one of them.
    vocab_size
        One more than the highest id. A model may have more rows than that.
    """

    def __init__(
        self, backend: Any, vocabulary: Mapping[str, int], specials: Mapping[str, int], name: str
    ) -> None:
        self.name = name
        self.specials: Mapping[str, int] = MappingProxyType(dict(specials))
        self._backend = backend
        self._texts = {index: text for text, index in vocabulary.items()}
        self._bytes = {index: text.encode() for text, index in specials.items()}
        self.vocab_size = 1 + max(max(self._texts, default=-1), max(self._bytes, default=-1))

    @classmethod
    def from_json(cls, source: str | Path | bytes) -> Tokenizer:
        """Read a ``tokenizer.json`` of the library ``tokenizers``.

        Parameters
        ----------
        source
            Path of the file, or its contents as bytes. Of a path, special tokens that only the
            files beside it list (``tokenizer_config.json``, ``added_tokens.json``,
            ``special_tokens_map.json``) are taken from there.

        Raises
        ------
        ModelError
            It is malformed, or not a byte-level BPE.
        ConfigurationError
            The library is not installed.
        """
        return cls._of(vocabulary_of_json(source))

    @classmethod
    def from_gguf(cls, vocabulary: Mapping[str, Any], name: str = "GGUF vocabulary") -> Tokenizer:
        """Make a tokenizer of the vocabulary in a GGUF file.

        Parameters
        ----------
        vocabulary
            ``tokens``, ``merges`` and, where the file has them, ``token_type`` and ``pre``, with or
            without the ``tokenizer.ggml.`` in front; other keys are not looked at.
        name
            What to call it in messages.

        Raises
        ------
        ModelError
            Something is missing, or text is cut in a way that is not known here.
        ConfigurationError
            The library ``tokenizers`` is not installed.
        """
        return cls._of(vocabulary_of_gguf(vocabulary, name))

    @classmethod
    def _of(cls, read: Vocabulary) -> Tokenizer:
        return cls(read.backend(), read.ordinary, read.specials, read.name)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all that decides which tokens a text becomes."""
        told = [self._backend.to_str(), sorted(self.specials.items())]
        return sha256(json.dumps(told).encode()).hexdigest()

    def encode(self, text: str) -> list[int]:
        """Token ids of ``text``; what looks like a special token is text like any other."""
        if not isinstance(text, str):
            raise ArgumentTypeError(f"text is {type(text).__name__}, not str")
        try:
            ids: list[int] = self._backend.encode(text, add_special_tokens=False).ids
        except (UnicodeEncodeError, TypeError) as error:
            raise ArgumentError(f"text is not valid Unicode: {_first_surrogate(text)}") from error
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Text of tokens; what is no character becomes U+FFFD."""
        return self.decode_bytes(ids).decode(errors="replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Bytes of tokens. Special tokens give their text, ids without a token U+FFFD.

        Raises
        ------
        ArgumentTypeError
            They are no token ids.
        """
        if isinstance(ids, (str, bytes, Mapping)) or not isinstance(ids, Iterable):
            raise ArgumentTypeError(f"tokens are {type(ids).__name__}, not a list of token ids")
        return b"".join(map(self._token_bytes, ids))

    def pieces(self) -> list[bytes]:
        """Bytes of every token, by id; none where an id has no token."""
        return [
            self._token_bytes(index) if index in self._texts or index in self._bytes else b""
            for index in range(self.vocab_size)
        ]

    def _token_bytes(self, index: int) -> bytes:
        if type(index) is not int:
            if not isinstance(index, Integral) or isinstance(index, bool):
                raise ArgumentTypeError(f"tokens hold {index!r}; token ids are integers")
            index = int(index)
        known = self._bytes.get(index)
        if known is None:
            letters = byte_letters()
            text = self._texts.get(index, REPLACEMENT)
            if all(letter in letters for letter in text):
                known = bytes(letters[letter] for letter in text)
            else:
                known = text.encode()
            self._bytes[index] = known
        return known

    def __repr__(self) -> str:
        return f"Tokenizer({self.name}: {self.vocab_size} tokens, {len(self.specials)} special)"


class StreamDecoder:
    """Text of tokens that come one by one; a character is given once its last byte has come.

    Parameters
    ----------
    tokenizer
        Whose tokens they are.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token: int) -> str:
        """The characters that are complete with this token."""
        return self._decoder.decode(self._tokenizer.decode_bytes([token]))

    def flush(self) -> str:
        """What is left at the end: U+FFFD where a character was never completed."""
        text = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return text


def _first_surrogate(text: str) -> str:
    """Where a text has what is no character: bytes that were not UTF-8 are read so."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return (
            f"character {error.start} is the surrogate U+{ord(text[error.start]):04X}, which "
            "stands for a byte that was not UTF-8"
        )
    return "the tokenizer does not take it"
