"""What readers get of answers that come several tokens at a time."""

from __future__ import annotations

import pytest

from pyhades.llm import LLM
from pyhades.llm.grammar import json_schema
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from tests.llm.speculation.guessing import Guessing
from tests.support.toy_tokenizer import toy_tokenizer

SPECIALS = toy_tokenizer().specials
CONFIG = tiny_config(
    vocab_size=toy_tokenizer().vocab_size,
    eos_token_ids=(SPECIALS["<|return|>"], SPECIALS["<|call|>"]),
)
PROMPT = "What is the weather in Paris, and what was it in"
CASES = {
    "greedy": {"temperature": 0, "max_tokens": 40},
    "several": {"seed": 3, "n": 3, "max_tokens": 50, "logprobs": 2},
    "penalties": {"seed": 4, "repetition_penalty": 1.2, "frequency_penalty": 0.5, "logprobs": 0},
    "to the end": {"seed": 5, "temperature": 1.3, "max_tokens": None},
}


@pytest.fixture(scope="module")
def weights():
    return random_weights(CONFIG, "balanced", threads=1)


@pytest.fixture
def llm(weights):
    with LLM.from_weights(
        CONFIG, weights, toy_tokenizer(), threads=1, context_length=128, max_sequences=4,
        speculation=False,
    ) as opened:  # fmt: skip
        yield opened


def rows(generation):
    return [
        (answer.text, answer.token_ids, answer.finish_reason, answer.logprobs)
        for answer in generation.completions
    ]


def knowing(answers) -> Guessing:
    """Guesses what is known of answers, and what would have followed them."""
    known = {index: [*tokens, 5, 9, 5] for index, tokens in enumerate(answers)}
    return Guessing(lambda answer: known[answer.index][answer.written :])


@pytest.mark.parametrize("name", CASES)
def test_generations_are_the_same(llm, name):
    plain = llm.generate(PROMPT, **CASES[name])
    speculation = knowing([one.token_ids for one in plain.completions])
    llm.engine.scheduler.speculation = speculation
    before = llm.stats().steps
    again = llm.generate(PROMPT, **CASES[name])
    assert rows(again) == rows(plain)
    assert llm.stats().steps - before < len(plain.token_ids) / 2
    for answer in again.completions:
        timing = answer.timing
        assert timing.accepted_prediction_tokens > len(answer.token_ids) / 2
        assert timing.rejected_prediction_tokens <= 3
    counts = speculation.counts()
    assert counts.accepted == sum(a.timing.accepted_prediction_tokens for a in again.completions)


@pytest.mark.parametrize("length", range(1, 12))
def test_a_stop_string_among_drafts_ends_the_answer_there(llm, length):
    """What came behind it in the same step is not seen by anybody."""
    params = {"temperature": 0, "max_tokens": 40}
    whole = llm.generate(PROMPT, **params)
    stop = whole.text[length : length + 2]
    plain = llm.generate(PROMPT, stop=stop, **params)
    assert plain.finish_reason == "stop"
    llm.engine.scheduler.speculation = knowing([whole.token_ids])
    deltas = []
    again = llm.generate(PROMPT, stop=stop, on_delta=deltas.append, **params)
    assert rows(again) == rows(plain)
    assert [delta.finish_reason for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
    assert llm.stats().running == 0


def test_two_answers_of_which_one_stops(llm):
    params = {"seed": 8, "n": 2, "max_tokens": 30}
    whole = llm.generate(PROMPT, **params)
    stop = whole.completions[1].text[4:7]
    plain = llm.generate(PROMPT, stop=stop, **params)
    llm.engine.scheduler.speculation = knowing([one.token_ids for one in whole.completions])
    assert rows(llm.generate(PROMPT, stop=stop, **params)) == rows(plain)


def test_a_reader_who_leaves(llm):
    whole = llm.generate(PROMPT, temperature=0, max_tokens=60)
    llm.engine.scheduler.speculation = knowing([whole.token_ids])
    for count in (1, 2, 17):
        stream = llm.stream(PROMPT, temperature=0, max_tokens=60)
        tokens = [next(stream).token_ids[0] for _ in range(count)]
        stream.close()
        assert tokens == list(whole.token_ids[:count])
    assert rows(llm.generate(PROMPT, temperature=0, max_tokens=60)) == rows(whole)


SCHEMA = {
    "type": "object",
    "properties": {"quantity": {"type": "integer"}, "unit": {"enum": ["grams", "litres"]}},
    "required": ["quantity", "unit"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("logprobs", [None, 1])
def test_grammars(llm, logprobs):
    """Where logits of few tokens are computed, those of drafts are among them."""
    pytest.importorskip("llguidance")
    for seed in range(6):
        params = {"seed": seed, "max_tokens": 60, "constraint": json_schema(SCHEMA)}
        llm.engine.scheduler.speculation = None
        plain = llm.generate(PROMPT, logprobs=logprobs, **params)
        tokens = list(plain.token_ids)
        llm.engine.scheduler.speculation = knowing([tokens])
        assert rows(llm.generate(PROMPT, logprobs=logprobs, **params)) == rows(plain)
        torn = [token if place % 5 else 3 for place, token in enumerate(tokens)]
        llm.engine.scheduler.speculation = knowing([torn])
        assert rows(llm.generate(PROMPT, logprobs=logprobs, **params)) == rows(plain)


def test_by_default_answers_are_those_without(weights):
    """With whatever the gate decides on this machine."""
    answers = []
    for speculation in (False, None, True):
        with LLM.from_weights(
            CONFIG, weights, toy_tokenizer(), threads=1, context_length=512, max_sequences=4,
            speculation=speculation,
        ) as llm:  # fmt: skip
            several = llm.generate([PROMPT] * 3, temperature=0, max_tokens=200, logprobs=1)
            chat = llm.chat([{"role": "user", "content": PROMPT}], seed=1, max_tokens=60,
                            prediction=PROMPT)  # fmt: skip
            answers.append(([rows(one) for one in several], chat.content, chat.finish_reason))
            assert (llm.stats().speculation is None) == (speculation is False)
    assert answers[0] == answers[1] == answers[2]
