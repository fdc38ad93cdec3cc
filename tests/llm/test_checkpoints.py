"""Checkpoints of all containers: the same tensors, the same configuration."""

from __future__ import annotations

import json
import os
import re
import shutil

import numpy as np
import pytest

from pyhades.errors import ModelError
from pyhades.llm.models import open_checkpoint
from pyhades.llm.models.config import RopeScaling
from pyhades.llm.models.outline import outline
from pyhades.llm.precision.convert import convert
from tests.support.tiny_checkpoints import (
    STOP_IDS,
    Stored,
    TinyModel,
    random_model,
    tiny_config,
    write_huggingface,
    write_original,
    write_safetensors,
)
from tests.support.tiny_gguf import write_gguf

CONTAINERS = {
    "huggingface": write_huggingface,
    "huggingface_sharded": lambda model, at: write_huggingface(model, at, shards=3),
    "huggingface_older": lambda model, at: write_huggingface(model, at, older_names=True),
    "original": lambda model, at: write_original(model, at / "original"),
    "gguf": lambda model, at: write_gguf(model, at / "m.gguf"),
    "gguf_fused": lambda model, at: write_gguf(model, at / "m.gguf", fused=True),
    "gguf_split": lambda model, at: write_gguf(model, at / "m.gguf", tensors_per_part=9),
    "ollama": lambda model, at: write_gguf(model, at / "sha256-0123", dialect="ollama"),
    "ollama_early": lambda model, at: write_gguf(
        model, at / "sha256-0123", dialect="ollama", fused=True
    ),
}


@pytest.fixture(scope="module")
def model() -> TinyModel:
    return random_model()


def expected(model: TinyModel) -> dict[str, np.ndarray]:
    """Every tensor of the outline, computed from Hugging Face's alone."""

    found = {
        "embedding": model.floats("model.embed_tokens.weight"),
        "head": model.floats("lm_head.weight"),
        "norm": model.floats("model.norm.weight"),
    }
    for index in range(model.config["num_hidden_layers"]):
        ours, theirs = f"layers.{index}.", f"model.layers.{index}."
        found |= {
            f"{ours}attention_norm": model.floats(f"{theirs}input_layernorm.weight"),
            f"{ours}mlp_norm": model.floats(f"{theirs}post_attention_layernorm.weight"),
            f"{ours}sinks": model.floats(f"{theirs}self_attn.sinks"),
        }
        for kind in ("weight", "bias"):
            parts = [model.floats(f"{theirs}self_attn.{x}_proj.{kind}") for x in "qkv"]
            found[f"{ours}qkv.{kind}"] = np.concatenate(parts)
            output = model.floats(f"{theirs}self_attn.o_proj.{kind}")
            found[f"{ours}attention_output.{kind}"] = output
            found[f"{ours}router.{kind}"] = model.floats(f"{theirs}mlp.router.{kind}")
        for kind, suffix in (("weight", ""), ("bias", "_bias")):
            experts = f"{theirs}mlp.experts."
            found[f"{ours}gate_up.{kind}"] = model.floats(f"{experts}gate_up_proj{suffix}")
            found[f"{ours}down.{kind}"] = model.floats(f"{experts}down_proj{suffix}")
    return found


def assert_same_tensors(checkpoint, model: TinyModel) -> None:
    wanted = expected(model)
    assert outline(checkpoint.config) == {name: array.shape for name, array in wanted.items()}
    assert checkpoint.tensors.keys() == wanted.keys()
    for name, array in wanted.items():
        stored = checkpoint.tensors[name]
        assert stored.shape == array.shape, name
        np.testing.assert_array_equal(stored.floats(), array, err_msg=name)
        part = 1 if array.ndim == 3 else slice(1, array.shape[0] - 1)
        np.testing.assert_array_equal(stored.floats(part), array[part], err_msg=name)


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_holds_the_same_tensors(container, model, tmp_path):
    checkpoint = open_checkpoint(CONTAINERS[container](model, tmp_path))
    assert_same_tensors(checkpoint, model)
    formats = {stored.format for name, stored in checkpoint.tensors.items() if "weight" in name}
    assert formats <= {"mxfp4", "bf16", "f32"}
    assert checkpoint.tensors["layers.0.down.weight"].format == "mxfp4"


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_has_the_same_configuration(container, model, tmp_path):
    config = open_checkpoint(CONTAINERS[container](model, tmp_path)).config
    given = model.config
    same = ("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads")
    same += ("num_key_value_heads", "head_dim", "vocab_size", "num_local_experts", "swiglu_limit")
    same += ("num_experts_per_tok", "sliding_window", "max_position_embeddings")
    assert [getattr(config, name) for name in same] == [given[name] for name in same]
    assert config.layer_types == ("sliding_attention", "full_attention") * 2
    assert config.rope_theta == 150000.0
    assert config.rope_scaling == RopeScaling(32.0, 32.0, 1.0, 4096, False)
    assert config.rms_norm_eps == pytest.approx(1e-5)
    assert config.swiglu_alpha == 1.702
    assert config.eos_token_ids == (() if container == "original" else STOP_IDS)


@pytest.mark.parametrize("experts", ["BF16", "F16", "F32"])
@pytest.mark.parametrize("container", ["huggingface", "original", "gguf", "gguf_fused"])
def test_experts_that_are_not_quantised(container, experts, tmp_path):
    model = random_model(tiny_config(num_hidden_layers=1), experts=experts)
    checkpoint = open_checkpoint(CONTAINERS[container](model, tmp_path))
    assert_same_tensors(checkpoint, model)


@pytest.mark.parametrize("dense", ["F32", "F16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
def test_dense_types_of_gguf(dense, tmp_path):
    import gguf

    model = random_model(tiny_config(num_hidden_layers=1))
    checkpoint = open_checkpoint(write_gguf(model, tmp_path / "m.gguf", dense=dense))
    kind = gguf.GGMLQuantizationType[dense]
    for name, exact in expected(model).items():
        if name.endswith(("qkv.weight", "output.weight")) or name in ("embedding", "head"):
            exact = gguf.quants.dequantize(gguf.quants.quantize(exact, kind), kind)
        np.testing.assert_array_equal(checkpoint.tensors[name].floats(), exact, err_msg=name)


def test_parts_of_different_types_are_joined(model, tmp_path):
    changed = dict(model.tensors)
    name = "model.layers.0.self_attn.v_proj.weight"
    changed[name] = Stored("F32", model.floats(name) * np.float32(1.1))
    other = TinyModel(model.config, changed)
    checkpoint = open_checkpoint(write_huggingface(other, tmp_path))
    assert checkpoint.tensors["layers.0.qkv.weight"].format == "f32"
    assert_same_tensors(checkpoint, other)


def test_blocks_are_read_in_place(model, tmp_path):
    checkpoint = open_checkpoint(write_huggingface(model, tmp_path))
    tensor = checkpoint.tensors["layers.0.down.weight"]
    (file,) = checkpoint.files
    assert tensor.is_view
    assert np.shares_memory(tensor.read().values, file.data)
    before = tensor.read().values.copy()
    checkpoint.release()
    np.testing.assert_array_equal(tensor.read().values, before)


class TestPlaces:
    """What a path may be."""

    def test_a_file_and_a_shard(self, model, tmp_path):
        folder = write_huggingface(model, tmp_path / "single")
        assert open_checkpoint(folder / "model.safetensors").config.hidden_size == 64
        folder = write_huggingface(model, tmp_path / "sharded", shards=2)
        for name in ("model-00002-of-00002.safetensors", "model.safetensors.index.json"):
            assert_same_tensors(open_checkpoint(str(folder / name)), model)
        with pytest.raises(ModelError, match=r"config\.json holds no weights; name the folder"):
            open_checkpoint(folder / "config.json")

    def test_a_graph_is_no_checkpoint(self, tmp_path):
        (tmp_path / "model.onnx").write_bytes(bytes(100))
        with pytest.raises(ModelError, match=r"model\.onnx is an ONNX graph.*pyhades inspect"):
            open_checkpoint(tmp_path / "model.onnx")

    def test_shards_without_index(self, model, tmp_path):
        folder = write_huggingface(model, tmp_path, shards=2)
        (folder / "model.safetensors.index.json").unlink()
        assert_same_tensors(open_checkpoint(folder), model)

    def test_any_part_of_a_split_file(self, model, tmp_path):
        first = write_gguf(model, tmp_path / "m.gguf", tensors_per_part=30)
        second = first.with_name(first.name.replace("00001-of", "00002-of"))
        assert_same_tensors(open_checkpoint(second), model)
        assert_same_tensors(open_checkpoint(tmp_path), model)

    def test_folder_above_original(self, model, tmp_path):
        write_huggingface(model, tmp_path)
        (tmp_path / "model.safetensors").unlink()
        write_original(model, tmp_path / "original")
        checkpoint = open_checkpoint(tmp_path)
        assert_same_tensors(checkpoint, model)
        assert checkpoint.config.eos_token_ids == STOP_IDS  # from the tokenizer above

    @pytest.mark.parametrize("has_refs", [True, False])
    def test_cache_of_huggingface(self, model, tmp_path, has_refs):
        root = tmp_path / "models--openai--gpt-oss-20b"
        newer = random_model(seed=1)
        write_huggingface(model, root / "snapshots" / "aaa")
        write_huggingface(newer, root / "snapshots" / "bbb")
        os.utime(root / "snapshots" / "aaa", (1, 1))
        if has_refs:
            (root / "refs").mkdir()
            (root / "refs" / "main").write_text("bbb\n")
        assert_same_tensors(open_checkpoint(root), newer)

    def test_cache_keeps_links(self, model, tmp_path):
        write_huggingface(model, tmp_path / "blobs")
        snapshot = tmp_path / "snapshots" / "aaa"
        snapshot.mkdir(parents=True)
        for path in (tmp_path / "blobs").iterdir():
            (snapshot / path.name).symlink_to(path)
        assert_same_tensors(open_checkpoint(tmp_path), model)

    def test_cache_with_a_broken_link(self, model, tmp_path):
        folder = write_huggingface(model, tmp_path / "snapshots" / "aaa", shards=2)
        (folder / "model.safetensors.index.json").unlink()
        shard = folder / "model-00001-of-00002.safetensors"
        shard.unlink()
        shard.symlink_to(tmp_path / "none")
        with pytest.raises(ModelError, match=r"00001-of-00002.*No such file"):
            open_checkpoint(tmp_path)

    def test_nothing_there(self, tmp_path):
        with pytest.raises(ModelError, match="no such file"):
            open_checkpoint(tmp_path / "none")
        with pytest.raises(ModelError, match="holds no"):
            open_checkpoint(tmp_path)

    @pytest.mark.parametrize(
        "name", ["openai/gpt-oss-20b", "https://huggingface.co/openai/gpt-oss-20b"]
    )
    def test_a_name_of_the_hub(self, model, tmp_path, monkeypatch, name):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
        with pytest.raises(ModelError, match="hf download openai/gpt-oss-20b --local-dir"):
            open_checkpoint(name)
        repository = tmp_path / "hub" / "models--openai--gpt-oss-20b"
        write_huggingface(model, repository / "snapshots" / "aaa")
        assert_same_tensors(open_checkpoint(name), model)

    def test_a_path_comes_before_a_name_of_the_hub(self, model, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        write_huggingface(model, tmp_path / "openai" / "gpt-oss-20b")
        assert_same_tensors(open_checkpoint("openai/gpt-oss-20b"), model)

    def test_a_name_without_an_owner(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for name in ("gpt-oss-20b", "gpt-oss:20b"):
            with pytest.raises(ModelError, match=f"{name}: .*hf download OWNER/NAME"):
                open_checkpoint(name)
        with pytest.raises(ModelError, match=r"^https://hf\.co/a/b/c\.gguf: .*download it first"):
            open_checkpoint("https://hf.co/a/b/c.gguf")
        with pytest.raises(ModelError, match=r"no such file or folder$"):
            open_checkpoint("models/20b.gguf")

    def test_several_models(self, model, tmp_path):
        write_gguf(model, tmp_path / "a.gguf")
        shutil.copy(tmp_path / "a.gguf", tmp_path / "b.gguf")
        with pytest.raises(ModelError, match=r"name one: a\.gguf, b\.gguf"):
            open_checkpoint(tmp_path)


class TestRefusals:
    """What is wrong with a checkpoint is named."""

    def rewritten(self, model, folder, **changes: Stored | None):
        """The model with some tensors replaced, None removes one."""
        tensors = {**model.tensors, **changes}
        kept = {name: stored for name, stored in tensors.items() if stored is not None}
        write_huggingface(TinyModel(model.config, kept), folder)
        return folder

    @pytest.mark.parametrize(
        "name",
        [
            "lm_head.weight", "model.layers.3.self_attn.sinks",
            "model.layers.1.mlp.experts.down_proj_scales",
            "model.layers.2.mlp.experts.gate_up_proj_bias", "model.layers.0.self_attn.q_proj.bias",
        ],
    )  # fmt: skip
    def test_missing(self, model, tmp_path, name):
        with pytest.raises(ModelError, match=rf"{tmp_path.name}.*{name}' is missing"):
            open_checkpoint(self.rewritten(model, tmp_path, **{name: None}))

    def test_extra(self, model, tmp_path):
        name = "model.layers.4.self_attn.sinks"
        extra = {name: model.tensors["model.layers.3.self_attn.sinks"]}
        with pytest.raises(ModelError, match=f"{name}' is not part of a model of this"):
            open_checkpoint(self.rewritten(model, tmp_path, **extra))

    def test_computed_tensors_are_allowed(self, model, tmp_path):
        name = "model.layers.0.self_attn.rotary_emb.inv_freq"
        extra = {name: Stored("F32", np.ones(8, np.float32))}
        assert_same_tensors(open_checkpoint(self.rewritten(model, tmp_path, **extra)), model)

    def test_misshapen(self, model, tmp_path):
        name = "model.norm.weight"
        short = Stored("BF16", model.tensors[name].array[:-1])
        with pytest.raises(ModelError, match=rf"{name}' has the shape \[63\].*asks for \[64\]"):
            open_checkpoint(self.rewritten(model, tmp_path, **{name: short}))

    def test_type(self, model, tmp_path):
        name = "model.norm.weight"
        with pytest.raises(ModelError, match=f"{name}' is stored as U8"):
            wrong = Stored("U8", np.ones(64, np.uint8))
            open_checkpoint(self.rewritten(model, tmp_path, **{name: wrong}))

    def test_scale_that_is_no_number(self, model, tmp_path):
        name = "model.layers.1.mlp.experts.down_proj_scales"
        scales = model.tensors[name].array.copy()
        scales[3, 2, 1] = 255
        folder = self.rewritten(model, tmp_path, **{name: Stored("U8", scales)})
        with pytest.raises(ModelError, match=rf"model\.safetensors.*{name}' has a scale"):
            open_checkpoint(folder).tensors["layers.1.down.weight"].read()

    def test_missing_shard(self, model, tmp_path):
        folder = write_huggingface(model, tmp_path, shards=3)
        (folder / "model-00002-of-00003.safetensors").unlink()
        with pytest.raises(ModelError, match=r"00002-of-00003\.safetensors is missing"):
            open_checkpoint(folder)
        first = write_gguf(model, tmp_path / "g" / "m.gguf", tensors_per_part=30)
        first.with_name(first.name.replace("00001-of", "00002-of")).unlink()
        with pytest.raises(ModelError, match=r"m-00002-of-\d+\.gguf is missing"):
            open_checkpoint(first)

    def test_renamed_part(self, model, tmp_path):
        first = write_gguf(model, tmp_path / "m.gguf", tensors_per_part=30)
        alone = first.rename(tmp_path / "renamed.gguf")
        with pytest.raises(ModelError, match="one of 3 parts"):
            open_checkpoint(alone)

    def test_tensor_in_two_files(self, model, tmp_path):
        folder = write_huggingface(model, tmp_path, shards=2)
        (folder / "model.safetensors.index.json").unlink()
        norm = {"model.norm.weight": model.tensors["model.norm.weight"]}
        write_safetensors(folder / "other.safetensors", norm, {})
        with pytest.raises(ModelError, match=r"norm\.weight' is also in"):
            open_checkpoint(folder)

    def test_without_configuration(self, model, tmp_path):
        folder = write_huggingface(model, tmp_path)
        (folder / "config.json").unlink()
        with pytest.raises(ModelError, match=r"config\.json: No such file"):
            open_checkpoint(folder)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"model_type": "llama"}, "family 'llama'"),
            ({"num_hidden_layers": "4"}, "num_hidden_layers is '4'"),
            ({"num_hidden_layers": 4000000000}, "num_hidden_layers is 4000000000, not an integer"),
            ({"num_local_experts": None}, "num_local_experts or num_experts is missing"),
            ({"hidden_size": 80}, "hidden_size is 80, no multiple of 32"),
            ({"num_key_value_heads": 3}, "no multiple of num_key_value_heads 3"),
            ({"num_experts_per_tok": 9}, "num_experts_per_tok 9 of only 8"),
            ({"layer_types": ["full_attention"]}, "layer_types must be 4 times"),
            ({"rms_norm_eps": -1.0}, "rms_norm_eps is -1.0"),
            ({"eos_token_id": "x"}, "eos_token_id is 'x'"),
            ({"rope_parameters": {"rope_type": "llama3"}}, "rope_type is 'llama3'"),
            ({"quantization_config": {"quant_method": "awq"}}, "quantised by 'awq'"),
        ],
    )
    def test_configuration(self, model, tmp_path, changes, message):
        folder = write_huggingface(model, tmp_path)
        values = {**json.loads((folder / "config.json").read_text()), **changes}
        values = {key: value for key, value in values.items() if value is not None}
        (folder / "config.json").write_text(json.dumps(values))
        with pytest.raises(ModelError, match=f"config.json: .*{message}"):
            open_checkpoint(folder)


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 13761264768\n"


@pytest.mark.parametrize(
    ("container", "name"),
    [
        *[("huggingface", name) for name in ("model.safetensors", "config.json", "tokenizer.json",
                                             "generation_config.json")],
        ("sharded", "model-00001-of-00002.safetensors"),
        ("sharded", "model.safetensors.index.json"),
        ("gguf", "m.gguf"),
    ],
)  # fmt: skip
def test_pointers_of_git_lfs_are_named(container, name, model, tmp_path):
    if container == "gguf":
        write_gguf(model, tmp_path / name)
    else:
        write_huggingface(model, tmp_path, shards=2 if container == "sharded" else 1)
    (tmp_path / name).write_text(POINTER)
    with pytest.raises(
        ModelError, match=f"{re.escape(name)} is a pointer of Git LFS.*git lfs pull"
    ):
        open_checkpoint(tmp_path)


class TestVariants:
    """What relatives of the model may do differently."""

    def test_pruned_experts_and_other_alpha(self, tmp_path):
        config = tiny_config(num_local_experts=5, num_experts_per_tok=2, swiglu_alpha=1.5)
        model = random_model(config)
        checkpoint = open_checkpoint(write_huggingface(model, tmp_path))
        assert checkpoint.config.swiglu_alpha == 1.5
        assert_same_tensors(checkpoint, model)

    def test_tied_head(self, model, tmp_path):
        tensors = {k: v for k, v in model.tensors.items() if k != "lm_head.weight"}
        tied = TinyModel({**model.config, "tie_word_embeddings": True}, tensors)
        checkpoint = open_checkpoint(write_huggingface(tied, tmp_path))
        embedding = checkpoint.tensors["embedding"]
        np.testing.assert_array_equal(checkpoint.tensors["head"].floats(), embedding.floats())

    def test_no_attention_bias(self, model, tmp_path):
        kept = {
            k: v for k, v in model.tensors.items() if not ("self_attn" in k and k.endswith("bias"))
        }
        plain = TinyModel({**model.config, "attention_bias": False}, kept)
        checkpoint = open_checkpoint(write_huggingface(plain, tmp_path))
        assert "layers.0.qkv.bias" not in checkpoint.tensors
        assert "layers.0.router.bias" in checkpoint.tensors

    def test_null_is_what_is_left_out(self, model, tmp_path):
        names = ("attention_bias", "head_dim", "sliding_window", "layer_types", "swiglu_limit",
                 "rms_norm_eps", "quantization_config", "tie_word_embeddings")  # fmt: skip
        base = {**model.config, "head_dim": 64, "hidden_size": 64}
        base |= {"num_attention_heads": 2, "num_key_value_heads": 1}
        other = random_model(base)
        folder = write_huggingface(other, tmp_path)
        whole = json.loads((folder / "config.json").read_text())
        left_out = {key: value for key, value in whole.items() if key not in names}
        (folder / "config.json").write_text(json.dumps(left_out))
        expected = open_checkpoint(folder).config
        (folder / "config.json").write_text(json.dumps(left_out | dict.fromkeys(names)))
        assert open_checkpoint(folder).config == expected

    def test_a_flag_is_true_or_false(self, model, tmp_path):
        folder = write_huggingface(TinyModel({**model.config, "attention_bias": "no"},
                                             model.tensors), tmp_path)  # fmt: skip
        with pytest.raises(ModelError, match="attention_bias is 'no', not true or false"):
            open_checkpoint(folder)

    @pytest.mark.parametrize("beside", [{}, {"full_attention": None}])
    def test_rope_per_kind_of_layer(self, model, tmp_path, beside):
        flat = model.config["rope_parameters"]
        nested = {"full_attention": flat, "sliding_attention": flat} | beside
        nested = TinyModel({**model.config, "rope_parameters": nested}, model.tensors)
        config = open_checkpoint(write_huggingface(nested, tmp_path)).config
        assert config.rope_scaling is not None and config.rope_theta == flat["rope_theta"]
        plain = write_huggingface(model, tmp_path / "flat")
        assert config == open_checkpoint(plain).config

    def test_rope_that_is_said_in_two_places(self, model, tmp_path):
        rope = dict(model.config["rope_parameters"])
        theta = rope.pop("rope_theta")
        config = {**model.config, "rope_scaling": rope, "rope_theta": 1.0}
        config["rope_parameters"] = {"rope_theta": theta}
        folder = write_huggingface(TinyModel(config, model.tensors), tmp_path)
        assert open_checkpoint(folder).config.rope_theta == theta
        assert open_checkpoint(folder).config.rope_scaling is not None

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ({"full_attention": {"rope_theta": 1.0}, "sliding_attention": {"rope_theta": 2.0}},
             "full_attention and sliding_attention differ"),
            ({"partial_rotary_factor": 0.5}, "partial_rotary_factor is not 1"),
            ({"mscale": 1.0, "mscale_all_dim": 1.0}, "mscale"),
            ({"rope_type": "llama3"}, "'llama3'; pyhades knows 'yarn'"),
        ],
    )  # fmt: skip
    def test_rope_that_is_not_computed(self, model, tmp_path, change, complaint):
        rope = {**model.config["rope_parameters"], **change}
        changed = TinyModel({**model.config, "rope_parameters": rope}, model.tensors)
        with pytest.raises(ModelError, match=complaint):
            open_checkpoint(write_huggingface(changed, tmp_path))

    def test_special_tokens_beside_the_tokenizer(self, model, tmp_path):
        """Answers end at them, and a packed file has them."""
        folder = write_huggingface(model, tmp_path / "m")
        (folder / "generation_config.json").unlink()
        document = json.loads((folder / "tokenizer.json").read_text())
        added, document["added_tokens"] = document["added_tokens"], []
        (folder / "tokenizer.json").write_text(json.dumps(document))
        decoder = {str(token["id"]): {"content": token["content"]} for token in added}
        config = json.dumps({"added_tokens_decoder": decoder})
        (folder / "tokenizer_config.json").write_text(config)
        packed = convert(folder, tmp_path / "packed.safetensors", progress=False)
        for path in (folder, packed):
            checkpoint = open_checkpoint(path)
            assert checkpoint.config.eos_token_ids == STOP_IDS
            assert checkpoint.tokenizer().specials["<|call|>"] == STOP_IDS[2]

    def test_end_of_message_is_no_end(self, model, tmp_path):
        folder = write_huggingface(model, tmp_path)
        end = STOP_IDS[1] + 4
        (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [end, 7]}))
        assert open_checkpoint(folder).config.eos_token_ids == (7, *STOP_IDS)

    def test_full_vocabulary_without_tokenizer(self, tmp_path):
        model = random_model(tiny_config(num_hidden_layers=1, vocab_size=201088, eos_token_id=None))
        config = open_checkpoint(write_original(model, tmp_path)).config
        assert config.eos_token_ids == (199999, 200002, 200012)
