"""Prompts of random words, each another one, so that no server has read its beginning before."""

from __future__ import annotations

import random

_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]


def random_words(words: int, seed: str) -> str:
    """So many words; the same seed, the same text."""
    syllables = iter(random.Random(seed).choices(_SYLLABLES, k=2 * words))
    return " ".join(first + second for first, second in zip(syllables, syllables, strict=True))


def words_for(tokens: int, probes: dict[int, int]) -> int:
    """How many words make a prompt of so many tokens, on average.

    Parameters
    ----------
    tokens
        Wanted.
    probes
        The tokens of prompts, by their words: two of them, since every prompt of a chat has tokens
        of its own beside them.
    """
    (few, least), (many, most) = sorted(probes.items())
    per_word = (most - least) / (many - few)
    return max(1, round(few + (tokens - least) / per_word))
