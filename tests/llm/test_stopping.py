"""Stop strings, however the text is cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyhades.llm.text.stopping import StopStrings


def run(stop: list[str], pieces: list[str]) -> tuple[str, bool]:
    stops = StopStrings(stop)
    shown = ""
    for piece in pieces:
        text, stopped = stops.push(piece)
        shown += text
        if stopped:
            return shown, True
    return shown + stops.flush(), False


def test_nothing_is_held_back_without_stop_strings():
    assert StopStrings(()).push("text") == ("text", False)


def test_a_possible_beginning_is_held_back_and_released():
    stops = StopStrings(["END"])
    assert stops.push("the E") == ("the ", False)
    assert stops.push("N") == ("", False)
    assert stops.push("Q") == ("ENQ", False)
    assert stops.flush() == ""


def test_what_is_held_at_the_end_is_flushed_once():
    stops = StopStrings(["END"])
    assert stops.push("xEN") == ("x", False)
    assert stops.flush() == "EN"
    assert stops.flush() == ""


@pytest.mark.parametrize(
    ("stop", "text", "shown"),
    [
        (["END"], "aENDb", "a"),
        (["\n\n", "Q:"], "a\nQ: b\n\n", "a\n"),
        (["abab"], "abaabab!", "aba"),
        (["aab"], "aaaab", "aa"),
        (["abcd", "bc"], "abcd", "a"),
        (["c", "abc"], "abc", ""),
        (["日本"], "x日日本", "x日"),
    ],
)
def test_text_ends_before_the_stop_string(stop, text, shown):
    assert run(stop, [text]) == (shown, True)
    assert run(stop, list(text)) == (shown, True)


WORDS = st.text("ab", min_size=1, max_size=4)


@given(st.lists(WORDS, max_size=3), st.lists(st.text("ab", max_size=5), max_size=8))
@example(["abb", "b"], ["a", "bb"])
def test_pieces_do_not_matter(stop, pieces):
    text = "".join(pieces)
    shown, stopped = run(stop, pieces)
    assert (shown, stopped) == run(stop, list(text))
    assert text.startswith(shown)
    assert stopped == any(word in text for word in stop)
    assert stopped or shown == text
    assert not any(word in shown for word in stop)
