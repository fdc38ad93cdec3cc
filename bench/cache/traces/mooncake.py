"""Traces as Mooncake publishes them: a line of JSON per prompt, with names of blocks of 512 tokens.

A line has ``timestamp`` in milliseconds, ``input_length`` and ``output_length`` in tokens, and
``hash_ids``, one per block of the prompt; equal names are equal texts with equal beginnings.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.cache.traces.spans import Span
from bench.cache.traces.trace import Ask, Trace, trace_of
from pyhades.errors import ArgumentError

BLOCK = 512
_ANSWERS = 1 << 62
"""Names from here on are of answers, which nobody asks again."""
_FIELDS = ("timestamp", "input_length", "output_length")


def read_mooncake(path: str | Path, most: int | None = None) -> Trace:
    """Read a trace; of one client, as the files do not tell whose prompts they are.

    Parameters
    ----------
    path
        The file.
    most
        Only the first so many prompts.

    Raises
    ------
    ArgumentError
        A line is none of such a trace; the message names it.
    """
    path = Path(path)
    asked: list[Ask] = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if most is not None and len(asked) == most:
                break
            if line.strip():
                asked.append(_ask(line, number, f"{path}, line {number}"))
    return trace_of(path.stem, asked)


def _ask(line: str, number: int, where: str) -> Ask:
    said = _said(line, where)
    length, names = said["input_length"], said["hash_ids"]
    if len(names) != -(-length // BLOCK):
        raise ArgumentError(f"{where}: {length} tokens are not {len(names)} blocks of {BLOCK}")
    prompt = [Span(name, BLOCK) for name in names]
    if length % BLOCK:
        prompt[-1] = Span(names[-1], length % BLOCK)
    answer = (Span(_ANSWERS + number, max(said["output_length"], 1)),)
    return Ask(said["timestamp"] / 1000, "", tuple(prompt), answer)


def _said(line: str, where: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError as error:
        raise ArgumentError(f"{where} is no JSON: {error}") from error
    if not isinstance(said, dict):
        raise ArgumentError(f"{where} is no object")
    for field in _FIELDS:
        if not _is_count(said.get(field)):
            raise ArgumentError(f"{where}: {field} is {said.get(field)!r}, no whole number from 0")
    names = said.get("hash_ids")
    if not isinstance(names, list) or not all(map(_is_count, names)):
        raise ArgumentError(f"{where}: hash_ids is no list of whole numbers")
    if not said["input_length"]:
        raise ArgumentError(f"{where}: the prompt is empty")
    return said


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
