"""Architectures are found by the name that a checkpoint gives them."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import pyhades
from pyhades.errors import ArgumentError, ModelError
from pyhades.llm.models import open_checkpoint, registry
from pyhades.llm.models.architecture import Layout
from pyhades.llm.models.config import ConfigSource
from pyhades.llm.models.qwen3_moe.config import Qwen3MoeConfig, from_huggingface

FIXTURE = Path(__file__).parent / "golden_qwen3_moe" / "bf16"


@dataclass(frozen=True)
class OtherConfig(Qwen3MoeConfig):
    model_type: ClassVar[str] = "other_moe"


def read_other(source: ConfigSource) -> OtherConfig:
    return OtherConfig(**vars(from_huggingface(source)))


@pytest.fixture
def other(monkeypatch):
    """An architecture from outside of the package."""
    monkeypatch.setattr(registry, "_REGISTERED", {})
    known = registry.architectures()["qwen3_moe"]
    layout = Layout(read_other, known.huggingface.collect)
    return replace(known, model_type="other_moe", huggingface=layout)


@pytest.fixture
def checkpoint(tmp_path):
    """Of that architecture."""
    shutil.copytree(FIXTURE, tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": "other_moe"}))
    return tmp_path / "model"


def test_folders_have_the_names_of_their_architectures():
    for name, architecture in registry.architectures().items():
        assert architecture.model_type == name
        assert (Path(registry.__file__).parent / name).is_dir()


def test_an_unknown_name_is_refused_with_those_that_are_known(checkpoint):
    with pytest.raises(ModelError, match=r"config.json: .*'other_moe'.*'gpt_oss', 'qwen3_moe'$"):
        open_checkpoint(checkpoint)


def test_a_missing_name_is_refused(checkpoint):
    path = checkpoint / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": None}))
    with pytest.raises(ModelError, match="family None"):
        open_checkpoint(checkpoint)


def test_an_architecture_joins_from_outside(other, checkpoint):
    registry.register(other)
    registry.register(other)
    with (
        pyhades.LLM(checkpoint, precision="exact", progress=False) as llm,
        pyhades.LLM(FIXTURE, precision="exact", progress=False) as same,
    ):
        assert isinstance(llm.config, OtherConfig)
        np.testing.assert_array_equal(llm.logits([1, 2, 3]), same.logits([1, 2, 3]))


def test_two_of_one_name_are_refused(other):
    registry.register(other)
    with pytest.raises(ArgumentError, match="another architecture 'other_moe'"):
        registry.register(replace(other))
    with pytest.raises(ArgumentError, match="another architecture 'gpt_oss'"):
        registry.register(replace(other, model_type="gpt_oss"))


@pytest.mark.parametrize("name", sorted(registry.architectures()))
def test_layers_have_the_tensors_of_their_outline(name):
    architecture = registry.architectures()[name]
    assert architecture.product_labels.keys() >= {"qkv", "attention_output", "gate_up"}
    assert {field.name for field in fields(architecture.layer_weights)} >= {"gate_up", "down"}
