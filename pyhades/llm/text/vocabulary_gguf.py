"""Vocabularies in the metadata of GGUF files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pyhades.errors import ArgumentTypeError, ModelError
from pyhades.llm.text.cutting import O200K_PATTERN, QWEN2_PATTERN
from pyhades.llm.text.vocabulary import Vocabulary, checked_text, library, pairs

_PREFIX = "tokenizer.ggml."
_PATTERNS = {"gpt-4o": O200K_PATTERN, "qwen2": QWEN2_PATTERN}
_NORMAL, _CONTROL, _USER_DEFINED, _UNUSED = 1, 3, 4, 5
_SPECIAL = re.compile(r"<\|\w+\|>")


def vocabulary_of_gguf(given: Mapping[str, Any], name: str) -> Vocabulary:
    """What a file says; see :meth:`pyhades.llm.text.tokenizer.Tokenizer.from_gguf`."""
    if not isinstance(given, Mapping):
        raise ArgumentTypeError(f"{name} is {type(given).__name__}, not a mapping of keys")
    fields = {key.removeprefix(_PREFIX): value for key, value in given.items()}
    for key in ("tokens", "merges"):
        if key not in fields:
            raise ModelError(f"{name} has no {_PREFIX}{key}")
    try:
        texts, specials = _tokens(fields["tokens"], fields.get("token_type"), name)
        merges = pairs(fields["merges"])
    except ModelError:
        raise
    except (TypeError, ValueError, KeyError) as error:
        raise ModelError(f"{name} has no vocabulary: {error!r}") from error
    tools = library()
    cutter = tools.Tokenizer(tools.models.BPE())
    split = tools.Regex(_pattern(fields.get("pre"), specials, name))
    cutter.pre_tokenizer = tools.pre_tokenizers.Sequence(
        [
            tools.pre_tokenizers.Split(split, "isolated"),
            tools.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return Vocabulary(cutter, texts, merges, specials, name)


def _tokens(
    tokens: Sequence[str], types: Sequence[int] | None, name: str
) -> tuple[dict[str, int], dict[str, int]]:
    """Ids of the tokens that text is cut into, and of the special ones."""
    kinds = [_NORMAL] * len(tokens) if types is None else [int(kind) for kind in types]
    if len(kinds) != len(tokens):
        raise ModelError(f"{name} has {len(tokens)} tokens, but {len(kinds)} types of tokens")
    texts: dict[str, int] = {}
    specials: dict[str, int] = {}
    for index, (text, kind) in enumerate(zip(map(checked_text, tokens), kinds, strict=True)):
        if kind in (_CONTROL, _USER_DEFINED) or _SPECIAL.fullmatch(text):
            specials[text] = index
        elif kind != _UNUSED:
            texts[text] = index
    return texts, specials


def _pattern(pre: Any, specials: Mapping[str, int], name: str) -> str:
    """How text is cut, by name; a vocabulary with harmony's tokens is o200k whatever its name.

    Some files, such as those of ollama, name another, and prompts come out malformed.
    """
    if {"<|start|>", "<|channel|>", "<|message|>"} <= specials.keys():
        return O200K_PATTERN
    if not isinstance(pre, str) or pre not in _PATTERNS:
        raise ModelError(f"{name} has {_PREFIX}pre {pre!r}; known are {', '.join(_PATTERNS)}")
    return _PATTERNS[pre]
