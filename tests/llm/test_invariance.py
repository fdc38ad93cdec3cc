"""Quantised models: close to the reference, and the same to the bit in pieces and in company."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyhades.llm.engine.runner import Piece, Runner
from pyhades.llm.models import open_checkpoint
from pyhades.llm.models.gpt_oss.config import GptOssConfig
from pyhades.llm.models.weights import ModelWeights
from pyhades.llm.precision.loading import load_weights

GOLDEN = sorted((Path(__file__).parent / "golden").iterdir())


@pytest.fixture(params=GOLDEN, ids=lambda folder: folder.name)
def golden(request) -> Path:
    return request.param


def opened(folder: Path, precision: str = "exact") -> tuple[GptOssConfig, ModelWeights]:
    checkpoint = open_checkpoint(folder)
    return checkpoint.config, load_weights(checkpoint, precision, progress=False)


def logits(config, weights, tokens, step=64, **options) -> np.ndarray:
    """Of every token, taken in steps of so many."""
    runner = Runner(config, weights, 512, max_sequences=1, **options)
    sequence = runner.cache.sequence()
    try:
        pieces = [tokens[i : i + step] for i in range(0, len(tokens), step)]
        rows = [runner.run([Piece(sequence, p, len(p))])[0].copy() for p in pieces]
    finally:
        runner.close()
    return np.concatenate(rows)


@pytest.mark.parametrize(("precision", "mean_bound"), [("balanced", 0.05), ("fast", 0.25)])
def test_rounded_weights_stay_close(golden, precision, mean_bound):
    config, weights = opened(golden, precision)
    with np.load(golden / "expected.npz") as expected:
        rows = logits(config, weights, expected["tokens"].tolist())[expected["rows"]]
        difference = np.abs(rows - expected["logits"]).mean()
        assert difference / expected["logits"].std() < mean_bound


@pytest.mark.parametrize("precision", ["balanced", "fast"])
def test_pieces_and_threads_change_no_bit(golden, precision):
    config, weights = opened(golden, precision)
    with np.load(golden / "expected.npz") as expected:
        tokens = expected["tokens"].tolist()
    whole = logits(config, weights, tokens, threads=1)
    for step in (1, 7, 17):
        np.testing.assert_array_equal(logits(config, weights, tokens, step, threads=2), whole)


def test_other_sequences_in_the_step_change_no_bit(golden):
    config, weights = opened(golden, "balanced")
    texts = [np.random.default_rng(seed).integers(0, 200, 20 + seed).tolist() for seed in range(3)]
    runner = Runner(config, weights, 128, max_sequences=3)
    sequences = [runner.cache.sequence() for _ in texts]
    together = runner.run([Piece(s, t, 5) for s, t in zip(sequences, texts, strict=True)])
    alone = [logits(config, weights, text)[-5:] for text in texts]
    for rows, expected in zip(together, alone, strict=True):
        np.testing.assert_array_equal(rows, expected)
    runner.close()


def test_a_forked_sequence_continues_like_the_first(golden):
    config, weights = opened(golden, "balanced")
    tokens = np.random.default_rng(1).integers(0, 200, 60).tolist()
    runner = Runner(config, weights, 128, max_sequences=2)
    first = runner.cache.sequence()
    runner.run([Piece(first, tokens[:45])])
    second = runner.cache.fork(first)
    one = runner.run([Piece(first, tokens[45:])])[0].copy()
    runner.cache.truncate(first, 50)
    other = runner.run([Piece(second, tokens[45:])])[0]
    np.testing.assert_array_equal(one, other)
    again = runner.run([Piece(first, tokens[50:])])[0]
    np.testing.assert_array_equal(again, one)
    runner.close()
