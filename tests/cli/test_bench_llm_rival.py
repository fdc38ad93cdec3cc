"""llama.cpp beside us, by a stand-in for its package where that is not installed."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from pyhades.bench.rivals import llama_cpp
from pyhades.cli import main
from pyhades.llm.models.gpt_oss.sizes import tiny_config

gguf = pytest.importorskip("gguf")

STAND_IN = '''
"""The names that the worker calls; every token takes a millisecond."""
import ctypes, os, time, types
llama_token = ctypes.c_int
class Settings: pass
def llama_backend_init(): pass
def llama_model_default_params(): return Settings()
def llama_context_default_params(): return Settings()
def llama_model_load_from_file(path, settings): return None if os.environ.get("FAIL") else 1
def llama_init_from_model(model, options):
    assert options.n_threads == 2 and options.n_ctx > 64 and options.swa_full is False
    assert options.n_ctx > 64 * options.n_seq_max and options.kv_unified
    return 1
def llama_model_get_vocab(model): return 1
def llama_vocab_n_tokens(vocabulary): return 320
def llama_model_desc(model, text, size): text.value = b"stand-in"
def llama_get_memory(context): return 1
def llama_memory_clear(memory, data): pass
def llama_batch_get_one(tokens, count): return count
def llama_batch_init(count, embeddings, texts):
    rows = [[0] * count for _ in range(4)]
    return types.SimpleNamespace(
        token=rows[0], pos=rows[1], n_seq_id=rows[2], logits=rows[3], n_tokens=0,
        seq_id=[[0] * texts for _ in range(count)],
    )
def llama_batch_free(batch): batch.token = None
lengths = {}
def llama_decode(context, batch):
    if isinstance(batch, int):
        time.sleep(1e-3 * batch)
        return 0
    texts = [place[0] for place in batch.seq_id]
    for text, position in zip(texts, batch.pos):
        assert position in (0, lengths.get(text, 0))
        lengths[text] = position + 1
    assert sum(batch.logits) == len(set(texts)) and batch.n_tokens == len(texts)
    time.sleep(1e-3)
    return 0
def llama_synchronize(context): pass
'''


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A package of that name, for this process and the worker's."""
    folder = tmp_path / "packages"
    (folder / "llama_cpp_python-9.9.dist-info").mkdir(parents=True)
    (folder / "llama_cpp_python-9.9.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: llama_cpp_python\nVersion: 9.9\n"
    )
    (folder / "llama_cpp.py").write_text(textwrap.dedent(STAND_IN))
    monkeypatch.syspath_prepend(str(folder))
    paths = [str(folder), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


@pytest.fixture
def model(tmp_path):
    """A tiny file, as the script for real sizes writes it."""
    from bench.synthetic_gguf import write

    path = tmp_path / "tiny.gguf"
    write(path, tiny_config())
    return path


def invoke(*arguments):
    return CliRunner().invoke(main, ["bench", "llm", *map(str, arguments)])


def test_engines_on_the_same_file(stand_in, model, tmp_path):
    out = tmp_path / "report.json"
    result = invoke(
        "--model", model, "--rival", "llama.cpp", "--threads", 2, "--quick", "--depths", "0,64",
        "--prefills", 32, "--json", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    measured = json.loads(out.read_text())
    assert measured["machine"]["llama.cpp"] == "llama-cpp-python 9.9"
    rows = [row for row in measured["results"] if row["workload"] != "prompt"]
    kinds = {
        name: [
            (r["workload"], r["depth"], r["prefill_tokens"]) for r in rows if r["engine"] == name
        ]
        for name in ("pyhades", "llama.cpp")
    }
    assert kinds["pyhades"] == kinds["llama.cpp"]
    assert kinds["pyhades"] == [("decode", 0, None), ("decode", 64, None), ("prefill", 0, 32)]
    theirs = [row for row in rows if row["engine"] == "llama.cpp"]
    # A millisecond per token, and what sleeping takes longer.
    assert all(10 < (row["decode_tok_s"] or row["prefill_tok_s"]) < 1000 for row in theirs)
    assert all(row["precision"] == "stand-in" and row["peak_rss_gb"] > 0.01 for row in theirs)
    assert theirs[0]["bandwidth_gb_s"] > 0 and theirs[0]["share_of_bandwidth"] is None


def test_batches_of_the_same_file(stand_in, model, tmp_path):
    out = tmp_path / "report.json"
    result = invoke(
        "--model", model, "--rival", "llama.cpp", "--threads", 2, "--quick", "--batch", "1,4",
        "--json", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    measured = json.loads(out.read_text())
    assert measured["machine"]["llama.cpp"] == "llama-cpp-python 9.9"
    rows = {(row["engine"], row["batch"]): row for row in measured["results"]}
    assert set(rows) == {(name, b) for name in ("pyhades", "llama.cpp") for b in (1, 4)}
    # A millisecond per step of any size, and what sleeping takes longer.
    assert 1 <= rows["llama.cpp", 4]["step_ms_p50"] < 100
    assert rows["llama.cpp", 4]["share_of_bandwidth"] is None
    assert rows["pyhades", 4]["experts_per_layer"] > 0
    assert "4 answers" in result.output


def test_what_the_rival_says_last_is_told(stand_in, model, monkeypatch):
    monkeypatch.setenv("FAIL", "1")
    result = invoke("--model", model, "--rival", "llama.cpp", "--threads", 2, "--quick")
    assert result.exit_code != 0 and "llama.cpp cannot load it" in result.output


def test_the_rival_is_optional(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    monkeypatch.setattr(llama_cpp.importlib.util, "find_spec", lambda name: None)
    result = invoke("--model", model, "--rival", "llama.cpp", "--quick")
    assert result.exit_code == 2 and "pip install llama-cpp-python" in result.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--rival", "llama.cpp"], "needs --model"),
        (["--rival", "llama.cpp", "--model", "none.gguf"], "no such file"),
        (["--rival", "llama.cpp", "--model", "none.gguf", "--batch", "2"], "no such file"),
        (["--rival", "llama.cpp", "--model", "none.gguf", "--load", "2"], "alone"),
        (["--depths", "0,x"], "list of numbers"),
        (["--batch", "0"], "'--batch': '0' is not a list of numbers from 1 on"),
        (["--batch", "1,x"], "'--batch'"),
        (["--prefills", "0", "--model", "none.gguf"], "'--prefills'"),
        (["--rival", "nobody"], "llama.cpp"),
    ],
)
def test_wrong_usage(arguments, complaint):
    result = invoke(*arguments)
    assert result.exit_code == 2 and complaint in result.output


def test_the_synthetic_file_is_a_model(model):
    """Its shapes are those of the outline, which opening checks; the same seed, the same bytes."""
    from bench.synthetic_gguf import with_layers, write
    from pyhades.llm.models import open_checkpoint

    config = tiny_config()
    opened = open_checkpoint(model)
    assert opened.config.layer_types == config.layer_types
    assert opened.config.num_local_experts == config.num_local_experts
    again = model.with_name("again.gguf")
    write(again, config)
    assert again.read_bytes() == model.read_bytes()
    write(again, with_layers(config, 2))
    assert open_checkpoint(again).config.num_hidden_layers == 2
