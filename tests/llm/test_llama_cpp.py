"""Files that llama.cpp quantised, against what it computes with them; needs llama-cpp-python."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

from pyhades.llm.llm import LLM
from pyhades.llm.precision.listing import list_tensors
from tests.support.tiny_checkpoints import random_model, tiny_config
from tests.support.tiny_gguf import write_gguf
from tests.support.tiny_qwen3_gguf import write_qwen3_gguf

llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
pytestmark = pytest.mark.slow

QWEN3 = Path(__file__).parent / "golden_qwen3_moe" / "bf16"
TOKENS = np.random.default_rng(0).integers(0, 256, 150).tolist()
RECIPES = {
    "Q2_K": {"Q2_K", "Q3_K"},
    "Q3_K_M": {"Q3_K", "Q4_K", "Q5_K"},
    "Q4_K_M": {"Q4_K", "Q5_K", "Q6_K"},
    "Q5_K_M": {"Q5_K", "Q6_K"},
    "Q6_K": {"Q6_K"},
    "IQ4_XS": {"IQ4_XS", "Q5_K"},
}
"""Types that each of them makes of these models, among others."""


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    config = tiny_config(
        num_hidden_layers=4, hidden_size=256, intermediate_size=256, head_dim=64, vocab_size=512
    )
    path = tmp_path_factory.mktemp("llama") / "source.gguf"
    return write_gguf(random_model(config, experts="BF16"), path, dense="F32")


def quantised(source: Path, recipe: str, target: Path) -> Path:
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{recipe}")
    parameters.nthread = 1
    names = (str(path).encode() for path in (source, target))
    assert llama_cpp.llama_model_quantize(*names, ctypes.byref(parameters)) == 0
    return target


def theirs(path: Path) -> np.ndarray:
    model = llama_cpp.Llama(
        str(path), n_ctx=256, logits_all=True, n_threads=1, n_gpu_layers=0, verbose=False
    )
    model.eval(TOKENS)
    return np.array(model.scores[: len(TOKENS)])


def ours(path: Path, precision: str) -> np.ndarray:
    with LLM(path, precision=precision, threads=1, progress=False) as llm:
        return llm.logits(TOKENS)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Median over tokens, as a rounding may send one of them to another expert."""
    return float(np.median(np.square(one - other).mean(1)) ** 0.5 / other.std())


@pytest.mark.parametrize("recipe", RECIPES)
def test_logits(recipe, source, tmp_path):
    """llama.cpp rounds what enters its products to 8 bits, which is the most of what remains."""
    path = quantised(source, recipe, tmp_path / "m.gguf")
    types = {dtype for kind in list_tensors(path).kinds for dtype in kind.types}
    assert types >= RECIPES[recipe]
    wanted = theirs(path)
    exact = distance(ours(path, "exact"), wanted)
    assert exact < 0.03
    assert distance(ours(path, "balanced"), wanted) < 0.05
    assert exact < 0.75 * distance(ours(source, "exact"), wanted), "as near to what was quantised"


@pytest.mark.parametrize("dense", ["F32", "Q8_0"])
@pytest.mark.parametrize("factor", [None, 4.0])
def test_logits_of_qwen3_moe(dense, factor, tmp_path):
    """Without stretched positions, and with."""
    stretched = {
        "rope.scaling.type": "yarn",
        "rope.scaling.factor": factor,
        "rope.scaling.original_context_length": 64,
    }
    changes = {} if factor is None else stretched
    path = write_qwen3_gguf(QWEN3, tmp_path / "m.gguf", dense=dense, changes=changes)
    assert distance(ours(path, "exact"), theirs(path)) < 0.03
