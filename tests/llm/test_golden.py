"""The golden fixtures are whole, small, and still what transformers computes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

FIXTURES = sorted((Path(__file__).parent / "golden").iterdir())


def test_fixtures_stay_small() -> None:
    files = [file for folder in FIXTURES for file in folder.iterdir()]
    assert len(FIXTURES) == 3
    assert sum(file.stat().st_size for file in files) < 1_000_000


@pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.name)
def test_fixture_is_whole(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    with np.load(folder / "expected.npz") as expected:
        tokens, rows, logits = (expected[name] for name in ("tokens", "rows", "logits"))
    assert tokens.size > config["sliding_window"]
    assert tokens.max() < config["vocab_size"]
    assert rows[-1] == tokens.size - 1
    assert logits.shape == (rows.size, config["vocab_size"])
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.name)
def test_transformers_computes_the_same(folder: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    has_mxfp4 = "quantization_config" in json.loads((folder / "config.json").read_text())
    how = {"quantization_config": transformers.Mxfp4Config(dequantize=True)} if has_mxfp4 else {}
    model = transformers.GptOssForCausalLM.from_pretrained(
        folder, dtype=torch.bfloat16, attn_implementation="eager", **how
    )
    with np.load(folder / "expected.npz") as expected, torch.no_grad():
        tokens = torch.from_numpy(expected["tokens"])[None]
        logits = model.float().eval()(tokens).logits[0].numpy()[expected["rows"]]
        error = np.abs(logits - expected["logits"]).max() / expected["logits"].std()
    assert error < 1e-4
