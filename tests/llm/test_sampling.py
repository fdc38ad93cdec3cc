"""What each parameter does to the distribution, and that tokens follow it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest

from pyhades.errors import ArgumentError, ArgumentTypeError, ModelError
from pyhades.llm.engine.sampling import Sampler, SamplingParams

LOGITS = np.float32([1.0, 3.0, 2.5, -1.0, 3.0, 0.0, 2.0, -4.0])


def probabilities(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(np.float64(logits) - logits.max())
    return weights / weights.sum()


def tokens(params: SamplingParams, count: int, prompt: Sequence[int] = (), branch: int = 0) -> list:
    sampler = Sampler(params, prompt, branch)
    return [sampler.sample(LOGITS).token for _ in range(count)]


def assert_follows(drawn: Sequence[int], expected: np.ndarray) -> None:
    """Pearson's test at one in a thousand (the quantile by Wilson and Hilferty)."""
    counts = np.bincount(drawn, minlength=expected.size)
    possible = expected > 0
    assert not counts[~possible].any()
    wanted = expected[possible] * len(drawn)
    statistic = ((counts[possible] - wanted) ** 2 / wanted).sum()
    freedom = possible.sum() - 1
    if not freedom:
        return
    spread = 2 / (9 * freedom)
    assert statistic < freedom * (1 - spread + 3.09 * math.sqrt(spread)) ** 3


def only(kept: Sequence[int], logits: np.ndarray = LOGITS) -> np.ndarray:
    masked = np.full(logits.size, -np.inf)
    masked[list(kept)] = logits[list(kept)]
    return probabilities(masked)


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({}, probabilities(LOGITS)),
        ({"temperature": 0.5}, probabilities(LOGITS / 0.5)),
        ({"temperature": 2}, probabilities(LOGITS / 2)),
        ({"top_k": 3}, only([1, 2, 4])),
        ({"top_k": 1}, only([1])),
        ({"top_k": 100}, probabilities(LOGITS)),
        ({"top_p": 0.75}, only([1, 4, 2])),
        ({"top_p": 0.3}, only([1])),
        ({"min_p": 0.5}, only([1, 4, 2])),
        ({"min_p": 0.13}, only([1, 4, 2, 6, 0])),
        ({"top_k": 4, "top_p": 0.78}, only([1, 4, 2])),
        ({"temperature": 0.5, "min_p": 0.5}, only([1, 4], LOGITS / 0.5)),
        ({"logit_bias": {7: 7.0, 1: -math.inf}}, probabilities(
            LOGITS + np.float64([0, -math.inf, 0, 0, 0, 0, 0, 7]))),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.slow
def test_tokens_follow_the_distribution(keywords, expected):
    assert_follows(tokens(SamplingParams(seed=11, **keywords), 20_000), expected)


def test_tokens_of_a_large_vocabulary_follow_the_distribution():
    logits = np.random.default_rng(3).standard_normal(201_088).astype(np.float32) * 3
    expected = np.add.reduceat(probabilities(logits), np.arange(0, logits.size, 10_000))
    sampler = Sampler(SamplingParams(seed=5), [])
    assert_follows([sampler.sample(logits).token // 10_000 for _ in range(2000)], expected)


@pytest.mark.slow
def test_the_check_of_distributions_can_fail():
    drawn = tokens(SamplingParams(seed=11, temperature=0.9), 20_000)
    with pytest.raises(AssertionError):
        assert_follows(drawn, probabilities(LOGITS))


def test_temperature_zero_takes_the_lowest_of_the_likeliest():
    assert tokens(SamplingParams(temperature=0), 3) == [1, 1, 1]


def test_same_seed_same_tokens_and_each_branch_its_own():
    params = SamplingParams(seed=7)
    assert tokens(params, 50) == tokens(params, 50)
    assert tokens(params, 50, branch=1) == tokens(params, 50, branch=1)
    assert tokens(params, 50) != tokens(params, 50, branch=1)
    assert tokens(params, 50) != tokens(SamplingParams(seed=8), 50)
    assert tokens(SamplingParams(), 50) != tokens(SamplingParams(), 50)


def test_the_random_numbers_of_a_seed_do_not_change_between_versions():
    assert tokens(SamplingParams(seed=0), 12) == [0, 1, 2, 1, 6, 1, 6, 1, 0, 1, 4, 2]


@pytest.mark.parametrize(
    ("keywords", "prompt", "expected"),
    [
        # Token 1 goes down once it is written, so that its equal 4 is taken next, then 2.
        ({"presence_penalty": 2.0}, [], [1, 4, 2, 6, 0, 1]),
        ({"frequency_penalty": 0.75}, [], [1, 4, 2, 1, 4, 6]),
        ({"repetition_penalty": 2.0}, [], [1, 4, 2, 6, 1, 1]),
        ({"repetition_penalty": 2.0}, [1, 2], [4, 6, 1, 1, 1, 1]),
        ({"presence_penalty": 2.0}, [1, 4], [1, 4, 2, 6, 0, 1]),
    ],
)
def test_penalties(keywords, prompt, expected):
    assert tokens(SamplingParams(temperature=0, **keywords), 6, prompt) == expected


def test_repetition_penalty_lowers_negative_logits_too():
    sampler = Sampler(SamplingParams(temperature=0, repetition_penalty=1.5), [0])
    assert sampler.sample(np.float32([-1.0, -1.2])).token == 1


def test_logits_are_not_changed():
    logits = LOGITS.copy()
    params = SamplingParams(temperature=0.7, top_k=3, presence_penalty=1, logit_bias={0: 1})
    sampler = Sampler(params, [])
    for _ in range(3):
        sampler.sample(logits)
    np.testing.assert_array_equal(logits, LOGITS)


def test_logprobs_are_those_of_the_model():
    params = SamplingParams(temperature=0, logprobs=3, logit_bias={7: 100})
    sampled = Sampler(params, []).sample(LOGITS)
    logs = np.log(probabilities(LOGITS))
    assert sampled.token == 7
    assert sampled.logprob == pytest.approx(logs[7], abs=1e-6)
    assert [token for token, _ in sampled.top] == [1, 4, 2]
    assert [p for _, p in sampled.top] == pytest.approx(logs[[1, 4, 2]], abs=1e-6)


def test_logprob_alone_and_none():
    assert Sampler(SamplingParams(logprobs=0), []).sample(LOGITS).top == ()
    assert Sampler(SamplingParams(logprobs=0), []).sample(LOGITS).logprob is not None
    assert Sampler(SamplingParams(), []).sample(LOGITS).logprob is None


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("temperature", [0, 1])
def test_logits_that_are_not_finite_are_refused(value, temperature):
    sampler = Sampler(SamplingParams(temperature=temperature), [])
    with pytest.raises(ModelError, match="logit of token 2"):
        sampler.sample(np.float32([0, 1, value, 3]))
    with pytest.raises(ModelError, match="forbids every token"):
        sampler.sample(np.full(4, -np.inf, np.float32))


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"temperature": -1}, "temperature=-1 must be at least 0"),
        ({"temperature": math.nan}, "temperature=nan must be finite"),
        ({"temperature": math.inf}, "temperature=inf must be finite"),
        ({"temperature": -math.inf}, "temperature=-inf must be finite"),
        ({"top_k": -2}, "top_k=-2 must be at least -1; 0 is all tokens"),
        ({"top_p": math.inf}, "top_p=inf must be finite"),
        ({"max_tokens": -(10**400)}, "max_tokens=-1000"),
        ({"top_p": 0}, r"top_p=0 must be above 0.0 and at most 1.0"),
        ({"top_p": 1.1}, "top_p=1.1"),
        ({"min_p": -0.1}, "min_p=-0.1"),
        ({"repetition_penalty": 0}, "repetition_penalty=0 must be above 0.0"),
        ({"presence_penalty": math.inf}, "presence_penalty=inf must be finite"),
        ({"seed": -1}, "seed=-1 must be .*; None is another one each time"),
        ({"seed": 2**64}, "seed=18446744073709551616"),
        ({"max_tokens": 0}, "max_tokens=0 must be at least 1; None is as many as"),
        ({"logprobs": -1}, "logprobs=-1"),
        ({"n": 0}, "n=0"),
        ({"stop": ["a", ""]}, "empty string"),
        ({"logit_bias": {-1: 1}}, "logit_bias has -1"),
        ({"logit_bias": {1: math.inf}}, "logit_bias has 1: inf"),
    ],
    ids=str,
)
def test_values_out_of_range_are_refused(keywords, message):
    with pytest.raises(ArgumentError, match=message):
        SamplingParams(**keywords)


@pytest.mark.parametrize(
    "keywords",
    [
        {"temperature": "hot"},
        {"temperature": [1]},
        {"stop": 5},
        {"stop": b"END"},
        {"stop": {"a": 1}},
        {"ignore_eos": "no"},
        {"logit_bias": [[1, 2]]},
        {"logit_bias": {1.5: 1}},
        {"logit_bias": {True: 1}},
        {"logit_bias": {1: "much"}},
        {"temperature": True},
        {"top_k": 1.5},
        {"seed": "x"},
        {"n": True},
        {"max_tokens": 2.0},
        {"stop": [1]},
        {"logit_bias": {"a": 1}},
        {"logit_bias": {1: None}},
    ],
    ids=str,
)
def test_values_of_other_types_are_refused(keywords):
    with pytest.raises(ArgumentTypeError, match=next(iter(keywords))):
        SamplingParams(**keywords)


def test_bias_beyond_the_vocabulary_is_refused():
    with pytest.raises(ArgumentError, match="logit_bias has token 8, the vocabulary 8"):
        tokens(SamplingParams(logit_bias={8: 1.0}), 1)


def test_spellings_that_json_brings_are_taken():
    params = SamplingParams(stop="END", logit_bias={"3": 2}, top_k=np.int64(4))
    assert params.stop == ("END",)
    assert params.logit_bias == {3: 2.0}


def test_none_stands_for_the_default():
    """Clients of OpenAI's API send null for what was not said."""
    names = [field.name for field in dataclasses.fields(SamplingParams)]
    assert SamplingParams(**dict.fromkeys(names)) == SamplingParams()
    assert SamplingParams(seed=1).changed(seed=None) == SamplingParams()


def test_spellings_of_other_libraries():
    assert SamplingParams(top_k=-1) == SamplingParams(top_k=0)
    assert SamplingParams(temperature=1e-6).temperature == 1e-3
    assert SamplingParams(logprobs=True).logprobs == 0
    assert SamplingParams(logprobs=False).logprobs is None
    assert SamplingParams(logit_bias={"3": -100, 4: 1}).logit_bias == {3: -100.0, 4: 1.0}
    assert SamplingParams(top_k=10**400, max_tokens=10**400).top_k == 10**400
