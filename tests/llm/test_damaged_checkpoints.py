"""Damaged checkpoints give an exception of ours that names the file, or load; nothing else."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path

import numpy as np
import pytest

from pyhades.errors import ModelError, PyhadesError
from pyhades.formats import GgufFile
from pyhades.llm.models import open_checkpoint
from pyhades.llm.models.gpt_oss.gguf import read_config
from pyhades.llm.precision.convert import convert
from pyhades.llm.precision.loading import load_weights
from tests.support.tiny_checkpoints import (
    TinyModel,
    random_model,
    tiny_config,
    write_huggingface,
    write_original,
)
from tests.support.tiny_gguf import write_gguf

ROUNDS = 150


@pytest.fixture(scope="module")
def model() -> TinyModel:
    return random_model(tiny_config(num_hidden_layers=1, num_local_experts=4))


def packed(model: TinyModel, at: Path) -> Path:
    source = write_huggingface(model, at / "source")
    return convert(source, at / "m.safetensors", progress=False)


WRITTEN = {
    "huggingface": (write_huggingface, "model.safetensors"),
    "configuration": (write_huggingface, "config.json"),
    "generation": (write_huggingface, "generation_config.json"),
    "tokenizer": (write_huggingface, "tokenizer.json"),
    "index": (
        lambda model, at: write_huggingface(model, at, shards=2),
        "model.safetensors.index.json",
    ),
    "original": (lambda model, at: write_original(model, at), "config.json"),
    "gguf": (lambda model, at: write_gguf(model, at / "m.gguf"), "m.gguf"),
    "packed": (packed, "m.safetensors"),
}


def header_bytes(path: Path, whole: bytes) -> int:
    """How much of a file is not weights."""
    if path.suffix == ".safetensors":
        return 8 + struct.unpack("<Q", whole[:8])[0]
    return 12000 if path.suffix == ".gguf" else len(whole)


def damaged(whole: bytes, header: int, chance: random.Random) -> bytes:
    data = bytearray(whole)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(min(header, len(data)))
        how = chance.random()
        if how < 0.5:
            data[at] = chance.randrange(256)
        elif how < 0.7:
            data[at] = chance.choice(b'0123456789"{}[],:-')
        elif how < 0.85:
            del data[at : at + chance.randint(1, 9)]
        else:
            data[at:at] = bytes(chance.choice(b"0123456789eE.") for _ in range(5))
    if chance.random() < 0.1:
        del data[chance.randrange(1, len(data)) :]
    return bytes(data)


@pytest.mark.parametrize("kind", WRITTEN)
def test_damage_raises_nothing_unexpected(kind, model, tmp_path):
    write, name = WRITTEN[kind]
    path = write(model, tmp_path)
    file = tmp_path / name
    whole = file.read_bytes()
    header = header_bytes(file, whole)
    chance = random.Random(kind)
    refused = 0
    for _ in range(ROUNDS):
        file.write_bytes(damaged(whole, header, chance))
        try:
            checkpoint = open_checkpoint(path)
            load_weights(checkpoint, progress=False)
            checkpoint.tokenizer()
        except PyhadesError as error:
            assert isinstance(error, ModelError), error
            assert str(tmp_path) in str(error), error
            refused += 1
    assert refused > ROUNDS // 10


ODD_VALUES = [
    *(None, True, False, -1, 0, 3, 2**70, 1e300, float("nan"), "", "x", "gpt_oss", [], [[]]),
    *([1], [[1], 2], ["x", "x"], [None] * 9, {}, {"a": 1}, {"rope_type": []}, {"factor": {}}),
]


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (write_huggingface, "config.json"),
        (lambda model, at: write_huggingface(model, at, older_names=True), "config.json"),
        (write_huggingface, "generation_config.json"),
        (write_huggingface, "tokenizer.json"),
        (lambda model, at: write_huggingface(model, at, shards=2), "model.safetensors.index.json"),
        (write_original, "config.json"),
    ],
    ids=["config", "older", "generation", "tokenizer", "index", "original"],
)
def test_values_of_any_type(write, name, model, tmp_path):
    write(model, tmp_path)
    file = tmp_path / name
    values = json.loads(file.read_text())
    for key in values:
        for odd in ODD_VALUES:
            file.write_text(json.dumps({**values, key: odd}))
            try:
                open_checkpoint(tmp_path)
            except ModelError as error:
                assert str(tmp_path) in str(error), (key, odd, error)


def test_metadata_of_any_type(model, tmp_path):
    file = GgufFile(write_gguf(model, tmp_path / "m.gguf"))
    values = dict(file.metadata)
    for key in values:
        for odd in [*ODD_VALUES, np.arange(3), np.arange(3.0)]:
            file.metadata = {**values, key: odd}
            try:
                read_config(file)
            except ModelError as error:
                assert str(tmp_path) in str(error), (key, odd, error)


@pytest.mark.parametrize("kind", ["huggingface", "gguf", "packed"])
def test_cut_off_files_are_refused(kind, model, tmp_path):
    write, name = WRITTEN[kind]
    path = write(model, tmp_path)
    file = tmp_path / name
    whole = file.read_bytes()
    chance = random.Random(1)
    for length in (1, 4, 7, 8, 9, 100, *(chance.randrange(len(whole)) for _ in range(40))):
        file.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=name.replace(".", r"\.")):
            open_checkpoint(path)
