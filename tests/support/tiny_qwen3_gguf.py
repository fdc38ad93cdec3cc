"""A Qwen3-MoE checkpoint of Hugging Face as a GGUF file of llama.cpp, by the package ``gguf``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gguf
import numpy as np

from tests.support.tiny_checkpoints import read_huggingface
from tests.support.tiny_gguf import random_blocks

_PLAIN = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "mlp.gate": "ffn_gate_inp",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
}  # fmt: skip


def write_qwen3_gguf(
    folder: Path,
    path: Path,
    *,
    dense: str = "BF16",
    changes: Mapping[str, Any] = MappingProxyType({}),
    tokens: Sequence[str] = (),
) -> Path:
    """Write the checkpoint in ``folder`` to ``path``.

    ``dense`` is the type of matrices, see :func:`tests.support.tiny_gguf.write_gguf`; ``changes``
    are metadata that are written in place of the checkpoint's own; ``tokens`` is the vocabulary,
    whose last token ends answers.
    """
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(path, "qwen3moe")
    for key, value in {**_metadata(config), **changes}.items():
        add = writer.add_string if isinstance(value, str) else writer.add_float32
        add = writer.add_uint32 if isinstance(value, int) else add
        add(f"qwen3moe.{key}", value)
    if tokens:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("qwen2")
        writer.add_token_list(list(tokens))
        writer.add_eos_token_id(len(tokens) - 1)
    else:
        writer.add_tokenizer_model("no_vocab")
        writer.add_vocab_size(config["vocab_size"])
    for name, floats in _tensors(folder, config).items():
        kind = dense if floats.ndim > 1 and "ffn_gate_inp" not in name else "F32"
        number = gguf.GGMLQuantizationType[kind]
        if gguf.GGML_QUANT_SIZES[number][0] == 256:
            writer.add_tensor(name, random_blocks(kind, floats), raw_dtype=number)
        elif kind == "F32":
            writer.add_tensor(name, floats)
        else:
            writer.add_tensor(name, gguf.quants.quantize(floats, number), raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _metadata(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "block_count": config["num_hidden_layers"],
        "context_length": config["max_position_embeddings"],
        "embedding_length": config["hidden_size"],
        "feed_forward_length": config["intermediate_size"],
        "expert_feed_forward_length": config["moe_intermediate_size"],
        "attention.head_count": config["num_attention_heads"],
        "attention.head_count_kv": config["num_key_value_heads"],
        "attention.key_length": config["head_dim"],
        "attention.value_length": config["head_dim"],
        "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        "rope.freq_base": float(config["rope_parameters"]["rope_theta"]),
        "expert_count": config["num_local_experts"],
        "expert_used_count": config["num_experts_per_tok"],
    }


def _tensors(folder: Path, config: Mapping[str, Any]) -> dict[str, np.ndarray]:
    model = read_huggingface(folder)

    def read(name: str) -> np.ndarray:
        return np.ascontiguousarray(model.tensors[f"{name}.weight"].floats)

    found = {
        "token_embd": read("model.embed_tokens"),
        "output": read("lm_head"),
        "output_norm": read("model.norm"),
    }
    for index in range(config["num_hidden_layers"]):
        theirs, ours = f"model.layers.{index}.", f"blk.{index}."
        found |= {ours + other: read(theirs + name) for name, other in _PLAIN.items()}
        for part in ("gate", "up", "down"):
            experts = range(config["num_local_experts"])
            stack = [read(f"{theirs}mlp.experts.{e}.{part}_proj") for e in experts]
            found[f"{ours}ffn_{part}_exps"] = np.stack(stack)
    return {f"{name}.weight": floats for name, floats in found.items()}
