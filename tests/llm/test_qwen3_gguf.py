"""Qwen3-MoE in GGUF files: the same model as in the files of Hugging Face."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

import pyhades
from pyhades.errors import ModelError
from pyhades.llm.models import open_checkpoint
from pyhades.llm.models.config import RopeScaling
from pyhades.llm.text.tokenizer import Tokenizer
from tests.support.tiny_checkpoints import tokenizer_json
from tests.support.tiny_qwen3_gguf import write_qwen3_gguf

FIXTURE = Path(__file__).parent / "golden_qwen3_moe" / "bf16"


def logits(path: Path, precision: str = "exact") -> np.ndarray:
    with np.load(FIXTURE / "expected.npz") as arrays:
        tokens = arrays["tokens"].tolist()
    with pyhades.LLM(path, precision=precision, progress=False) as llm:
        return llm.logits(tokens)


@pytest.mark.parametrize("precision", ["exact", "balanced"])
def test_logits_are_those_of_the_other_container(tmp_path, precision):
    path = write_qwen3_gguf(FIXTURE, tmp_path / "m.gguf")
    np.testing.assert_array_equal(logits(path, precision), logits(FIXTURE, precision))


def test_configuration(tmp_path):
    path = write_qwen3_gguf(FIXTURE, tmp_path / "m.gguf")
    ours, theirs = vars(open_checkpoint(path).config), vars(open_checkpoint(FIXTURE).config)
    left_out = {"eos_token_ids", "pad_token_id", "rms_norm_eps"}
    assert {k: v for k, v in ours.items() if k not in left_out} == {
        k: v for k, v in theirs.items() if k not in left_out
    }
    assert ours["rms_norm_eps"] == pytest.approx(theirs["rms_norm_eps"])


def test_both_ends_of_an_answer_are_known(tmp_path):
    """Files list the end of a turn only, and base models write the other."""
    tokens = [f"t{i}" for i in range(253)] + ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    path = write_qwen3_gguf(FIXTURE, tmp_path / "m.gguf", tokens=tokens)
    assert open_checkpoint(path).config.eos_token_ids == (253, 255)


@pytest.mark.parametrize("dense", ["Q8_0", "Q4_0", "Q5_1", "F16"])
def test_every_type(tmp_path, dense):
    path = write_qwen3_gguf(FIXTURE, tmp_path / "m.gguf", dense=dense)
    read = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}

    def floats(name: str) -> np.ndarray:
        return gguf.quants.dequantize(read[name].data, read[name].tensor_type)

    tensors = open_checkpoint(path).tensors
    gate_up = tensors["layers.1.gate_up.weight"].floats()
    np.testing.assert_array_equal(gate_up[:, 0::2], floats("blk.1.ffn_gate_exps.weight"))
    np.testing.assert_array_equal(gate_up[:, 1::2], floats("blk.1.ffn_up_exps.weight"))
    parts = [floats(f"blk.2.attn_{part}.weight") for part in "qkv"]
    np.testing.assert_array_equal(tensors["layers.2.qkv.weight"].floats(), np.concatenate(parts))
    assert np.isfinite(logits(path, "balanced")).all()


def test_rope_is_stretched_as_the_file_says(tmp_path):
    """The bounds of the ramp are whole dimensions, in llama.cpp as in transformers."""
    changes = {
        "rope.scaling.type": "yarn",
        "rope.scaling.factor": 4.0,
        "rope.scaling.original_context_length": 32768,
    }
    path = write_qwen3_gguf(FIXTURE, tmp_path / "m.gguf", changes=changes)
    assert open_checkpoint(path).config.rope_scaling == RopeScaling(4.0, 32.0, 1.0, 32768, True)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"attention.value_length": 16}, "value_length is not attention.key_length, 32"),
        ({"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}, "'linear'"),
        ({"expert_count": 9}, "ffn_gate_inp.weight"),
    ],
)
def test_refuses_what_it_does_not_compute(tmp_path, changes, complaint):
    path = write_qwen3_gguf(FIXTURE, tmp_path / "m.gguf", changes=changes)
    with pytest.raises(ModelError, match=complaint):
        open_checkpoint(path)


def test_text_is_cut_as_qwen_does():
    """Digits stand alone, and so do English endings, whatever merges there are."""
    vocabulary = tokenizer_json(288)["model"]["vocab"]
    letters = [text for text in vocabulary if len(text) == 1]
    merged = ["12", "th", "the", "'s", "e's"]
    fields = {
        "tokens": letters + merged, "pre": "qwen2",
        "merges": ["1 2", "t h", "th e", "' s", "e 's"],
    }  # fmt: skip

    def cut(text: str) -> list[str]:
        tokenizer = Tokenizer.from_gguf(fields)
        return [tokenizer.decode([token]) for token in tokenizer.encode(text)]

    assert cut("the's 12") == ["the", "'s", " ", "1", "2"]
    fields["pre"] = "gpt-4o"
    assert cut("12") == ["12"]
    fields["pre"] = "deepseek-llm"
    with pytest.raises(ModelError, match="pre 'deepseek-llm'; known are gpt-4o, qwen2"):
        cut("12")
