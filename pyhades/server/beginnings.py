"""Beginnings of conversations that whoever runs a server declares as shared by its clients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyhades.errors import ArgumentError


def read_beginning(path: str | Path) -> dict[str, Any]:
    """Keywords of :meth:`pyhades.LLM.share_beginning` from a file.

    Parameters
    ----------
    path
        A text is that of a system message. A file that ends with ``.json`` has a list of messages,
        or an object with ``messages`` and ``tools`` and other keywords of
        :meth:`pyhades.LLM.chat`.

    Raises
    ------
    ArgumentError
        It is neither, or has no messages.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentError(f"cannot read {path}: {error}") from error
    if path.suffix.lower() != ".json":
        if not text.strip():
            raise ArgumentError(f"{path} is empty; write a system message there")
        return {"messages": [{"role": "system", "content": text}]}
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArgumentError(f"{path} is no JSON: {error}") from None
    keywords = given if isinstance(given, Mapping) else {"messages": given}
    if not isinstance(keywords.get("messages"), list):
        raise ArgumentError(
            f"{path} has no messages; write a list of them, or an object with messages and tools"
        )
    return dict(keywords)
