"""What the load generator is made of: streams taken apart, statistics, prompts, spoilt requests."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyhades.bench.serve import outcome
from pyhades.bench.serve.findings import Check, Findings, markdown, told
from pyhades.bench.serve.fuzz import BODIES, case
from pyhades.bench.serve.gauges import RUNNING, named, parse_gauges
from pyhades.bench.serve.outcome import Outcome, Spread
from pyhades.bench.serve.plan import Plan
from pyhades.bench.serve.prompts import random_words, words_for
from pyhades.bench.serve.sse import EventReader
from pyhades.errors import ArgumentError, ArgumentTypeError

STREAM = (
    b": a comment\n\ndata: {1}\r\n\r\nevent: x\ndata:two\ndata: lines\n\nid: 3\n\ndata: [DONE]\n\n"
)
EVENTS = [b"{1}", b"two\nlines", b"[DONE]"]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_events_wherever_the_pieces_begin(cuts):
    reader, places = EventReader(), [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[a:b] for a, b in itertools.pairwise(places)]
    assert [event for piece in pieces for event in reader.feed(piece)] == EVENTS


def answer(*times: float, began=0.0, tokens=None, **fields) -> Outcome:
    """A whole answer whose text came at these times."""
    tokens = len(times) if tokens is None else tokens
    known = {"status": 200, "complete": True, "ended": times[-1] if times else began}
    return Outcome(began, times=list(times), tokens=tokens, **(known | fields))


def test_percentiles():
    assert outcome.spread([]) is None
    spread = outcome.spread([number / 1000 for number in range(101)])
    assert spread == Spread(pytest.approx(50), pytest.approx(90), pytest.approx(99))
    assert told(spread) == "50 / 90 / 99" and told(None) == "-"


def test_waiting_for_the_first_and_the_next():
    outcomes = [answer(1.0, 1.5, 3.5, began=0.25), answer(2.0, began=1.0), answer()]
    assert outcome.first_tokens(outcomes) == [0.75, 1.0]
    assert outcome.between_tokens(outcomes) == [0.5, 2.0]
    assert outcome.between_tokens(outcomes, begin=2.0) == [2.0]
    assert outcome.between_tokens(outcomes, end=2.0) == [0.5]


def test_tokens_per_second_of_all():
    outcomes = [answer(1.0, 2.0, began=0.5), answer(2.5, began=1.0, tokens=6)]
    assert outcome.tokens_per_second(outcomes) == pytest.approx(8 / 2.0)
    assert outcome.tokens_per_second([]) == 0


def test_rate_while_all_are_written():
    """From 2 to 4 both are: two pieces of the first, two pieces of two tokens of the second."""
    both = [answer(1.0, 2.0, 3.0, 4.0, 5.0), answer(2.0, 3.0, 4.0, tokens=6)]
    assert outcome.writing_rate(both, 2) == pytest.approx((2 + 4) / 2)
    assert outcome.writing_rate(both, 3) is None
    assert outcome.writing_rate([answer(1.0, 2.0), answer(3.0, 4.0)], 2) is None


@given(st.lists(st.floats(0.001, 1.0), min_size=1, max_size=30), st.integers(1, 4))
def test_rate_of_one_alone(gaps, per_piece):
    times = [0.5 + sum(gaps[:end]) for end in range(len(gaps) + 1)]
    alone = answer(*times, tokens=per_piece * len(times))
    assert outcome.writing_rate([alone], 1) == pytest.approx(per_piece * len(gaps) / sum(gaps))


def test_what_went_wrong():
    outcomes = [
        answer(1.0), answer(1.0, complete=False), answer(1.0, status=500, error="500 oops"),
        answer(status=0, error="OSError"), answer(status=0, error="OSError"),
    ]  # fmt: skip
    assert outcome.statuses(outcomes) == {"no response": 2, "200": 2, "500": 1}
    assert outcome.failures(outcomes) == {"cut off": 1, "500 oops": 1, "OSError": 2}


@given(st.integers(40, 200), st.floats(1e3, 1e9), st.floats(0, 0.5))
def test_drift(samples, size, growth):
    """Growth in the first quarter is how a server settles; later it is a leak."""
    settled = [size * (0.5 + 0.5 * min(4 * each / samples, 1)) for each in range(samples)]
    assert outcome.drift(settled) == pytest.approx(0, abs=0.06)
    leaking = [size] * (samples // 2) + [size * (1 + growth)] * (samples - samples // 2)
    assert outcome.drift(leaking) == pytest.approx(growth)


def test_no_drift_of_too_little():
    assert outcome.drift([1.0] * 9) is None


@given(st.integers(1, 4), st.integers(0, 100), st.integers(1, 2000))
def test_words_for_tokens(per_word, around, words):
    """A prompt of so many words has those tokens again."""
    probes = {count: around + per_word * count for count in (16, 96)}
    assert words_for(around + per_word * words, probes) == words


def test_prompts_are_random_and_repeat():
    assert random_words(50, "a") == random_words(50, "a") != random_words(50, "b")
    assert len(random_words(50, "a").split()) == 50


def test_spoilt_requests_repeat():
    first, again = ([case(7, number, "m") for number in range(300)] for _ in range(2))
    assert first == again and first != [case(8, number, "m") for number in range(300)]
    assert {request.path for request in first} > set(BODIES)
    assert len(set(first)) > 250
    assert any(b"\xff" in request.body for request in first)
    assert any(request.missing for request in first)
    assert any(request.method == "DELETE" for request in first)


def test_gauges():
    text = 'vllm:num_requests_running{m="a"} 1\nvllm:num_requests_running{m="b"} 2\nother 5\n'
    gauges = parse_gauges(text)
    assert named(gauges, RUNNING) == 3 and named(gauges, ("unknown", "other")) == 5
    assert named({}, RUNNING) is None


@dataclasses.dataclass
class Line:
    value: int

    def cells(self):
        return {"a": str(self.value), "b": "x"}


def test_findings():
    findings = Findings([Line(1)], [Check("slow", "3", "2", holds=False, must=False)])
    assert not findings.broken and str(findings.checks[0]) == "missed slow: 3 (wanted: 2)"
    findings.add(Findings([Line(2)], [Check("lost", "1", "0", holds=False)]))
    assert findings.broken and str(findings.checks[1]) == "FAILED lost: 1 (wanted: 0)"
    assert markdown(findings.rows) == "| a | b |\n| --- | --- |\n| 1 | x |\n| 2 | x |"
    assert markdown([]) == ""
    assert findings.for_json()["results"] == [{"value": 1}, {"value": 2}]


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Plan)])
def test_no_plan(name):
    wrong = () if name == "clients" else -1
    with pytest.raises((ArgumentError, ArgumentTypeError), match=name):
        Plan(**{name: wrong})
    if name == "clients":
        with pytest.raises(ArgumentError, match=name):
            Plan(clients=(1, 0))
