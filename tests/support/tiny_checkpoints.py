"""Tiny random gpt-oss checkpoints, in every container that is read.

A model is drawn (or read from a Hugging Face folder) once, and written by packages that nobody here
wrote: all containers of one model hold the same weights, so they give the same logits. GGUF is in
:mod:`tests.support.tiny_gguf`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

FP4 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)
ITEM = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16, "U8": np.uint8}
RUST_NAMES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "U8": "uint8"}
SPECIALS = (
    *("<|startoftext|>", "<|endoftext|>", "<|return|>", "<|constrain|>", "<|channel|>"),
    *("<|start|>", "<|end|>", "<|message|>", "<|call|>"),
)
MERGES = (("t", "h"), ("th", "e"))
FIRST_SPECIAL = 256 + len(MERGES)
STOP_IDS = tuple(
    FIRST_SPECIAL + SPECIALS.index(name) for name in ("<|endoftext|>", "<|return|>", "<|call|>")
)


@dataclass(frozen=True)
class Stored:
    """A tensor; bfloat16 is kept as uint16."""

    dtype: str
    array: np.ndarray

    @property
    def floats(self) -> np.ndarray:
        if self.dtype == "BF16":
            return (self.array.astype(np.uint32) << 16).view(np.float32)
        return self.array.astype(np.float32)


@dataclass(frozen=True)
class TinyModel:
    """A configuration and weights, both as Hugging Face names them."""

    config: dict[str, Any]
    tensors: dict[str, Stored]

    def floats(self, name: str) -> np.ndarray:
        """A weight as float32, ``[..., outputs, inputs]``; experts by their name without suffix."""
        blocks = self.tensors.get(f"{name}_blocks")
        if blocks is not None:
            return decode_mxfp4(blocks.array, self.tensors[f"{name}_scales"].array)
        floats = self.tensors[name].floats
        return floats.swapaxes(-1, -2) if name.endswith("experts.gate_up_proj") or (
            name.endswith("experts.down_proj")
        ) else floats  # fmt: skip


def tiny_config(**changes: Any) -> dict[str, Any]:
    """A ``config.json`` with two layers of each kind; None removes a key."""
    layers = changes.get("num_hidden_layers", 4)
    config = {
        "architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss",
        "num_hidden_layers": layers, "hidden_size": 64, "intermediate_size": 96, "head_dim": 16,
        "num_attention_heads": 8, "num_key_value_heads": 2, "vocab_size": 288,
        "num_local_experts": 8, "num_experts_per_tok": 4, "sliding_window": 128,
        "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "swiglu_limit": 7.0,
        "attention_bias": True, "tie_word_embeddings": False, "hidden_act": "silu",
        "pad_token_id": STOP_IDS[0], "eos_token_id": STOP_IDS[1],
        "layer_types": [("sliding_attention", "full_attention")[i % 2] for i in range(layers)],
        "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 150000.0, "factor": 32.0, "beta_fast": 32.0,
            "beta_slow": 1.0, "truncate": False, "original_max_position_embeddings": 4096,
        },
    } | changes  # fmt: skip
    return {key: value for key, value in config.items() if value is not None}


def to_bf16(floats: np.ndarray) -> np.ndarray:
    """float32 to bfloat16 as uint16, by truncation: any bfloat16 will do for a random weight."""
    return (np.asarray(floats, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def decode_mxfp4(blocks: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Blocks ``[..., k/32, 16]`` in Hugging Face's order of nibbles: float32 ``[..., k]``."""
    values = FP4[np.stack([blocks & 15, blocks >> 4], -1)].reshape(*blocks.shape[:-1], 32)
    values = np.ldexp(values, scales.astype(np.int32)[..., None] - 127)
    return values.reshape(*blocks.shape[:-2], -1)


def random_model(
    config: Mapping[str, Any] | None = None, *, seed: int = 0, experts: str = "MXFP4"
) -> TinyModel:
    """Weights that keep activations near 1 and leave no sink and no bias without effect.

    Parameters
    ----------
    config
        See :func:`tiny_config`.
    seed
        Of the weights.
    experts
        ``"MXFP4"``, ``"BF16"``, ``"F16"`` or ``"F32"``.
    """
    c = dict(config or tiny_config())
    random = np.random.default_rng(seed)
    hidden, inner, count = c["hidden_size"], c["intermediate_size"], c["num_local_experts"]
    query, key = (c[f"num_{kind}_heads"] * c["head_dim"] for kind in ("attention", "key_value"))
    tensors: dict[str, Stored] = {}

    def add(name: str, shape: tuple[int, ...], deviation: float, mean: float = 0.0) -> None:
        tensors[name] = Stored("BF16", to_bf16(mean + deviation * random.standard_normal(shape)))

    def add_linear(name: str, n: int, k: int, gain: float = 1.0) -> None:
        add(f"{name}.weight", (n, k), gain * k**-0.5)
        add(f"{name}.bias", (n,), 0.5)

    def add_experts(name: str, n: int, k: int) -> None:
        add(f"{name}_bias", (count, n), 0.5)
        if experts == "MXFP4":
            blocks = random.integers(0, 256, (count, n, k // 32, 16), np.uint8)
            scales = random.integers(121, 124, (count, n, k // 32), np.uint8)
            tensors[f"{name}_blocks"] = Stored("U8", blocks)
            tensors[f"{name}_scales"] = Stored("U8", scales)
            return
        weight = random.standard_normal((count, k, n)).astype(np.float32) * k**-0.5
        array = to_bf16(weight) if experts == "BF16" else weight.astype(ITEM[experts])
        tensors[name] = Stored(experts, array)

    add("model.embed_tokens.weight", (c["vocab_size"], hidden), 1.0)
    add("lm_head.weight", (c["vocab_size"], hidden), hidden**-0.5)
    add("model.norm.weight", (hidden,), 0.2, 1.0)
    for index in range(c["num_hidden_layers"]):
        layer = f"model.layers.{index}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            add(f"{layer}.{norm}.weight", (hidden,), 0.2, 1.0)
        add(f"{layer}.self_attn.sinks", (c["num_attention_heads"],), 1.0, 1.0)
        for letter, n in (("q", query), ("k", key), ("v", key)):
            add_linear(f"{layer}.self_attn.{letter}_proj", n, hidden)
        add_linear(f"{layer}.self_attn.o_proj", hidden, query)
        add_linear(f"{layer}.mlp.router", count, hidden, 4.0)
        add_experts(f"{layer}.mlp.experts.gate_up_proj", 2 * inner, hidden)
        add_experts(f"{layer}.mlp.experts.down_proj", hidden, inner)
    return TinyModel(c, tensors)


def read_huggingface(folder: Path) -> TinyModel:
    """A model from a folder of safetensors."""
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        for name, described in safetensors.deserialize(path.read_bytes()):
            array = np.frombuffer(bytes(described["data"]), ITEM[described["dtype"]])
            tensors[name] = Stored(described["dtype"], array.reshape(described["shape"]))
    return TinyModel(json.loads((folder / "config.json").read_text()), tensors)


def write_huggingface(
    model: TinyModel,
    folder: Path,
    *,
    shards: int = 1,
    older_names: bool = False,
    tokenizer: bool = True,
) -> Path:
    """A folder as Hugging Face has it.

    With ``older_names``, rope settings are in ``rope_scaling`` and ``rope_theta``, experts are
    counted by ``num_experts``, and layer types and stop ids follow from the defaults.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = dict(model.config)
    if older_names:
        rope = dict(config.pop("rope_parameters"))
        config |= {"rope_theta": rope.pop("rope_theta"), "rope_scaling": rope}
        config["num_experts"] = config.pop("num_local_experts")
        del config["layer_types"]
    if "model.layers.0.mlp.experts.down_proj_blocks" in model.tensors:
        config["quantization_config"] = {"quant_method": "mxfp4"}
    (folder / "config.json").write_text(json.dumps(config))
    if not older_names:
        stops = {"eos_token_id": [STOP_IDS[1], STOP_IDS[0]]}
        (folder / "generation_config.json").write_text(json.dumps(stops))
    if tokenizer:
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(config["vocab_size"])))
    if shards == 1:
        write_safetensors(folder / "model.safetensors", model.tensors, {"format": "pt"})
        return folder
    weight_map = {}
    for number in range(shards):
        name = f"model-{number + 1:05d}-of-{shards:05d}.safetensors"
        part = dict(list(model.tensors.items())[number::shards])
        write_safetensors(folder / name, part, {"format": "pt"})
        weight_map |= dict.fromkeys(part, name)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def write_original(model: TinyModel, folder: Path) -> Path:
    """A folder in OpenAI's layout: fused qkv, its own names, its own configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    c, rope = model.config, model.config["rope_parameters"]
    same = ("num_hidden_layers", "vocab_size", "hidden_size", "intermediate_size", "head_dim")
    same += ("num_attention_heads", "num_key_value_heads", "sliding_window", "swiglu_limit")
    config = {key: c[key] for key in same} | {
        "num_experts": c["num_local_experts"], "experts_per_token": c["num_experts_per_tok"],
        "initial_context_length": rope["original_max_position_embeddings"],
        "rope_theta": rope["rope_theta"], "rope_scaling_factor": rope["factor"],
        "rope_ntk_alpha": rope["beta_slow"], "rope_ntk_beta": rope["beta_fast"],
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    names = {
        "model.embed_tokens.weight": "embedding.weight",
        "lm_head.weight": "unembedding.weight",
        "model.norm.weight": "norm.scale",
    }
    tensors = {}
    for index in range(c["num_hidden_layers"]):
        ours, theirs = f"model.layers.{index}.", f"block.{index}."
        names |= {
            f"{ours}input_layernorm.weight": f"{theirs}attn.norm.scale",
            f"{ours}post_attention_layernorm.weight": f"{theirs}mlp.norm.scale",
            f"{ours}self_attn.sinks": f"{theirs}attn.sinks",
            f"{ours}mlp.experts.gate_up_proj_bias": f"{theirs}mlp.mlp1_bias",
            f"{ours}mlp.experts.down_proj_bias": f"{theirs}mlp.mlp2_bias",
        }
        for kind in ("weight", "bias"):
            names[f"{ours}self_attn.o_proj.{kind}"] = f"{theirs}attn.out.{kind}"
            names[f"{ours}mlp.router.{kind}"] = f"{theirs}mlp.gate.{kind}"
            parts = [model.tensors[f"{ours}self_attn.{x}_proj.{kind}"].array for x in "qkv"]
            tensors[f"{theirs}attn.qkv.{kind}"] = Stored("BF16", np.concatenate(parts))
        for long, short in (("gate_up_proj", "mlp1"), ("down_proj", "mlp2")):
            name = f"{ours}mlp.experts.{long}"
            if name in model.tensors:
                plain = model.tensors[name]
                array = np.ascontiguousarray(plain.array.swapaxes(-1, -2))
                tensors[f"{theirs}mlp.{short}_weight"] = Stored(plain.dtype, array)
            for part in ("blocks", "scales"):
                names[f"{name}_{part}"] = f"{theirs}mlp.{short}_weight.{part}"
    tensors |= {new: model.tensors[old] for old, new in names.items() if old in model.tensors}
    write_safetensors(folder / "model.safetensors", tensors, {})
    return folder


def write_safetensors(
    path: Path, tensors: Mapping[str, Stored], metadata: Mapping[str, str]
) -> None:
    """A file, by the package ``safetensors``."""
    kept = {name: np.array(stored.array, order="C") for name, stored in tensors.items()}
    specs = {
        name: safetensors.TensorSpec(
            dtype=RUST_NAMES[tensors[name].dtype], shape=list(array.shape),
            data_ptr=array.ctypes.data, data_len=array.nbytes,
        )
        for name, array in kept.items()
    }  # fmt: skip
    safetensors.serialize_file(specs, path, metadata=dict(metadata))


def tokenizer_json(vocab_size: int) -> dict[str, Any]:
    """Bytes, two merges, harmony's special tokens, and reserved ones up to ``vocab_size``."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    spelled = {byte: chr(byte) for byte in printable}
    spelled |= {byte: chr(256 + index) for index, byte in enumerate(others)}
    vocabulary = {spelled[byte]: byte for byte in range(256)}
    vocabulary |= {"".join(pair): 256 + index for index, pair in enumerate(MERGES)}
    names = [*SPECIALS]
    names += [f"<|reserved_{i}|>" for i in range(FIRST_SPECIAL + len(names), vocab_size)]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    added = [
        {"id": FIRST_SPECIAL + i, "content": name, "special": True, **flags}
        for i, name in enumerate(names)
    ]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": None, "pre_tokenizer": {**level, "use_regex": True},
        "post_processor": None, "decoder": {**level, "use_regex": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": False, "vocab": vocabulary, "merges": [list(pair) for pair in MERGES],
        },
    }  # fmt: skip
