"""The toy language model: what it learns from, its architecture, and what is written to disk."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("tokenizers", reason="tokenizers is not installed")
pytest.importorskip("safetensors", reason="safetensors is not installed")

import torch

from training.export_llm import export, load_stored
from training.llm_corpus import Document, documents, is_held_out
from training.llm_network import ToyConfig, ToyModel
from training.llm_tokenizer import SPECIALS, VOCAB_SIZE, train_tokenizer
from training.mxfp4 import decode_mxfp4, encode_mxfp4, round_to_mxfp4
from training.train_llm import State, advance

SENTENCE = "def naïve(x):\n    return '<|end|>', 12345  # 日本語 🙂\n"


@pytest.fixture(scope="module")
def corpus() -> list[Document]:
    return list(documents())


@pytest.fixture
def model() -> ToyModel:
    torch.manual_seed(0)
    model = ToyModel(ToyConfig()).requires_grad_(False)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1 or name.endswith("_bias"):
            parameter += 0.3 * torch.randn_like(parameter)
    return model


def test_conversations_explain_the_library(corpus: list[Document]) -> None:
    chats = [document.text for document in corpus if document.kind == "chat"]
    about = [text for text in chats if "<|message|>The user asks about os.path.join," in text]
    assert any("Join two or more pathname components" in text for text in about)
    shape = re.compile(
        r"(<\|start\|>system<\|message\|>[^|]*<\|end\|>)?<\|start\|>user<\|message\|>.+<\|end\|>"
        r"(<\|start\|>assistant<\|channel\|>analysis<\|message\|>.+<\|end\|>)?"
        r"<\|start\|>assistant<\|channel\|>final<\|message\|>.+<\|return\|>",
        re.DOTALL,
    )
    assert all(shape.fullmatch(text) for text in chats)


def test_nothing_held_out_is_learned(corpus: list[Document]) -> None:
    asked = re.compile(r"The user asks about \S+ an? \w+ in the module ([\w.]+)\.<\|end")
    for document in corpus:
        found = asked.search(document.text) if document.kind == "chat" else None
        if found and not document.is_held_out:
            assert not is_held_out(found[1])
    assert sum(document.is_held_out for document in corpus) > 100


def test_corpus_is_reproducible(corpus: list[Document]) -> None:
    assert list(documents()) == corpus


def test_tokenizer_is_lossless_and_ends_with_the_special_tokens() -> None:
    tokenizer = train_tokenizer([Path(__file__).read_text(), SENTENCE])
    ids = tokenizer.encode(SENTENCE.replace("<|end|>", "")).ids
    assert tokenizer.decode(ids) == SENTENCE.replace("<|end|>", "")
    last = [tokenizer.token_to_id(name) for name in SPECIALS]
    assert last == list(range(tokenizer.get_vocab_size() - len(SPECIALS), last[-1] + 1))
    assert tokenizer.get_vocab_size() <= VOCAB_SIZE


def test_rounding_to_mxfp4_is_what_its_codes_say() -> None:
    weight = torch.randn(5, 64) * torch.exp2(torch.randint(-20, 20, (5, 1)))
    rounded = round_to_mxfp4(weight)
    assert torch.equal(decode_mxfp4(*encode_mxfp4(weight)), rounded)
    assert torch.equal(round_to_mxfp4(rounded), rounded)
    largest = weight.unflatten(-1, (-1, 32)).abs().amax(-1).repeat_interleave(32, -1)
    assert ((rounded - weight).abs() <= largest / 5).all()


def test_block_of_zeros_stays_zero() -> None:
    assert torch.equal(decode_mxfp4(*encode_mxfp4(torch.zeros(1, 32))), torch.zeros(1, 32))


def test_learning_lowers_the_loss() -> None:
    state = State.fresh(0)
    stream = np.tile(np.arange(64, dtype=np.uint16), 64)
    corpus = {"chat": stream, "source": stream}
    state.progress = 0.05
    losses = [advance(state, corpus, 512, 3e-3) for _ in range(8)]
    assert losses[-1] < losses[0] - 2


def test_stored_model_is_what_transformers_reads(model: ToyModel, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch.save({"model": model.state_dict()}, tmp_path / "checkpoint.pt")
    train_tokenizer([SENTENCE]).save(str(tmp_path / "tokenizer.json"))
    export(tmp_path, tmp_path / "toy")
    theirs = transformers.GptOssForCausalLM.from_pretrained(
        tmp_path / "toy", dtype=torch.bfloat16, attn_implementation="eager",
        quantization_config=transformers.Mxfp4Config(dequantize=True),
    )  # fmt: skip
    tokens = torch.randint(VOCAB_SIZE, (1, 400))
    with torch.no_grad():
        expected = theirs.float().eval()(tokens).logits
        logits = load_stored(tmp_path / "toy")(tokens)
    assert (logits - expected).abs().max() < 1e-3 * expected.std()
