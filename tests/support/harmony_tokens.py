"""Tokens as no model should write them: markers and words of headers in any order."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.support.toy_tokenizer import toy_tokenizer

_MARKERS = sorted(toy_tokenizer().specials.values())
_WORDS = [
    token
    for word in ("assistant", "analysis", "final", "commentary", " to=functions.weather", "{}", "🌦️")
    for token in toy_tokenizer().encode(word)
]
TOKENS = st.lists(
    st.one_of(
        st.sampled_from(_MARKERS),
        st.sampled_from(_WORDS),
        st.integers(0, toy_tokenizer().vocab_size - 1),
    ),
    min_size=1,
    max_size=40,
)
