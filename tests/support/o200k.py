"""The tokenizer of gpt-oss, made of the ranks of its vocabulary, where this machine has them."""

from __future__ import annotations

import os
from functools import cache

from bench.o200k import SPECIALS, vocabulary
from pyhades.llm.text.tokenizer import Tokenizer

__all__ = ["FOLDER", "SPECIALS", "tokenizer"]

FOLDER = os.environ.get("PYHADES_O200K") or os.environ.get("TIKTOKEN_ENCODINGS_BASE")
"""With ``o200k_base.tiktoken`` in it; None where there is none."""


@cache
def tokenizer() -> Tokenizer:
    """That of 201 088 tokens."""
    return Tokenizer.from_gguf(vocabulary(FOLDER))
