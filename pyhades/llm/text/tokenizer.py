"""Between text and token ids: byte-level BPE, computed by the library ``tokenizers``.

Only the cutting of text into tokens is the library's. Special tokens are kept from it, so that no
text can become one, and the bytes of a token are looked up here, so that none are lost.
"""

from __future__ import annotations

import codecs
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from hashlib import sha256
from numbers import Integral
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from pyhades.errors import ArgumentError, ArgumentTypeError, ConfigurationError, ModelError
from pyhades.llm.text.tokenizer_files import tokenizer_contents

# How o200k splits text: words with at most one character in front and an English ending behind,
# up to three digits, punctuation, white space.
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_ENDING = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K_PATTERN = "|".join(
    (
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_ENDING}",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_ENDING}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
"""How o200k cuts text before merging: words with at most one character before and an English
ending after them, up to three digits, punctuation, white space."""

QWEN2_PATTERN = "|".join(
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
"""How Qwen cuts text: as o200k, but English endings stand alone, and so does every digit."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_GGUF_PREFIX = "tokenizer.ggml."
_GGUF_PATTERNS = {"gpt-4o": O200K_PATTERN, "qwen2": QWEN2_PATTERN}
_GGUF_NORMAL, _GGUF_CONTROL, _GGUF_USER_DEFINED, _GGUF_UNUSED = 1, 3, 4, 5
_SPECIAL = re.compile(r"<\|\w+\|>")


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
        contents, name = _contents(source)
        library = _library()
        try:
            document = json.loads(contents)
            model = document["model"]
            specials = {
                _text(token["content"]): int(token["id"])
                for token in document["added_tokens"] or ()
            }
            merges = _pairs(model["merges"])
            vocabulary = dict(model["vocab"])
            # How training cut, filled up and dropped out is no business of who runs the model.
            options = {"ignore_merges": True} if model.get("ignore_merges") else {}
            rest = {**document, "added_tokens": [], "truncation": None, "padding": None,
                    "model": {**model, "vocab": {}, "merges": []}}  # fmt: skip
            is_byte_level = "ByteLevel" in json.dumps(rest["decoder"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"{name} is no tokenizer.json: {error!r}") from error
        if model.get("type", "BPE") != "BPE" or not is_byte_level:
            raise ModelError(f"{name} is not a byte-level BPE, which models of this family use")
        backend = _built(lambda: library.Tokenizer.from_str(json.dumps(rest)), name)
        return cls._finished(library, backend, vocabulary, merges, specials, name, options)

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
        if not isinstance(vocabulary, Mapping):
            raise ArgumentTypeError(f"{name} is {type(vocabulary).__name__}, not a mapping of keys")
        fields = {key.removeprefix(_GGUF_PREFIX): value for key, value in vocabulary.items()}
        for key in ("tokens", "merges"):
            if key not in fields:
                raise ModelError(f"{name} has no {_GGUF_PREFIX}{key}")
        try:
            texts, specials = _gguf_tokens(fields["tokens"], fields.get("token_type"), name)
            merges = _pairs(fields["merges"])
        except ModelError:
            raise
        except (TypeError, ValueError, KeyError) as error:
            raise ModelError(f"{name} has no vocabulary: {error!r}") from error
        library = _library()
        backend = library.Tokenizer(library.models.BPE())
        split = library.Regex(_gguf_pattern(fields.get("pre"), specials, name))
        backend.pre_tokenizer = library.pre_tokenizers.Sequence(
            [
                library.pre_tokenizers.Split(split, "isolated"),
                library.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        return cls._finished(library, backend, texts, merges, specials, name, {})

    @classmethod
    def _finished(
        cls,
        library: ModuleType,
        backend: Any,
        vocabulary: dict[str, int],
        merges: list[tuple[str, ...]],
        specials: Mapping[str, int],
        name: str,
        options: Mapping[str, Any],
    ) -> Tokenizer:
        for text in specials:
            vocabulary.pop(text, None)
        missing = [byte for letter, byte in _byte_letters().items() if letter not in vocabulary]
        if missing:
            raise ModelError(f"{name} has no token for byte {min(missing)}; text would be lost")
        backend.model = _built(lambda: library.models.BPE(vocabulary, merges, **options), name)
        return cls(backend, vocabulary, specials, name)

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
            letters = _byte_letters()
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


def _contents(source: Any) -> tuple[bytes, str]:
    """What a ``tokenizer.json`` holds, and what to call it."""
    if isinstance(source, bytes | bytearray):
        return bytes(source), "tokenizer.json"
    if not isinstance(source, str | os.PathLike):
        raise ArgumentTypeError(f"a tokenizer.json is a path or bytes, not {type(source).__name__}")
    return tokenizer_contents(source), str(source)


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise ConfigurationError(
            "tokenizing text needs the library `tokenizers`: pip install pyhades[llm]"
        ) from error
    return tokenizers


def _built(build: Any, name: str) -> Any:
    """What ``build`` gives; the library raises bare exceptions."""
    try:
        return build()
    except Exception as error:
        raise ModelError(f"{name}: {error}") from error


def _pairs(merges: Sequence[Any]) -> list[tuple[str, ...]]:
    """Merges, which are pairs or, in older files and GGUF, pairs with a space between them."""
    if merges and isinstance(merges[0], str):
        return [tuple(merge.split(" ")) for merge in merges]
    return [*map(tuple, merges)]


def _text(token: Any) -> str:
    """The text of a token; a TypeError or ValueError where it is none."""
    if not isinstance(token, str):
        raise TypeError(f"a token is {token!r}, not text")
    token.encode()
    return token


def _gguf_tokens(
    tokens: Sequence[str], types: Sequence[int] | None, name: str
) -> tuple[dict[str, int], dict[str, int]]:
    """Ids of the tokens that text is cut into, and of the special ones."""
    kinds = [_GGUF_NORMAL] * len(tokens) if types is None else [int(kind) for kind in types]
    if len(kinds) != len(tokens):
        raise ModelError(f"{name} has {len(tokens)} tokens, but {len(kinds)} types of tokens")
    texts: dict[str, int] = {}
    specials: dict[str, int] = {}
    for index, (text, kind) in enumerate(zip(map(_text, tokens), kinds, strict=True)):
        if kind in (_GGUF_CONTROL, _GGUF_USER_DEFINED) or _SPECIAL.fullmatch(text):
            specials[text] = index
        elif kind != _GGUF_UNUSED:
            texts[text] = index
    return texts, specials


def _gguf_pattern(pre: Any, specials: Mapping[str, int], name: str) -> str:
    """How text is cut, by name; a vocabulary with harmony's tokens is o200k whatever its name.

    Some files, such as those of ollama, name another, and prompts come out malformed.
    """
    if {"<|start|>", "<|channel|>", "<|message|>"} <= specials.keys():
        return O200K_PATTERN
    if not isinstance(pre, str) or pre not in _GGUF_PATTERNS:
        raise ModelError(
            f"{name} has {_GGUF_PREFIX}pre {pre!r}; known are {', '.join(_GGUF_PATTERNS)}"
        )
    return _GGUF_PATTERNS[pre]


@cache
def _byte_letters() -> dict[str, int]:
    """The letter that stands for each byte in a byte-level vocabulary.

    Printable Latin-1 stands for itself, all other bytes for the letters from 256 on.
    """
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("ÿ") + 1)} - {0xAD}
    others = (byte for byte in range(256) if byte not in printable)
    letters = {chr(byte): byte for byte in printable}
    return letters | {chr(256 + number): byte for number, byte in enumerate(others)}
