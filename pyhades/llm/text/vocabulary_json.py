"""Vocabularies in the ``tokenizer.json`` of the library ``tokenizers``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pyhades.errors import ArgumentTypeError, ModelError
from pyhades.llm.text.tokenizer_files import tokenizer_contents
from pyhades.llm.text.vocabulary import Vocabulary, built, checked_text, library, pairs


def vocabulary_of_json(source: str | Path | bytes) -> Vocabulary:
    """What a file holds, or bytes; see :meth:`pyhades.llm.text.tokenizer.Tokenizer.from_json`."""
    contents, name = _contents(source)
    tools = library()
    try:
        document = json.loads(contents)
        model = document["model"]
        specials = {
            checked_text(token["content"]): int(token["id"])
            for token in document["added_tokens"] or ()
        }
        merges = pairs(model["merges"])
        texts = dict(model["vocab"])
        # How training cut, filled up and dropped out is no business of who runs the model.
        options = {"ignore_merges": True} if model.get("ignore_merges") else {}
        rest = {**document, "added_tokens": [], "truncation": None, "padding": None,
                "model": {**model, "vocab": {}, "merges": []}}  # fmt: skip
        is_byte_level = "ByteLevel" in json.dumps(rest["decoder"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{name} is no tokenizer.json: {error!r}") from error
    if model.get("type", "BPE") != "BPE" or not is_byte_level:
        raise ModelError(f"{name} is not a byte-level BPE, which models of this family use")
    cutter = built(lambda: tools.Tokenizer.from_str(json.dumps(rest)), name)
    return Vocabulary(cutter, texts, merges, specials, name, options)


def _contents(source: Any) -> tuple[bytes, str]:
    """What a ``tokenizer.json`` holds, and what to call it."""
    if isinstance(source, bytes | bytearray):
        return bytes(source), "tokenizer.json"
    if not isinstance(source, str | os.PathLike):
        raise ArgumentTypeError(f"a tokenizer.json is a path or bytes, not {type(source).__name__}")
    return tokenizer_contents(source), str(source)
