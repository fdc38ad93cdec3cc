"""Comparisons of models, against the definitions computed at once from all logits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyhades.errors import ArgumentError, ClosedError
from pyhades.llm import LLM
from pyhades.llm.measure.evaluation import Comparison, compare, comparison_table, recorded
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.measure.traffic import bytes_per_token
from pyhades.llm.models.gpt_oss.sizes import tiny_config

CONFIG = tiny_config()
RANDOM = np.random.default_rng(3)
TEXTS = [RANDOM.integers(0, CONFIG.vocab_size, length).tolist() for length in (150, 1, 67)]
GOLDEN = sorted((Path(__file__).parent / "golden").iterdir())


def opened(seed: int, precision: str = "balanced") -> LLM:
    weights = random_weights(CONFIG, precision, seed, threads=1)
    return LLM.from_weights(CONFIG, weights, threads=1, context_length=256, max_sequences=1)


@pytest.fixture(scope="module")
def models():
    with opened(0) as first, opened(1, "fast") as second:
        yield first, second


def shares(llm: LLM, text: list[int]) -> np.ndarray:
    """Log-probabilities of every token."""
    logits = llm.logits(text).astype(np.float64)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def test_definitions(models):
    tokens = []
    got = compare(*models, TEXTS, report=tokens.append)
    pairs = [[shares(model, text) for model in models] for text in TEXTS]
    kl = np.concatenate([(np.exp(p) * (p - q)).sum(-1) for p, q in pairs])
    same = np.concatenate([p.argmax(-1) == q.argmax(-1) for p, q in pairs])
    assert sum(tokens) == got.tokens == kl.size == 218
    assert got.kl_mean == pytest.approx(kl.mean(), rel=1e-9)
    assert got.kl_median == pytest.approx(np.median(kl), rel=1e-9)
    assert got.kl_p99 == pytest.approx(np.percentile(kl, 99), rel=1e-9)
    assert got.top1_agreement == same.mean() < 1
    for index, perplexity in enumerate((got.reference_perplexity, got.other_perplexity)):
        losses = [
            -pair[index][np.arange(len(text) - 1), text[1:]]
            for pair, text in zip(pairs, TEXTS, strict=True)
        ]
        assert perplexity == pytest.approx(np.exp(np.concatenate(losses).mean()), rel=1e-9)
    assert got.perplexity_change == got.other_perplexity / got.reference_perplexity - 1
    assert (got.reference, got.other) == ("balanced", "fast")


def test_bytes_per_token_are_those_of_the_traffic(models):
    got = compare(*models, TEXTS)
    assert got.reference_bytes_per_token == models[0].bytes_per_token
    weights = random_weights(CONFIG, "fast", 1, threads=1)
    assert got.other_bytes_per_token == bytes_per_token(CONFIG, weights)
    assert got.other_bytes_per_token < got.reference_bytes_per_token


def test_a_recording_is_the_model(models):
    first, second = models
    with recorded(first, TEXTS) as recording:
        assert compare(recording, second, TEXTS) == compare(first, second, TEXTS)
        swapped = compare(second, recording, TEXTS)
        assert swapped.other_perplexity == compare(first, second, TEXTS).reference_perplexity
        itself = compare(recording, first, TEXTS)
        assert (itself.kl_mean, itself.top1_agreement, itself.perplexity_change) == (0, 1, 0)
        with pytest.raises(ArgumentError, match="2 tokens was not recorded"):
            compare(recording, second, [[1, 2]])


def test_a_recording_outlives_the_model():
    llm = opened(0)
    with recorded(llm, TEXTS[2:]) as recording, opened(0) as same:
        llm.close()
        assert compare(recording, same, TEXTS[2:]).kl_mean == 0
        with pytest.raises(ClosedError):
            compare(llm, same, TEXTS[2:])


def test_what_cannot_be_compared(models):
    first, second = models
    with pytest.raises(ArgumentError, match="the same model"):
        compare(first, first, TEXTS)
    for texts in ([], [[1], [2]]):
        with pytest.raises(ArgumentError, match="two tokens"):
            compare(first, second, texts)
    config = tiny_config(vocab_size=352)
    weights = random_weights(config, threads=1)
    with (
        LLM.from_weights(config, weights, threads=1, context_length=64) as other,
        pytest.raises(ArgumentError, match=r"320 tokens.*352"),
    ):
        compare(first, other, TEXTS)


def test_models_are_free_again_after_a_failure(models):
    first, second = models
    with pytest.raises(ArgumentError, match="vocabulary"):
        compare(first, second, [[1, 2, 10**6]])
    assert compare(first, second, TEXTS).tokens == 218


def test_tables(models):
    got = compare(*models, TEXTS)
    text = str(got)
    assert "top-1" in text and "balanced" in text and f"{got.kl_mean:.5f}" in text
    assert "<td>fast</td>" in got._repr_html_()
    assert comparison_table([got, replace(got, other="auto")]).count("\n") == 3


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda folder: folder.name)
def test_precisions_rank_as_their_bits(folder):
    """Measured on the fixtures: exact 0, balanced 0.0004 to 0.0008, fast 0.02 to 0.04 nats."""
    with np.load(folder / "expected.npz") as expected:
        texts = [expected["tokens"][:600].tolist()]
    with (
        LLM(folder, precision="exact", threads=1, progress=False) as exact,
        recorded(exact, texts) as recording,
    ):
        found: dict[str, Comparison] = {}
        for precision in ("exact", "balanced", "fast"):
            with LLM(folder, precision=precision, threads=1, progress=False) as other:
                found[precision] = compare(recording, other, texts)
    assert found["exact"].kl_mean == 0
    assert 1e-5 < found["balanced"].kl_mean < 2e-3 < 1e-2 < found["fast"].kl_mean < 0.1
    assert found["balanced"].top1_agreement > 0.9 > found["fast"].top1_agreement > 0.5
    sizes = [found[name].other_bytes_per_token for name in ("exact", "balanced", "fast")]
    assert sizes[0] > sizes[1] > sizes[2]
