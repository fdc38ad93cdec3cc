"""The automaton against a search through the whole text."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyhades.llm.speculation.suffix_automaton import NOWHERE, SuffixAutomaton

TEXTS = st.lists(st.integers(0, 3), max_size=40)
ALL = 10**9


def automaton_of(text, counted=ALL) -> SuffixAutomaton:
    automaton = SuffixAutomaton(counted)
    automaton.extend_all(text)
    return automaton


def ends(text, part) -> list[int]:
    """Where a part of a text ends."""
    count = len(part)
    return [end for end in range(count, len(text) + 1) if text[end - count : end] == part]


def longest_match(text) -> int:
    """The length of the longest end of a text that occurs in it before."""
    lengths = range(len(text) - 1, 0, -1)
    return next((m for m in lengths if len(ends(text, text[-m:])) > 1), 0)


@given(TEXTS)
def test_the_longest_end_that_occurred_before(text):
    automaton = SuffixAutomaton()
    for end, token in enumerate(text, 1):
        automaton.extend(token)
        assert automaton.size == end
        assert automaton.match.length == longest_match(text[:end])


@given(TEXTS)
def test_how_often_what_followed_it(text):
    automaton = automaton_of(text)
    length = longest_match(text)
    if length:
        followers = Counter(text[end] for end in ends(text, text[-length:]) if end < len(text))
        assert automaton.times(automaton.match) == followers


@given(TEXTS)
def test_the_first_guess_is_what_followed_most_often_of_equals_the_latest(text):
    automaton = automaton_of(text)
    guesses = automaton.guesses(automaton.match, 1)
    length = longest_match(text)
    if not length:
        assert guesses == []
        return
    places = [end for end in ends(text, text[-length:]) if end < len(text)]
    times = Counter(text[end] for end in places)
    best = max(times, key=lambda token: (times[token], max(e for e in places if text[e] == token)))
    [guess] = guesses
    assert times[guess.token] == times[best]
    if guess.token != best:  # the latest of all follows less often than both
        assert times[text[max(places)]] < times[best]
    assert guess.length == length
    assert guess.share == pytest.approx(times[best] / (len(places) + 0.5))


@given(TEXTS, TEXTS)
def test_another_text_is_matched(text, other):
    automaton = automaton_of(text)
    place = NOWHERE
    for end, token in enumerate(other, 1):
        place = automaton.advanced(place, token)
        read = other[:end]
        lengths = range(end, 0, -1)
        assert place.length == next((m for m in lengths if ends(text, read[-m:])), 0)


@given(TEXTS, st.integers(1, 12))
def test_guesses_are_substrings_with_what_stands_before_them(text, most):
    """As long as they do not reach beyond the end of the text."""
    automaton = automaton_of(text)
    match = automaton.match
    guessed = [guess.token for guess in automaton.guesses(match, most)]
    assert len(guessed) == (most if match.length else 0)
    written = text[len(text) - match.length :]
    for count in range(1, len(guessed) + 1):
        follows = [*written, *guessed[:count]]
        if not ends(text, follows):
            assert ends(text, follows[:-1]) == [len(text)]  # it went on from a shorter end
            break


def test_a_text_that_repeats_goes_on():
    automaton = automaton_of([1, 2, 3] * 4)
    guessed = [guess.token for guess in automaton.guesses(automaton.match, 7)]
    assert guessed == [1, 2, 3, 1, 2, 3, 1]


def test_separators_end_guesses_and_are_never_matched():
    automaton = automaton_of([-1, 1, 2, -2, 1, 3, -3])
    place = automaton.advanced(NOWHERE, 1)
    assert [guess.token for guess in automaton.guesses(place, 5)] == [3]
    place = automaton.advanced(place, 2)
    assert automaton.guesses(place, 5) == []


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_states_are_at_most_twice_the_tokens(seed, letters):
    text = np.random.default_rng(seed).integers(0, letters, 400).tolist()
    automaton = automaton_of(text, counted=8)
    assert len(automaton._length) <= 2 * len(text)


def test_the_work_per_token_does_not_grow_with_the_text():
    """Steps along links, which are all the loops that there are, on the worst of texts."""

    class Counting(list):
        looks = 0

        def __getitem__(self, index):
            Counting.looks += 1
            return super().__getitem__(index)

    for text in ([7] * 4000, [1, 2] * 2000, np.random.default_rng(1).integers(0, 3, 4000).tolist()):
        automaton = SuffixAutomaton()
        automaton._link = Counting(automaton._link)
        Counting.looks = 0
        automaton.extend_all(text)
        assert Counting.looks <= 16 * len(text)
