"""What is told of a checkpoint before it is loaded is what loading makes of it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from pyhades.cli import main
from pyhades.llm.models import open_checkpoint
from pyhades.llm.precision.convert import convert
from pyhades.llm.precision.listing import list_tensors
from pyhades.llm.precision.loading import load_weights
from pyhades.llm.precision.recipe import RECIPES
from tests.support.tiny_checkpoints import random_model, tiny_config, write_huggingface
from tests.support.tiny_gguf import write_gguf


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    model = random_model(tiny_config(num_hidden_layers=2, hidden_size=256, head_dim=32))
    types = {
        "token_embd.weight": "Q5_1",
        "output.weight": "Q6_K",
        "blk.0.attn_q.weight": "Q5_0",
        "blk.0.attn_k.weight": "Q5_0",
        "blk.0.attn_v.weight": "Q8_0",
        "blk.0.attn_output.weight": "Q4_K",
        "blk.1.attn_output.weight": "Q4_K",
    }
    return write_gguf(model, tmp_path_factory.mktemp("listed") / "m.gguf", types=types)


def test_types_and_formats(path):
    told = {(kind.name, kind.types): kind for kind in list_tensors(path).kinds}
    attention = "layers.*.attention_output.weight"
    wanted = {
        ("embedding", ("Q5_1",)): ("~bf16", "~int8_g32", "~int8_g32"),
        ("head", ("Q6_K",)): ("f32", "~int8_g32", "~int4_g32"),
        ("layers.*.qkv.weight", ("Q5_0", "Q8_0")): ("int8_g32", "int8_g32", "~int4_g32"),
        ("layers.*.qkv.weight", ("BF16",)): ("bf16", "~int8_g32", "~int4_g32"),
        (attention, ("Q4_K",)): ("f32", "~int8_g32", "~int4_g32"),
        ("layers.*.down.weight", ("MXFP4",)): ("mxfp4",) * 3,
    }
    for key, formats in wanted.items():
        assert tuple(str(told[key].kept[precision]) for precision in RECIPES) == formats
    output = told[attention, ("Q4_K",)]
    assert (output.count, output.weights) == (2, 2 * 256 * 256)
    assert output.nbytes == 2 * 256 * 144


@pytest.mark.parametrize("precision", RECIPES)
def test_bytes_are_those_of_the_loaded_weights(path, precision):
    weights = load_weights(open_checkpoint(path), precision, progress=False)
    assert list_tensors(path).kept_nbytes[precision] == weights.nbytes


def test_a_packed_file(path, tmp_path):
    packed = convert(path, tmp_path / "packed.safetensors", "balanced", progress=False)
    ours, source = list_tensors(packed), list_tensors(path)
    assert ours.nbytes == ours.kept_nbytes["balanced"] == source.kept_nbytes["balanced"]
    formats = {kind.name: kind.kept["balanced"].format for kind in ours.kinds}
    assert formats["layers.*.attention_output.weight"] == "int8_g32"


def test_a_tied_head_is_in_the_file_once(tmp_path):
    config = tiny_config(num_hidden_layers=1, tie_word_embeddings=True)
    model = random_model(config)
    del model.tensors["lm_head.weight"]
    checkpoint = open_checkpoint(write_huggingface(model, tmp_path))
    stored = sum(tensor.array.nbytes for tensor in model.tensors.values())
    assert list_tensors(checkpoint).nbytes == stored


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["inspect", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_command(path):
    text = run(str(path))
    assert "gpt_oss, 2 layers" in text
    (line,) = (line for line in text.splitlines() if "attention_output" in line)
    assert line.split()[1:3] == ["2", "Q4_K"]
    assert "~: rounded" in text
    told = json.loads(run(str(path.parent), "--json"))
    assert {"Q4_K"} in [set(kind["types"]) for kind in told["kinds"]]


def test_options_of_networks_are_refused(path):
    result = CliRunner().invoke(main, ["inspect", str(path), "--set", "foreground=1"])
    assert result.exit_code == 2
    assert "language model" in result.stderr
