"""Tiny gpt-oss models as GGUF files, by the package ``gguf``."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gguf
import numpy as np

from tests.support.tiny_checkpoints import (
    FIRST_SPECIAL,
    ITEM,
    MERGES,
    STOP_IDS,
    TinyModel,
    tokenizer_json,
)


def write_gguf(
    model: TinyModel,
    path: Path,
    *,
    dialect: str = "llama.cpp",
    dense: str = "BF16",
    types: Mapping[str, str] = MappingProxyType({}),
    fused: bool = False,
    tensors_per_part: int = 0,
    tokenizer: bool = True,
) -> Path:
    """A file by the package ``gguf``; the path of its first part where it is split.

    Parameters
    ----------
    dialect
        ``"llama.cpp"`` or ``"ollama"``.
    dense
        Type of the matrices outside of the experts. The package ``gguf`` does not write K-quants:
        their blocks are random, see :func:`random_blocks`.
    types
        Of single tensors, by their name in the file.
    fused
        Gate and linear part in one tensor: halves for llama.cpp, interleaved for ollama, which then
        also has qkv in one and its own spelling of MXFP4.
    tensors_per_part
        0: one file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    is_ollama = dialect == "ollama"
    writer = gguf.GGUFWriter(
        path, "gptoss" if is_ollama else "gpt-oss", split_max_tensors=tensors_per_part
    )
    _add_gguf_metadata(writer, model.config, is_ollama)
    if tokenizer:
        _add_gguf_tokenizer(writer, model.config["vocab_size"])
    for name, (kind, array) in _gguf_tensors(model, is_ollama, fused, dense).items():
        data, raw = _gguf_data(types.get(name, kind), array, is_ollama and fused)
        writer.add_tensor(name, data, raw_dtype=raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if is_ollama and fused:
        _renumber_mxfp4(path)
    first = sorted(path.parent.glob(f"{path.stem}-00001-of-*.gguf"))
    return first[0] if first else path


def _add_gguf_metadata(writer: gguf.GGUFWriter, c: Mapping[str, Any], is_ollama: bool) -> None:
    rope = c["rope_parameters"]
    writer.add_context_length(c["max_position_embeddings"])
    writer.add_block_count(c["num_hidden_layers"])
    writer.add_embedding_length(c["hidden_size"])
    writer.add_feed_forward_length(c["intermediate_size"])
    writer.add_expert_count(c["num_local_experts"])
    writer.add_expert_used_count(c["num_experts_per_tok"])
    writer.add_head_count(c["num_attention_heads"])
    writer.add_head_count_kv(c["num_key_value_heads"])
    writer.add_key_length(c["head_dim"])
    writer.add_value_length(c["head_dim"])
    writer.add_layer_norm_rms_eps(c["rms_norm_eps"])
    writer.add_sliding_window(c["sliding_window"])
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_rope_scaling_factor(rope["factor"])
    writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    if not is_ollama:
        writer.add_expert_feed_forward_length(c["intermediate_size"])
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_yarn_beta_fast(rope["beta_fast"])
        writer.add_rope_scaling_yarn_beta_slow(rope["beta_slow"])


def _add_gguf_tokenizer(writer: gguf.GGUFWriter, vocab_size: int) -> None:
    described = tokenizer_json(vocab_size)
    tokens = sorted(described["model"]["vocab"], key=described["model"]["vocab"].get)
    tokens += [token["content"] for token in described["added_tokens"]]
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-4o")
    writer.add_token_list(tokens)
    writer.add_token_types([normal if i < FIRST_SPECIAL else control for i in range(len(tokens))])
    writer.add_token_merges([" ".join(pair) for pair in MERGES])
    writer.add_eos_token_id(STOP_IDS[0])
    writer.add_pad_token_id(STOP_IDS[0])


def _gguf_tensors(
    model: TinyModel, is_ollama: bool, fused: bool, dense: str
) -> dict[str, tuple[str, Any]]:
    """Name to type and floats, or blocks and scales for MXFP4."""
    kinds = {
        "attn_output": "attn_out" if is_ollama else "attn_output",
        "sinks": "attn_sinks" if is_ollama else "attn_sinks.weight",
        "norm": "ffn_norm" if is_ollama else "post_attention_norm",
    }
    found: dict[str, tuple[str, Any]] = {
        "token_embd.weight": (dense, model.floats("model.embed_tokens.weight")),
        "output.weight": (dense, model.floats("lm_head.weight")),
        "output_norm.weight": ("F32", model.floats("model.norm.weight")),
    }
    for index in range(model.config["num_hidden_layers"]):
        ours, theirs = f"model.layers.{index}.", f"blk.{index}."
        attention, experts = f"{ours}self_attn.", f"{ours}mlp.experts."
        found |= {
            f"{theirs}attn_norm.weight": ("F32", model.floats(f"{ours}input_layernorm.weight")),
            f"{theirs}{kinds['norm']}.weight": (
                "F32",
                model.floats(f"{ours}post_attention_layernorm.weight"),
            ),
            f"{theirs}{kinds['sinks']}": ("F32", model.floats(f"{attention}sinks")),
            f"{theirs}ffn_down_exps.bias": ("F32", model.floats(f"{experts}down_proj_bias")),
        }
        for kind, type_name in (("weight", dense), ("bias", "F32")):
            parts = {x: model.floats(f"{attention}{x}_proj.{kind}") for x in "qkv"}
            if is_ollama and fused:
                found[f"{theirs}attn_qkv.{kind}"] = (type_name, np.concatenate([*parts.values()]))
            else:
                found |= {f"{theirs}attn_{x}.{kind}": (type_name, a) for x, a in parts.items()}
            output = model.floats(f"{attention}o_proj.{kind}")
            found[f"{theirs}{kinds['attn_output']}.{kind}"] = (type_name, output)
            router = model.floats(f"{ours}mlp.router.{kind}")
            found[f"{theirs}ffn_gate_inp.{kind}"] = ("F32", router)
        bias = model.floats(f"{experts}gate_up_proj_bias")
        found |= _gguf_gate_up("F32", (bias,), theirs, "bias", is_ollama, fused)
        kind, arrays = _gguf_experts(model, f"{experts}gate_up_proj")
        found |= _gguf_gate_up(kind, arrays, theirs, "weight", is_ollama, fused)
        kind, arrays = _gguf_experts(model, f"{experts}down_proj")
        found[f"{theirs}ffn_down_exps.weight"] = (kind, arrays)
    return found


def _gguf_experts(model: TinyModel, name: str) -> tuple[str, tuple[np.ndarray, ...]]:
    if f"{name}_blocks" in model.tensors:
        return "MXFP4", tuple(model.tensors[f"{name}_{x}"].array for x in ("blocks", "scales"))
    return model.tensors[name].dtype, (model.floats(name),)


def _gguf_gate_up(
    kind: str, arrays: tuple[np.ndarray, ...], at: str, suffix: str, is_ollama: bool, fused: bool
) -> dict[str, tuple[str, Any]]:
    halves = [tuple(array[:, first::2] for array in arrays) for first in (0, 1)]
    if not fused:
        names = (f"{at}ffn_gate_exps.{suffix}", f"{at}ffn_up_exps.{suffix}")
        return {name: (kind, half) for name, half in zip(names, halves, strict=True)}
    together = arrays
    if not is_ollama:
        together = tuple(np.concatenate(pair, axis=1) for pair in zip(*halves, strict=True))
    return {f"{at}ffn_gate_up_exps.{suffix}": (kind, together)}


def _gguf_data(kind: str, array: Any, pairs: bool) -> tuple[np.ndarray, Any]:
    """Bytes and type as the writer takes them; with ``pairs``, nibbles stay where they are."""
    number = gguf.GGMLQuantizationType[kind]
    if kind == "MXFP4":
        blocks, scales = array
        if not pairs:
            codes = np.stack([blocks & 15, blocks >> 4], -1).reshape(*blocks.shape[:-1], 32)
            blocks = codes[..., :16] | codes[..., 16:] << 4
        data = np.concatenate([scales[..., None], blocks], -1)
        return np.ascontiguousarray(data.reshape(*data.shape[:-2], -1)), number
    floats = np.ascontiguousarray(array[0] if isinstance(array, tuple) else array, np.float32)
    if gguf.GGML_QUANT_SIZES[number][0] == 256:
        return random_blocks(kind, floats), number
    if kind in ("F32", "F16"):
        return floats.astype(ITEM[kind]), None
    return gguf.quants.quantize(floats, number), number


def random_blocks(kind: str, floats: np.ndarray) -> np.ndarray:
    """Random blocks of a K-quant of the shape and the deviation of some weights, with zero mean."""
    number = gguf.GGMLQuantizationType[kind]
    block, block_bytes = gguf.GGML_QUANT_SIZES[number]
    random = np.random.default_rng(zlib.crc32(floats.tobytes()))
    shape = (*floats.shape[:-1], floats.shape[-1] // block, block_bytes)
    blocks = random.integers(0, 256, shape, np.uint8)
    scale_at, minimum_at = HALVES[kind]
    scales = [(scale_at, 1.0)]
    if minimum_at is not None:
        scales.append((minimum_at, {"Q2_K": 1.5, "Q4_K": 7.5, "Q5_K": 15.5}[kind]))
    for _ in range(2):  # with scales of 1 first, to learn the deviation
        for at, factor in scales:
            blocks[..., at : at + 2] = np.array([factor], np.float16).view(np.uint8)
        drawn = gguf.quants.dequantize(blocks.reshape(*shape[:-2], -1), number)
        scales = [(at, factor * floats.std() / drawn.std()) for at, factor in scales]
    return blocks.reshape(*shape[:-2], -1)


HALVES: dict[str, tuple[int, int | None]] = {
    "Q2_K": (80, 82), "Q3_K": (108, None), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208, None),
    "IQ4_XS": (0, None),
}  # fmt: skip
"""Where the scale and the minimum of a block of K-quants are."""


def _renumber_mxfp4(path: Path) -> None:
    """Give MXFP4 the number that early ollama gave it, 4 instead of 39."""
    reader = gguf.GGUFReader(path)
    data = bytearray(path.read_bytes())
    for tensor in reader.tensors:
        if tensor.tensor_type == gguf.GGMLQuantizationType.MXFP4:
            # name, dimensions, type and offset follow each other, the last two in 12 bytes
            at = tensor.field.offset + sum(part.nbytes for part in tensor.field.parts[:-2])
            assert data[at] == 39
            data[at] = 4
    path.write_bytes(data)
