"""The golden fixtures in every container give the logits of transformers, and of each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pyhades.llm.llm import LLM
from pyhades.llm.precision.convert import convert
from tests.support.tiny_checkpoints import read_huggingface, write_huggingface, write_original
from tests.support.tiny_gguf import write_gguf

GOLDEN = Path(__file__).parent / "golden"
TOLERANCE = 0.1
"""Largest error in deviations of the logits, as in test_parity."""

CONTAINERS = {
    "sharded": lambda model, at: write_huggingface(model, at, shards=3, tokenizer=False),
    "older": lambda model, at: write_huggingface(model, at, older_names=True, tokenizer=False),
    "original": lambda model, at: write_original(model, at / "original"),
    "gguf": lambda model, at: write_gguf(model, at / "m.gguf", tokenizer=False),
    "gguf_fused": lambda model, at: write_gguf(
        model, at / "m.gguf", fused=True, tensors_per_part=9, tokenizer=False
    ),
    "ollama": lambda model, at: write_gguf(
        model, at / "sha256-0123", dialect="ollama", tokenizer=False
    ),
    "packed": lambda model, at: convert(
        write_huggingface(model, at / "source", tokenizer=False),
        at / "packed.safetensors", "exact", progress=False,
    ),
}  # fmt: skip
FIXTURES = sorted(folder.name for folder in GOLDEN.iterdir())
CASES = [(fixture, container) for fixture in FIXTURES for container in CONTAINERS]
# Files of ollama do not say where YaRN's ramp is, and this fixture moves it.
CASES.remove(("mxfp4_yarn", "ollama"))


def logits(path: Path, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
    precision = None if path.name == "packed.safetensors" else "exact"
    with LLM(path, precision=precision, threads=1, progress=False) as llm:
        return llm.logits(tokens.tolist())


@pytest.mark.parametrize(("fixture", "container"), CASES)
def test_logits(fixture, container, tmp_path):
    folder = GOLDEN / fixture
    with np.load(folder / "expected.npz") as expected:
        tokens, rows, wanted = expected["tokens"], expected["rows"], expected["logits"]
    path = CONTAINERS[container](read_huggingface(folder), tmp_path)
    got = logits(path, tokens)
    assert np.abs(got[rows] - wanted).max() / wanted.std() < TOLERANCE
    np.testing.assert_array_equal(got, logits(folder, tokens))
