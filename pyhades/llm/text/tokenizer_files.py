"""The files that a tokenizer is spread over.

``tokenizer.json`` should say everything. Some checkpoints list their special tokens only in the
files beside it that older versions of transformers write; what is missing is taken from them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pyhades.errors import ModelError
from pyhades.formats.pointer import refuse_pointer

_CONFIG, _ADDED, _SPECIAL = "tokenizer_config.json", "added_tokens.json", "special_tokens_map.json"
_FLAGS = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
          "special": True}  # fmt: skip


def tokenizer_contents(path: str | os.PathLike[str]) -> bytes:
    """What ``tokenizer.json`` holds, with the special tokens that only files beside it list.

    Raises
    ------
    ModelError
        A file cannot be read, or one beside it is no JSON.
    """
    path = Path(path)
    contents = _read(path)
    try:
        document = json.loads(contents)
        known = {token["content"] for token in document.get("added_tokens") or ()}
        vocabulary = dict(document["model"]["vocab"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return contents  # whoever reads it says what is wrong
    missing = {text: index for text, index in _listed_beside(path, vocabulary) if text not in known}
    if not missing:
        return contents
    added = [{"id": index, "content": text, **_FLAGS} for text, index in missing.items()]
    document["added_tokens"] = [*(document.get("added_tokens") or ()), *added]
    return json.dumps(document, ensure_ascii=False).encode()


def _listed_beside(path: Path, vocabulary: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Special tokens and their ids; those that come first are the ones that count."""
    config = _object_in(path.with_name(_CONFIG))
    decoder = config.get("added_tokens_decoder")
    for index, token in decoder.items() if isinstance(decoder, Mapping) else ():
        text = token.get("content") if isinstance(token, Mapping) else token
        if isinstance(text, str) and str(index).isdecimal():
            yield text, int(index)
    for text, number in _object_in(path.with_name(_ADDED)).items():
        if type(number) is int and number >= 0:
            yield text, number
    # These name tokens without ids.
    for named in (config, _object_in(path.with_name(_SPECIAL))):
        for text in _named_in(named):
            if text in vocabulary:
                yield text, vocabulary[text]


def _named_in(values: Mapping[str, Any]) -> Iterator[str]:
    """Texts under ``eos_token``, ``additional_special_tokens`` and the like."""
    for key, value in values.items():
        if not key.endswith(("_token", "special_tokens")):
            continue
        given = value.values() if isinstance(value, Mapping) and "content" not in value else value
        for token in [given] if isinstance(given, str | Mapping) else list(_items(given)):
            text = token.get("content") if isinstance(token, Mapping) else token
            if isinstance(text, str):
                yield text


def _items(value: Any) -> Any:
    return value if hasattr(value, "__iter__") else ()


def _object_in(path: Path) -> Mapping[str, Any]:
    """The object in a JSON file; an empty one where there is no such file."""
    if not path.exists():
        return {}
    try:
        values = json.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is no JSON: {error}; download it again") from None
    return values if isinstance(values, dict) else {}


def _read(path: Path) -> bytes:
    refuse_pointer(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot read the tokenizer: {error.strerror}") from None
