"""The vocabulary of gpt-oss, made of the ranks that tiktoken has of it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FILE = "o200k_base.tiktoken"
SIZE = 201088
SPECIALS = {
    "<|startoftext|>": 199998, "<|endoftext|>": 199999, "<|return|>": 200002,
    "<|constrain|>": 200003, "<|channel|>": 200005, "<|start|>": 200006, "<|end|>": 200007,
    "<|message|>": 200008, "<|call|>": 200012,
}  # fmt: skip
_NORMAL, _CONTROL, _UNUSED = 1, 3, 5


def vocabulary(folder: str | Path) -> dict[str, Any]:
    """``tokens``, ``token_type``, ``merges`` and ``pre`` as a GGUF file has them.

    Parameters
    ----------
    folder
        With ``o200k_base.tiktoken`` in it.
    """
    ranks = {}
    for line in (Path(folder) / FILE).read_bytes().splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    letters |= {byte: chr(256 + number) for number, byte in enumerate(others)}

    def spelled(token: bytes) -> str:
        return "".join(letters[byte] for byte in token)

    tokens = [f"<|reserved_{number}|>" for number in range(SIZE)]
    types = [_UNUSED] * SIZE
    for token, rank in ranks.items():
        tokens[rank], types[rank] = spelled(token), _NORMAL
    for name, number in SPECIALS.items():
        tokens[number], types[number] = name, _CONTROL
    merges = [" ".join(map(spelled, pair)) for pair in _merges(ranks)]
    return {"tokens": tokens, "token_type": types, "merges": merges, "pre": "gpt-4o"}


def _merges(ranks: Mapping[bytes, int]) -> Iterator[list[bytes]]:
    """For every token, the two that it is made of: what is left when only lower ranks merge."""
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if len(token) == 1:
            continue
        parts = [bytes([byte]) for byte in token]
        while len(parts) > 2:
            merged = [(ranks.get(parts[i] + parts[i + 1], rank), i) for i in range(len(parts) - 1)]
            lowest, at = min(merged)
            assert lowest < rank
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        yield parts
