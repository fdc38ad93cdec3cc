"""Prompts that begin as another does which is about to be read: they wait, and find it read."""

from __future__ import annotations

from collections.abc import Sequence as Items

from pyhades.llm.engine.answer import Answer
from pyhades.llm.models.layers import CACHE_BLOCK

WORTH_WAITING = 128
"""Tokens that another prompt is about to read, for which one waits instead of reading them, too."""


def without_followers(order: Items[Answer]) -> list[Answer]:
    """Those of some prompts, in the order of reading, that need not wait for one before them."""
    readers = [answer for answer in order if answer.is_admitted]
    kept = []
    for answer in order:
        ahead = None if answer.is_admitted else _reader_for(answer, readers)
        if ahead is None:
            kept.append(answer)
            if not answer.is_admitted:
                readers.append(answer)
    return kept


def _reader_for(answer: Answer, readers: Items[Answer]) -> Answer | None:
    """Who is about to read what a prompt needs next, and will leave it where they part."""
    mine = answer.address
    if mine is None:
        return None
    for reader in readers:
        other = reader.address
        if other is None:
            continue
        common = mine.common_depth(other)
        will_pass = reader.read < common * CACHE_BLOCK and common >= other.place.sound
        if will_pass and common * CACHE_BLOCK - answer.read >= WORTH_WAITING:
            other.points.add(common)
            return reader
    return None
