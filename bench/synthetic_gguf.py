"""A gpt-oss model of random weights as a GGUF file: real shapes, types as published.

``python -m bench.synthetic_gguf gpt-oss-20b.gguf`` writes 12 GB, ``--layers 4`` fewer. Experts are
MXFP4, other matrices Q8_0, the router and all vectors F32. Tensors are drawn and written one after
the other. Products of normalised activations have a deviation near one, as in
:mod:`pyhades.llm.measure.synthetic`, so activations stay finite and tokens spread over the experts.
``--vocabulary FOLDER``, with ``o200k_base.tiktoken`` in it, makes a model that takes text.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from bench.o200k import SPECIALS, vocabulary
from pyhades.llm.models.gpt_oss.config import GptOssConfig
from pyhades.llm.models.gpt_oss.sizes import gpt_oss_config

MXFP4, Q8_0, F32 = (gguf.GGMLQuantizationType[name] for name in ("MXFP4", "Q8_0", "F32"))
ROOT_MEAN_SQUARE = {MXFP4: 2.93, Q8_0: 73.9}
"""Of what random bytes stand for, before scales."""


@dataclass(frozen=True)
class Tensor:
    """What to draw: a type, ``[..., rows, columns]``, and normally distributed values for F32."""

    name: str
    shape: tuple[int, ...]
    kind: gguf.GGMLQuantizationType = F32
    mean: float = 0.0
    deviation: float = 1.0

    @property
    def byte_shape(self) -> tuple[int, ...]:
        """The same in bytes: the last axis counts those of its blocks."""
        block, size = gguf.GGML_QUANT_SIZES[self.kind]
        return (*self.shape[:-1], self.shape[-1] // block * size)


def tensors(c: GptOssConfig) -> Iterator[Tensor]:
    """Every tensor under the names of llama.cpp."""
    hidden, inner, experts = c.hidden_size, c.intermediate_size, c.num_local_experts
    yield Tensor("token_embd.weight", (c.vocab_size, hidden), Q8_0)
    yield Tensor("output.weight", (c.vocab_size, hidden), Q8_0)
    yield Tensor("output_norm.weight", (hidden,), mean=1.0, deviation=0.05)
    for index in range(c.num_hidden_layers):
        at = f"blk.{index}."
        for name in ("attn_norm", "post_attention_norm"):
            yield Tensor(f"{at}{name}.weight", (hidden,), mean=1.0, deviation=0.05)
        yield Tensor(f"{at}attn_sinks.weight", (c.num_attention_heads,))
        for name, rows, columns in (
            ("attn_q", c.query_size, hidden),
            ("attn_k", c.key_value_size, hidden),
            ("attn_v", c.key_value_size, hidden),
            ("attn_output", hidden, c.query_size),
        ):
            yield Tensor(f"{at}{name}.weight", (rows, columns), Q8_0)
            yield Tensor(f"{at}{name}.bias", (rows,), deviation=0.1)
        spread = 2.0 / np.sqrt(hidden)
        yield Tensor(f"{at}ffn_gate_inp.weight", (experts, hidden), deviation=float(spread))
        yield Tensor(f"{at}ffn_gate_inp.bias", (experts,), deviation=0.1)
        for name, rows, columns in (
            ("ffn_gate_exps", inner, hidden),
            ("ffn_up_exps", inner, hidden),
            ("ffn_down_exps", hidden, inner),
        ):
            yield Tensor(f"{at}{name}.weight", (experts, rows, columns), MXFP4)
            yield Tensor(f"{at}{name}.bias", (experts, rows), deviation=0.1)


def draw(tensor: Tensor, random: np.random.Generator) -> NDArray[np.uint8]:
    """The bytes of a tensor, in its shape."""
    if tensor.kind == F32:
        values = random.standard_normal(tensor.shape, np.float32)
        return values * np.float32(tensor.deviation) + np.float32(tensor.mean)
    words = -(-int(np.prod(tensor.byte_shape)) // 8)
    drawn = random.integers(0, 1 << 64, words, np.uint64, endpoint=False).view(np.uint8)
    data = drawn[: int(np.prod(tensor.byte_shape))]
    _, size = gguf.GGML_QUANT_SIZES[tensor.kind]
    blocks = data.reshape(-1, size)
    # Rows of the embedding have a deviation of one; elsewhere it is products that have it.
    inputs = 1 if tensor.name == "token_embd.weight" else tensor.shape[-1]
    scale = 1 / (ROOT_MEAN_SQUARE[tensor.kind] * np.sqrt(inputs))
    if tensor.kind == MXFP4:
        blocks[:, 0] = 127 + round(np.log2(scale))
    else:
        blocks[:, :2] = np.array([scale], np.float16).view(np.uint8)
        np.maximum(blocks[:, 2:].view(np.int8), -127, out=blocks[:, 2:].view(np.int8))
    return data.reshape(tensor.byte_shape)


def write(
    path: Path,
    config: GptOssConfig,
    seed: int = 0,
    *,
    words: Path | None = None,
    progress: bool = False,
) -> None:
    """Write the file; the same seed gives the same bytes."""
    writer = gguf.GGUFWriter(path, "gpt-oss")
    add_metadata(writer, config)
    if words is None:
        writer.add_tokenizer_model("no_vocab")
    else:
        add_vocabulary(writer, words)
    wanted = list(tensors(config))
    for tensor in wanted:
        is_float = tensor.kind == F32
        writer.add_tensor_info(
            tensor.name,
            tensor.shape if is_float else tensor.byte_shape,
            np.dtype(np.float32 if is_float else np.uint8),
            int(np.prod(tensor.byte_shape)),
            None if is_float else tensor.kind,
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    random = np.random.Generator(np.random.SFC64(seed))
    for tensor in tqdm(wanted, path.name, disable=None if progress else True):
        writer.write_tensor_data(draw(tensor, random))
    writer.close()


def add_metadata(writer: gguf.GGUFWriter, c: GptOssConfig) -> None:
    """The configuration, with the size of the vocabulary."""
    writer.add_vocab_size(c.vocab_size)
    writer.add_context_length(c.max_position_embeddings)
    writer.add_block_count(c.num_hidden_layers)
    writer.add_embedding_length(c.hidden_size)
    writer.add_feed_forward_length(c.intermediate_size)
    writer.add_expert_feed_forward_length(c.intermediate_size)
    writer.add_expert_count(c.num_local_experts)
    writer.add_expert_used_count(c.num_experts_per_tok)
    writer.add_head_count(c.num_attention_heads)
    writer.add_head_count_kv(c.num_key_value_heads)
    writer.add_key_length(c.head_dim)
    writer.add_value_length(c.head_dim)
    writer.add_layer_norm_rms_eps(c.rms_norm_eps)
    writer.add_sliding_window(c.sliding_window)
    writer.add_rope_freq_base(c.rope_theta)
    if c.rope_scaling is not None:
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(c.rope_scaling.factor)
        writer.add_rope_scaling_orig_ctx_len(c.rope_scaling.original_max_position_embeddings)
        writer.add_rope_scaling_yarn_beta_fast(c.rope_scaling.beta_fast)
        writer.add_rope_scaling_yarn_beta_slow(c.rope_scaling.beta_slow)


def add_vocabulary(writer: gguf.GGUFWriter, folder: Path) -> None:
    """The tokens of gpt-oss, of which there have to be as many as the model has."""
    known = vocabulary(folder)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(known["pre"])
    writer.add_token_list(known["tokens"])
    writer.add_token_types(known["token_type"])
    writer.add_token_merges(known["merges"])
    writer.add_bos_token_id(SPECIALS["<|startoftext|>"])
    writer.add_eos_token_id(SPECIALS["<|return|>"])
    writer.add_pad_token_id(SPECIALS["<|endoftext|>"])


def with_layers(config: GptOssConfig, layers: int) -> GptOssConfig:
    """The first layers only."""
    return replace(config, num_hidden_layers=layers, layer_types=config.layer_types[:layers])


def main() -> None:
    """Write one file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--size", default="gpt-oss-20b", help="or gpt-oss-120b")
    parser.add_argument("--layers", type=int, help="fewer than the model has")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--vocabulary", type=Path, metavar="FOLDER", help="with o200k_base.tiktoken in it"
    )
    options = parser.parse_args()
    config = gpt_oss_config(options.size)
    if options.layers is not None:
        config = with_layers(config, options.layers)
    write(options.path, config, options.seed, words=options.vocabulary, progress=True)


if __name__ == "__main__":
    main()
