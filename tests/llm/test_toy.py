"""The toy model that ships answers as its card says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pyhades.llm.checkpoint.locating import toy_model
from pyhades.llm.llm import LLM

pytest.importorskip("tokenizers", reason="tokenizers is not installed")

MOST_BYTES = 8e6
MOST_NATS = 1.2  # 1.03 in exact
# In the words of its training.
LEARNED = (
    "<|start|>user<|message|>What does os.path.join do?<|end|><|start|>assistant<|channel|>analysis"
    "<|message|>The user asks about os.path.join, a function in the module os.path.<|end|>"
    "<|start|>assistant<|channel|>final<|message|>`os.path.join(a, *p)`\n\nJoin two or more "
    "pathname components, inserting '/' as needed.<|return|>"
)


@pytest.fixture(scope="module")
def toy():
    with LLM(precision="exact", threads=1, context_length=512, progress=False) as llm:
        yield llm


def ids_of(llm: LLM, text: str) -> list[int]:
    """Token ids of a text in which special tokens are spelled out."""
    ids: list[int] = []
    for piece in text.replace("<|", "\0<|").replace("|>", "|>\0").split("\0"):
        special = llm.tokenizer.specials.get(piece)
        ids += llm.tokenize(piece) if special is None else [special]
    return ids


def test_is_small_and_whole():
    folder = toy_model()
    names = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json"]
    assert sorted(file.name for file in folder.iterdir()) == names
    assert sum(file.stat().st_size for file in folder.iterdir()) <= MOST_BYTES
    config = json.loads((folder / "config.json").read_text())
    assert config["quantization_config"]["quant_method"] == "mxfp4"
    assert config["sliding_window"] == 128
    assert config["max_position_embeddings"] == 1024


@pytest.fixture(scope="module")
def learned(toy) -> tuple[list[int], np.ndarray]:
    """The learned conversation, and how probable the toy finds each of its tokens but the first."""
    ids = ids_of(toy, LEARNED)
    logits = toy.logits(ids)[:-1].astype(np.float64)
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    return ids, shares[np.arange(len(ids) - 1), ids[1:]]


def test_has_learned_the_format(toy, learned):
    ids, probabilities = learned
    special = set(toy.tokenizer.specials.values())
    answer = ids.index(toy.tokenizer.specials["<|channel|>"])
    places = [i for i in range(answer, len(ids)) if ids[i] in special]
    assert min(probabilities[i - 1] for i in places) > 0.5


def test_predicts_what_it_has_read(learned):
    assert -np.log(learned[1]).mean() < MOST_NATS


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is collections.Counter for?", "Dict subclass for counting hashable items."),
        ("What is str.join?", "Concatenate any number of strings."),
        ("Hello!", "What shall I explain?"),
    ],
)
def test_answers_in_channels(toy, question, answer):
    message = {"role": "user", "content": question}
    given = toy.chat([message], temperature=0, max_tokens=100, date="2026-11-21")
    assert given.reasoning.startswith("The user ")
    assert answer in given.content
    assert given.finish_reason == "stop"
