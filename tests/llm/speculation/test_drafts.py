"""Where drafts come from."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import pyhades
from pyhades.llm.engine.guided import GuidedFilter
from pyhades.llm.engine.sampling import Sampler, SamplingParams
from pyhades.llm.grammar import json_schema
from pyhades.llm.grammar.compiled import Grammar, Grammars
from pyhades.llm.speculation.past import CLIENTS, PastAnswers
from pyhades.llm.speculation.sources import Forced, Headers, OtherText, OwnText, predicted
from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.harmony.markers import Markers
from pyhades.llm.text.harmony.rendering import harmony_prompt, render_message
from tests.support.toy_tokenizer import toy_tokenizer

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


def shown(source, tokens):
    for token in tokens:
        source.accept(token)
    return source


def proposed(source, most=8):
    draft = source.propose(most)
    return () if draft is None else draft.tokens


def test_a_text_goes_on_as_before():
    assert proposed(shown(OwnText(), [1, 2, 3, 4, 5, 1, 2]), 3) == (3, 4, 5)
    assert proposed(shown(OwnText(), [1, 2, 3])) == ()


def test_of_several_places_the_most_frequent():
    assert proposed(shown(OwnText(), [1, 2, 1, 3, 1, 3, 1, 2, 1, 3, 9, 1]), 1) == (3,)


@pytest.mark.parametrize("headers", [(), ((70, 71, 72),)])
def test_predictions_begin_where_the_answer_does(headers):
    source = predicted([(1, 2, 3, 4), (9, 2, 8)], headers)
    assert source is not None
    if headers:
        assert proposed(shown(source, [5, 71, 72])) == (1, 2, 3, 4)
    else:
        assert proposed(source) == (1, 2, 3, 4)
    assert proposed(shown(source, [1, 2])) == (3, 4)
    assert proposed(shown(source, [50])) == ()
    assert proposed(shown(source, [9, 2])) == (8,)  # no text goes on as the next one


def test_no_prediction():
    assert predicted([], ()) is None
    assert predicted([()], ()) is None


def test_past_answers_are_bounded_and_apart():
    past = PastAnswers(100)
    for number in range(20):
        past.add("a", [1000 + number] * 20)
    assert sum(automaton.size for automaton in past.of("a")) <= 100
    assert len(past.of("a")) <= 2
    source = OtherText("past", past.of("a"))
    assert proposed(shown(source, [1019])) != ()
    assert proposed(shown(OtherText("past", past.of("a")), [1000])) == ()  # too long ago
    assert past.of("b") == ()
    for number in range(CLIENTS):
        past.add(str(number), [1, 2])
    assert past.of("a") == ()


def test_forced():
    assert proposed(Forced(lambda most: [4, 5, 6][:most]), 2) == (4, 5)
    assert Forced(lambda most: ()).propose(3) is None


def test_headers_of_harmony_are_what_it_renders():
    """Every header is followed, from its first token to the content."""
    tokenizer = toy_tokenizer()
    markers = Markers.of(tokenizer)
    options = ChatOptions(tools=[TOOL])
    prompt = harmony_prompt([{"role": "user", "content": "Hi"}], tokenizer, options)
    assert len(prompt.headers) == 4
    for header in prompt.headers:
        assert header[-1] == markers.message
        source = Headers(prompt.headers)
        wrong = 0
        for token, following in pairwise((*header, None)):
            source.accept(token)
            draft = proposed(source)
            assert draft or following is None
            wrong += following is not None and draft[0] != following
        assert wrong <= 1  # which channel it is
    from pyhades.llm.text.chat import Message

    whole = render_message(Message("assistant", "", "final"), tokenizer, markers)
    assert tuple(whole[:-1]) == prompt.headers[0][1:]


@pytest.fixture(scope="module")
def filters():
    tokenizer = toy_tokenizer()
    constraint = json_schema(
        {
            "type": "object",
            "properties": {"quantity": {"type": "integer"}, "name": {"type": "string"}},
            "required": ["quantity", "name"],
            "additionalProperties": False,
        }
    )
    pytest.importorskip("llguidance")
    ends = [tokenizer.specials["<|return|>"]]
    grammars = Grammars(tokenizer, tokenizer.vocab_size, ends)
    return grammars.compiled(Grammar.of(constraint, ends)).filters()


def bits(words):
    return set(np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little")))


def test_what_a_grammar_forces_is_all_that_it_allows(filters):
    """And looking ahead leaves it where it is."""
    tokenizer = toy_tokenizer()
    looking, plain = filters(), filters()
    words, after = (np.zeros(-(-tokenizer.vocab_size // 32), np.uint32) for _ in range(2))
    count = 0
    tokens = tokenizer.encode('{"quantity": 12, "name": "x"}')
    for place, token in enumerate(tokens):
        forced = looking.forced(16)
        assert looking.count_allowed(forced) == len(forced)
        assert looking.count_allowed(tokens[place:]) == len(tokens) - place
        assert looking.count_allowed([token, token, token]) >= 1
        after[:] = 0
        assert looking.add_after(tokens[place : place + 3], after)
        looking.fill(words)
        allowed = bits(words)
        plain.fill(words)
        assert allowed == bits(words)
        if forced:
            assert allowed == {forced[0]}
        ahead = filters()
        for earlier in tokens[:place]:
            ahead.accept(earlier)
        follows = set()
        for next_token in tokens[place : place + 3]:
            ahead.accept(next_token)
            ahead.fill(words)
            follows |= bits(words)
        assert bits(after) == follows
        count += len(forced)
        looking.accept(token)
        plain.accept(token)
    assert count > 5
    assert not looking.add_after([0], after)


class Sevens:
    is_over = False

    def after(self, token):
        return [7, 7] if token == 1 else []


def test_what_a_guide_demands_is_forced(filters):
    guided = GuidedFilter(Sevens(), None)
    assert list(guided.forced(4)) == []
    guided.accept(1)
    assert list(guided.forced(4)) == [7, 7]
    assert guided.count_allowed([7, 8, 9]) == 1
    assert guided.count_allowed([7, 7, 9]) == 3
    guided = GuidedFilter(Sevens(), filters())
    assert guided.forced(4) == filters().forced(4) != ()


class Broken:
    finished = False

    def fill(self, words):
        return False

    def accept(self, token):
        pass

    def forced(self, most):
        raise RuntimeError("no")

    count_allowed = add_after = forced


def test_a_filter_that_cannot_look_ahead_is_asked_no_more():
    sampler = Sampler(SamplingParams(), [], filter_factory=Broken)
    sampler.fill(np.zeros(1, np.uint32))
    assert sampler.forced(3) == ()
    assert sampler.count_allowed([1]) == 0
    assert not sampler.add_after([1], np.zeros(1, np.uint32))


def test_chats_tell_their_headers():
    with pyhades.LLM(context_length=256) as llm:
        asked = llm.prepare_chat([{"role": "user", "content": "Hi"}], max_tokens=4)
        assert asked._request.headers == asked._prompt.headers != ()
