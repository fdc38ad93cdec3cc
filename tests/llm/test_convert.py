"""``pyhades convert``: a file that loads by mapping it."""

from __future__ import annotations

import json
import shutil
import struct

import numpy as np
import pytest
from click.testing import CliRunner

from pyhades.cli import main
from pyhades.errors import ArgumentError, ConfigurationError, ModelError
from pyhades.llm.models import open_checkpoint
from pyhades.llm.precision import packing
from pyhades.llm.precision.convert import convert
from pyhades.llm.precision.loading import load_weights
from pyhades.llm.precision.recipe import RECIPES
from tests.llm.test_checkpoints import CONTAINERS
from tests.llm.test_loading import assert_equal
from tests.support.tiny_checkpoints import (
    TinyModel,
    random_model,
    tiny_config,
    write_huggingface,
    write_original,
)
from tests.support.tiny_gguf import write_gguf


@pytest.fixture(scope="module")
def model() -> TinyModel:
    return random_model()


@pytest.fixture
def source(model, tmp_path):
    return write_huggingface(model, tmp_path / "source")


def made(source, target, precision=None):
    return convert(source, target, precision, progress=False)


@pytest.mark.parametrize("precision", RECIPES)
@pytest.mark.parametrize("container", ["huggingface", "original", "gguf", "ollama_early"])
def test_packed_file_has_the_same_weights(container, precision, model, tmp_path):
    checkpoint = open_checkpoint(CONTAINERS[container](model, tmp_path / "source"))
    path = made(checkpoint.source, tmp_path / "m.safetensors", precision)
    packed = open_checkpoint(path)
    assert packed.config == checkpoint.config
    weights = load_weights(packed, progress=False)
    assert (weights.precision, weights.activations) == (precision, RECIPES[precision].activations)
    assert_equal(weights, load_weights(checkpoint, precision, progress=False))
    assert_equal(weights, load_weights(packed, precision, progress=False))


def test_weights_stay_in_the_file(source, tmp_path):
    packed = open_checkpoint(made(source, tmp_path / "m.safetensors"))
    weights = load_weights(packed, progress=False)
    (file,) = packed.files
    for array in weights.arrays():
        assert np.shares_memory(array, file.data)
        assert array.ctypes.data % 64 == 0
        assert not array.flags.writeable


@pytest.mark.parametrize("kind", ["json", "gguf", "none"])
def test_tokenizer_comes_along(kind, model, tmp_path):
    if kind == "gguf":
        checkpoint = open_checkpoint(write_gguf(model, tmp_path / "m.gguf"))
    else:
        checkpoint = open_checkpoint(
            write_huggingface(model, tmp_path / "m", tokenizer=kind == "json")
        )
    packed = open_checkpoint(made(checkpoint.source, tmp_path / "m.safetensors"))
    first, second = checkpoint.tokenizer(), packed.tokenizer()
    if kind == "none":
        assert first is None and second is None
        return
    assert second.encode("the <|end|> größe") == first.encode("the <|end|> größe")
    assert second.specials == first.specials


def test_no_attention_bias(model, tmp_path):
    kept = {k: v for k, v in model.tensors.items() if not ("self_attn" in k and k.endswith("bias"))}
    plain = TinyModel({**model.config, "attention_bias": False}, kept)
    path = made(write_huggingface(plain, tmp_path / "m"), tmp_path / "m.safetensors")
    weights = load_weights(open_checkpoint(path), progress=False)
    assert weights.layers[0].qkv.bias is None


def test_odd_sizes(tmp_path):
    config = tiny_config(num_local_experts=5, vocab_size=273, num_hidden_layers=1)
    path = made(write_original(random_model(config), tmp_path / "m"), tmp_path / "m.safetensors")
    weights = load_weights(open_checkpoint(path), progress=False)
    assert weights.head.weight.shape == (273, 64)
    assert weights.layers[0].router.weight.shape == (5, 64)


class TestTarget:
    def test_existing_file(self, source, tmp_path):
        target = tmp_path / "m.safetensors"
        target.write_text("precious")
        with pytest.raises(ArgumentError, match="exists"):
            made(source, target)
        assert target.read_text() == "precious"
        convert(source, target, overwrite=True, progress=False)
        assert open_checkpoint(target).packed is not None

    @pytest.mark.parametrize("how", ["name", "other path", "symlink", "hardlink", "original"])
    def test_a_file_of_the_source(self, model, source, tmp_path, how):
        if how == "original":
            source = write_original(model, tmp_path / "original")
        weights = source / "model.safetensors"
        target = {"name": weights, "original": weights, "other path": source / ".." / source.name /
                  weights.name}.get(how, tmp_path / "link.safetensors")  # fmt: skip
        if how == "symlink":
            target.symlink_to(weights)
        if how == "hardlink":
            target.hardlink_to(weights)
        before = weights.read_bytes()
        for given in (source, weights):
            with pytest.raises(ArgumentError, match="which the result would replace"):
                convert(given, target, overwrite=True, progress=False)
        assert weights.read_bytes() == before

    @pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "generation_config.json"])
    def test_another_file_of_the_source(self, source, name):
        with pytest.raises(ArgumentError, match="which the result would replace"):
            convert(source, source / name, overwrite=True, progress=False)

    def test_a_file_that_would_be_taken_for_the_source(self, model, source, tmp_path):
        sharded = write_huggingface(model, tmp_path / "sharded", shards=2)
        with pytest.raises(ArgumentError, match="in the folder of the source"):
            made(sharded, sharded / "model.safetensors")
        single = write_gguf(model, tmp_path / "gguf" / "m.gguf").parent
        with pytest.raises(ArgumentError, match="in the folder of the source"):
            made(single, single / "packed.safetensors")
        beside = made(source, source / "packed.safetensors")
        assert open_checkpoint(beside).packed is not None
        assert open_checkpoint(source).packed is None
        assert open_checkpoint(made(single / "m.gguf", single / "m.safetensors")).packed

    def test_folder(self, source, tmp_path):
        with pytest.raises(ArgumentError, match="is a folder"):
            made(source, tmp_path)

    def test_failure_leaves_nothing(self, source, tmp_path, monkeypatch):
        def fail(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(packing.PackedItem, "make", fail)
        target = tmp_path / "out" / "m.safetensors"
        with pytest.raises(KeyboardInterrupt):
            made(source, target)
        assert not list(target.parent.iterdir())

    def test_full_disk(self, source, tmp_path, monkeypatch):
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
        with pytest.raises(ConfigurationError, match="room for"):
            made(source, tmp_path / "m.safetensors")

    def test_packed_source(self, source, tmp_path):
        first = made(source, tmp_path / "a.safetensors")
        with pytest.raises(ArgumentError, match="packed already"):
            made(first, tmp_path / "b.safetensors")


class TestPackedFile:
    """What is wrong with a packed file is named, with the remedy."""

    @pytest.fixture
    def path(self, source, tmp_path):
        return made(source, tmp_path / "m.safetensors")

    @staticmethod
    def edit(path, change) -> None:
        """Rewrite the header; the data keeps its place."""
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        change(header)
        text = json.dumps(header).encode()
        text += b" " * (-(len(text) + 8) % 64)
        path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])

    def test_another_precision(self, path):
        with pytest.raises(ArgumentError, match="packed with precision='balanced', not 'fast'"):
            load_weights(open_checkpoint(path), "fast")

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("layout", "r8k32", r"layout 'r8k32'.*reads 'r16k32', on every CPU.*pyhades convert"),
            ("activations", "f8", "'activations' is 'f8'"),
            ("version", "9", "version '9'"),
            ("config", "{", "'config' is no JSON object"),
            ("weights", "[]", "'weights' is no JSON object"),
            ("weights", '{"head": 1}', "weight 'head' is described as 1"),
        ],
    )
    def test_metadata(self, path, key, value, message):
        self.edit(path, lambda header: header["__metadata__"].update({key: value}))
        with pytest.raises(ModelError, match=rf"m\.safetensors.*{message}"):
            open_checkpoint(path)

    @pytest.mark.parametrize(
        "name", ["head", "norm", "embedding.values", "layers.3.sinks", "layers.0.down.weight"]
    )
    def test_missing_tensor(self, path, name):
        def rename(header):
            header[f"__padding__.{name}#"] = header.pop(name)

        self.edit(path, rename)
        with pytest.raises(ModelError, match=rf"m\.safetensors: tensor '{name}' is missing"):
            open_checkpoint(path)

    def test_extra_tensor(self, path):
        more = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
        self.edit(path, lambda header: header.update({"more": more}))
        with pytest.raises(ModelError, match="'more' is not part of the model"):
            open_checkpoint(path)

    def test_wrong_format(self, path):
        def change(header):
            weights = json.loads(header["__metadata__"]["weights"])
            weights["layers.1.qkv.weight"][0] = "bf16"
            header["__metadata__"]["weights"] = json.dumps(weights)

        self.edit(path, change)
        with pytest.raises(ModelError, match=r"layers\.1\.qkv\.weight.*packed bf16 weight"):
            open_checkpoint(path)

    def test_unaligned(self, path):
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        path.write_bytes(struct.pack("<Q", length + 8) + data[8 : 8 + length] + b" " * 8 +
                         data[8 + length :])  # fmt: skip
        with pytest.raises(ModelError, match="not on a 64-byte boundary; write it again"):
            open_checkpoint(path)

    def test_cut_off(self, path):
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(ModelError, match=r"m\.safetensors: .*tensor .* ends at byte"):
            open_checkpoint(path)


class TestCommandLine:
    def run(self, *arguments):
        return CliRunner().invoke(main, ["convert", *map(str, arguments)])

    def test_converts(self, source, tmp_path):
        result = self.run(source, tmp_path / "m.safetensors", "--precision", "fast")
        assert result.exit_code == 0, result.output
        assert "m.safetensors" in result.output and "fast" in result.output
        assert open_checkpoint(tmp_path / "m.safetensors").packed.precision == "fast"

    def test_overwrite(self, source, tmp_path):
        target = tmp_path / "m.safetensors"
        assert self.run(source, target).exit_code == 0
        result = self.run(source, target)
        assert result.exit_code == 2 and "exists" in result.output
        assert self.run(source, target, "--overwrite", "-q").exit_code == 0

    def test_missing_source(self, tmp_path):
        result = self.run(tmp_path / "none", tmp_path / "m.safetensors")
        assert result.exit_code == 2 and "no such file" in result.output

    def test_auto_prints_its_choices(self, source, tmp_path):
        target = tmp_path / "m.safetensors"
        result = self.run(source, target, "--precision", "auto", "--error-budget", "0.06")
        assert result.exit_code == 0, result.output
        assert "layers.3.qkv.weight" in result.output and "at most 0.06" in result.output
        refused = self.run(source, target, "--overwrite", "--error-budget", "0.06")
        assert refused.exit_code == 2 and "precision='auto'" in refused.output
