"""The tokens of a step: as if each answer were alone, and what one does wrong is its own."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades.errors import ArgumentError, ModelError
from pyhades.llm.engine.batch_sampler import BatchSampler, Sampled
from pyhades.llm.engine.sampling import Sampler, SamplingParams
from pyhades.llm.engine.token_filter import words_of
from pyhades.llm.engine.token_table import TokenTable

VOCABULARY = 1500
PARAMS = [
    SamplingParams(temperature=0),
    SamplingParams(seed=1),
    SamplingParams(seed=2, temperature=0.8, top_k=20, logprobs=3),
    SamplingParams(seed=3, top_p=0.9, logit_bias={7: 3.0, 9: -np.inf}),
    SamplingParams(seed=4, repetition_penalty=1.3, presence_penalty=0.5, logprobs=0),
    SamplingParams(seed=5, min_p=0.05, frequency_penalty=0.7),
]
PROMPT = [3, 3, 1400, 8]


def logits_of(seed: int, rows: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, VOCABULARY)).astype(np.float32) * 4


class Every:
    """Allows each token whose id is a multiple of a step that grows; done after some tokens."""

    def __init__(self, tokens: int = 5) -> None:
        self.accepted: list[int] = []
        self._tokens = tokens

    @property
    def finished(self) -> bool:
        return len(self.accepted) >= self._tokens

    def fill(self, words):
        assert words.shape == (words_of(VOCABULARY),) and words.dtype == np.uint32
        step = len(self.accepted)
        if not step:
            return False
        bits = np.zeros(words.size * 32, bool)
        bits[:: 10 * step] = True
        words[:] = np.packbits(bits, bitorder="little").view(np.uint32)
        return True

    def accept(self, token):
        assert not self.accepted or token % (10 * len(self.accepted)) == 0
        self.accepted.append(token)


class Broken(Every):
    """Fails when asked, or when told."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self._where = where

    def fill(self, words):
        if self._where == "fill":
            raise RuntimeError("no idea what comes next")
        return self._where == "nothing" and not words.fill(0)

    def accept(self, token):
        if self._where == "accept":
            raise RuntimeError("not that one")


@pytest.mark.parametrize("threads", [1, 2])
def test_company_changes_nothing(threads):
    def samplers():
        return [Sampler(params, PROMPT, filter_factory=f)
                for params in PARAMS for f in (None, Every)]  # fmt: skip

    together, alone = samplers(), samplers()
    batch = BatchSampler(VOCABULARY, threads=threads)
    rng = np.random.default_rng(0)
    for step in range(12):
        logits = logits_of(step, 4)
        rows = rng.integers(0, 4, len(together)).tolist()
        members = rng.permutation(len(together))[: rng.integers(1, len(together) + 1)].tolist()
        if step % 3:  # the same ones as before
            members = list(range(len(together)))
        outcomes = batch.sample(logits, [rows[i] for i in members], [together[i] for i in members])
        assert outcomes == [alone[i].sample(logits[rows[i]]) for i in members]


def test_a_filter_limits_and_finishes():
    made = []

    def factory():
        made.append(Every(3))
        return made[-1]

    one, other = (Sampler(SamplingParams(seed=0), [], k, factory) for k in range(2))
    for step in range(3):
        assert not one.is_finished
        one.sample(logits_of(step, 1)[0])
    other.sample(logits_of(0, 1)[0])
    assert one.is_finished and not other.is_finished
    assert [len(f.accepted) for f in made] == [3, 1]


@pytest.mark.parametrize(
    ("where", "error", "message"),
    [
        ("fill", RuntimeError, "no idea"),
        ("accept", RuntimeError, "not that one"),
        ("nothing", ModelError, "forbids every token"),
        ("make", RuntimeError, "cannot be made"),
    ],
)
def test_what_a_filter_does_wrong_is_its_own(where, error, message):
    def factory():
        if where == "make":
            raise RuntimeError("cannot be made")
        return Broken(where)

    logits = logits_of(0, 1)
    samplers = [Sampler(SamplingParams(seed=k), [], 0, f)
                for k, f in enumerate([None, factory, Every])]  # fmt: skip
    outcomes = BatchSampler(VOCABULARY).sample(logits, [0, 0, 0], samplers)
    assert isinstance(outcomes[1], error)
    assert message in str(outcomes[1])
    expected = Sampler(SamplingParams(seed=0), []).sample(logits[0])
    assert isinstance(outcomes[0], Sampled) and outcomes[0] == expected
    assert isinstance(outcomes[2], Sampled)


def test_damaged_logits_and_ids_that_do_not_exist_end_one_answer():
    logits = logits_of(1, 3)
    logits[0, 77] = np.nan
    params = [{}, {}, {"logit_bias": {VOCABULARY: 1.0}}, {"temperature": 0}]
    samplers = [Sampler(SamplingParams(**keywords), []) for keywords in params]
    outcomes = BatchSampler(VOCABULARY).sample(logits, [0, 1, 2, 2], samplers)
    assert isinstance(outcomes[0], ModelError) and "token 77 is nan" in str(outcomes[0])
    assert isinstance(outcomes[2], ArgumentError) and "1500" in str(outcomes[2])
    assert isinstance(outcomes[1], Sampled)
    assert outcomes[3] == Sampled(int(logits[2].argmax()))


def test_nobody_writes():
    assert BatchSampler(VOCABULARY).sample(logits_of(0, 1), [], []) == []


def test_huge_settings_do_no_harm():
    huge = SamplingParams(
        temperature=1e300, top_k=10**30, repetition_penalty=1e300, presence_penalty=1e300,
        frequency_penalty=-1e300, logit_bias={2: 1e300, 3: -1e300}, logprobs=10**12, seed=0,
    )  # fmt: skip
    sampler = Sampler(huge, [1, 4])
    logits = np.float32([0.0, 0.0, -1.0, 2.0, 5.0])
    for _ in range(20):
        sampled = sampler.sample(logits)
        assert 0 <= sampled.token < 5
        assert [token for token, _ in sampled.top] == [4, 3, 0, 1, 2]


def test_the_table_of_tokens_grows():
    table = TokenTable({5: 1.5, 900: -1.0}, [7, 7, 5])
    for token in [7, 1000, *range(100, 160), 1000]:
        table.count(token)
    rows = {token: (times, read, bias) for (token, times, read), bias in
            zip(table.tokens.tolist(), table.biases.tolist(), strict=True)}  # fmt: skip
    assert rows[5] == (0, 1, 1.5) and rows[900] == (0, 0, -1.0) and rows[7] == (1, 1, 0.0)
    assert rows[1000] == (2, 0, 0.0) and rows[159] == (1, 0, 0.0)
    assert len(rows) == table.size == 64
    assert table.largest == 1000
