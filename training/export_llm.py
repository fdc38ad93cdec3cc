"""Write the trained toy: ``python -m training.export_llm --out DIR FOLDER``.

FOLDER becomes a checkpoint in the layout of Hugging Face, as gpt-oss itself is published: experts
as MXFP4 blocks and scales, everything else in bfloat16, with tokenizer and generation settings.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from training.llm_network import SWIGLU_ALPHA, SWIGLU_LIMIT, ToyConfig, ToyModel
from training.mxfp4 import decode_mxfp4, encode_mxfp4
from training.train_llm import CHECKPOINT, SHARES, held_out_loss

STOPS = ("<|return|>", "<|endoftext|>", "<|call|>")


def config_json(config: ToyConfig, tokenizer: Tokenizer) -> dict[str, Any]:
    """What ``config.json`` says, with the keys of the published models."""
    copied = (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "num_key_value_heads", "head_dim", "num_local_experts",
        "num_experts_per_tok", "sliding_window", "rope_theta", "rms_norm_eps",
        "max_position_embeddings",
    )  # fmt: skip
    layers = range(config.num_hidden_layers)
    return {
        "architectures": ["GptOssForCausalLM"],
        "model_type": "gpt_oss",
        **{name: getattr(config, name) for name in copied},
        "initial_context_length": config.original_max_position_embeddings,
        "layer_types": [
            f"{'sliding' if config.is_sliding(index) else 'full'}_attention" for index in layers
        ],
        "rope_scaling": {
            "rope_type": "yarn",
            "factor": config.rope_factor,
            "beta_fast": config.beta_fast,
            "beta_slow": config.beta_slow,
            "truncate": False,
            "original_max_position_embeddings": config.original_max_position_embeddings,
        },
        "swiglu_alpha": SWIGLU_ALPHA,
        "swiglu_limit": SWIGLU_LIMIT,
        "hidden_act": "silu",
        "attention_bias": True,
        "attention_dropout": 0.0,
        "tie_word_embeddings": False,
        "pad_token_id": tokenizer.token_to_id("<|endoftext|>"),
        "eos_token_id": tokenizer.token_to_id("<|return|>"),
        "torch_dtype": "bfloat16",
        "quantization_config": {
            "quant_method": "mxfp4",
            "modules_to_not_convert": [
                "model.layers.*.self_attn",
                "model.layers.*.mlp.router",
                "model.embed_tokens",
                "lm_head",
            ],
        },
    }


def generation_json(tokenizer: Tokenizer) -> dict[str, Any]:
    """What ``generation_config.json`` says: how to sample, and where to stop."""
    return {
        "bos_token_id": tokenizer.token_to_id("<|startoftext|>"),
        "eos_token_id": [tokenizer.token_to_id(name) for name in STOPS],
        "pad_token_id": tokenizer.token_to_id("<|endoftext|>"),
        "do_sample": True,
    }


def stored_tensors(model: ToyModel) -> dict[str, Tensor]:
    """Tensors as a checkpoint stores them: bfloat16, the experts' matrices as MXFP4."""
    tensors = {}
    for name, value in model.state_dict().items():
        if name.endswith(("gate_up_proj", "down_proj")):
            tensors[f"{name}_blocks"], tensors[f"{name}_scales"] = encode_mxfp4(value)
        else:
            tensors[name] = value.bfloat16()
    return {name: value.contiguous() for name, value in tensors.items()}


def load_stored(folder: Path) -> ToyModel:
    """The model of a checkpoint folder, in float32."""
    tensors = load_file(folder / "model.safetensors")
    state = {name: value.float() for name, value in tensors.items() if value.dtype != torch.uint8}
    for name in (name for name in tensors if name.endswith("_blocks")):
        matrix = name.removesuffix("_blocks")
        state[matrix] = decode_mxfp4(tensors[name], tensors[f"{matrix}_scales"])
    model = ToyModel(ToyConfig())
    model.load_state_dict(state)
    return model.requires_grad_(False)


def load_trained(checkpoint: Path) -> ToyModel:
    """The model that the training left, in float32."""
    model = ToyModel(ToyConfig())
    model.load_state_dict(torch.load(checkpoint / CHECKPOINT, weights_only=True)["model"])
    return model.requires_grad_(False)


def export(checkpoint: Path, folder: Path) -> None:
    """Write the checkpoint folder from what the training left."""
    model = load_trained(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(checkpoint / "tokenizer.json", folder / "tokenizer.json")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    save_file(stored_tensors(model), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    for name, content in (
        ("config.json", config_json(model.config, tokenizer)),
        ("generation_config.json", generation_json(tokenizer)),
    ):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="Folder of the training, with its checkpoint.")  # fmt: skip
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def main(out: Path, folder: Path) -> None:
    """Write the model trained in --out to FOLDER, and say what storing it cost."""
    export(out, folder)
    size = sum(file.stat().st_size for file in folder.iterdir())
    click.echo(f"{folder}: {size / 1e6:.2f} MB")
    with np.load(out / "corpus.npz") as corpus:
        for label, model in (("trained", load_trained(out)), ("stored", load_stored(folder))):
            for kind in SHARES:
                loss = held_out_loss(model, corpus[f"{kind}_held_out"])
                click.echo(f"held-out {kind}, {label}: {loss:.3f} nats per token")


if __name__ == "__main__":
    main()
