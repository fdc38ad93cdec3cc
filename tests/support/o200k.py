"""The tokenizer of gpt-oss, made of the ranks of its vocabulary, where this machine has them."""

from __future__ import annotations

import base64
import os
from functools import cache
from pathlib import Path

from pyhades.llm.text.tokenizer import Tokenizer

FOLDER = os.environ.get("PYHADES_O200K") or os.environ.get("TIKTOKEN_ENCODINGS_BASE")
"""With ``o200k_base.tiktoken`` in it; None where there is none."""
SPECIALS = {
    "<|startoftext|>": 199998, "<|endoftext|>": 199999, "<|return|>": 200002,
    "<|constrain|>": 200003, "<|channel|>": 200005, "<|start|>": 200006, "<|end|>": 200007,
    "<|message|>": 200008, "<|call|>": 200012,
}  # fmt: skip


@cache
def tokenizer() -> Tokenizer:
    """That of 201 088 tokens."""
    ranks = {}
    for line in (Path(FOLDER) / "o200k_base.tiktoken").read_bytes().splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    letters |= {byte: chr(256 + number) for number, byte in enumerate(others)}

    def spelled(token: bytes) -> str:
        return "".join(letters[byte] for byte in token)

    tokens = [""] * 201088
    types = [5] * 201088
    for token, rank in ranks.items():
        tokens[rank], types[rank] = spelled(token), 1
    for number, unused in enumerate(types):
        tokens[number] = f"<|reserved_{number}|>" if unused == 5 else tokens[number]
    for name, number in SPECIALS.items():
        tokens[number], types[number] = name, 3
    merges = [" ".join(map(spelled, pair)) for pair in _merges(ranks)]
    return Tokenizer.from_gguf(
        {"tokens": tokens, "token_type": types, "merges": merges, "pre": "gpt-4o"}
    )


def _merges(ranks):
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
