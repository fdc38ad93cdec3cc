"""Write tests/llm/golden_qwen3_moe: ``python -m tests.llm.make_golden_qwen3_moe``.

As tests/llm/make_golden.py does for gpt-oss, whose random tokens and measures it uses: a tiny
random checkpoint as Hugging Face stores it, and ``expected.npz`` with what transformers computes in
float32. Needs torch and transformers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

from tests.llm import make_golden
from tests.llm.make_golden import ROWS, TOLERANCE, VOCAB, Case, draw_tokens, error

GOLDEN = Path(__file__).parent / "golden_qwen3_moe"
CASE = Case("bf16", False, 120, 5)
GAINS = {"mlp.gate.": 1.5, "q_norm": 1.3, "k_norm": 1.3}


def configuration(**changes: Any) -> Qwen3MoeConfig:
    """A Qwen3-MoE of some hundred thousand parameters."""
    settings = {
        "hidden_size": 64, "moe_intermediate_size": 32, "intermediate_size": 96, "head_dim": 32,
        "num_attention_heads": 4, "num_key_value_heads": 2, "num_experts": 8,
        "num_experts_per_tok": 3, "num_hidden_layers": 3, "norm_topk_prob": True,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}, "rms_norm_eps": 1e-6,
        "max_position_embeddings": 4096, "tie_word_embeddings": False,
    } | changes  # fmt: skip
    return Qwen3MoeConfig(
        vocab_size=VOCAB, eos_token_id=VOCAB - 1, pad_token_id=VOCAB - 2, bos_token_id=None,
        attn_implementation="eager", **settings,
    )  # fmt: skip


def random_model(config: Qwen3MoeConfig) -> Qwen3MoeForCausalLM:
    """Weights that keep activations near 1 and make choices clear."""
    torch.manual_seed(CASE.seed)
    model = Qwen3MoeForCausalLM(config).float().eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        gain = next((gain for part, gain in GAINS.items() if part in name), 1.0)
        if "norm" in name:
            parameter.copy_(gain * (1 + 0.2 * torch.randn_like(parameter)))
        else:
            inputs = 1.0 if "embed" in name else parameter.shape[-1]
            parameter.normal_(0, gain * inputs**-0.5)
        parameter.copy_(parameter.bfloat16())
    return model


@contextmanager
def router_gaps(model: Qwen3MoeForCausalLM) -> Iterator[list[Tensor]]:
    """Collect, per layer, by how much each token's experts were chosen."""
    gaps: list[Tensor] = []

    def collect(router: Any, inputs: tuple[Tensor, ...], _outputs: Any) -> None:
        logits = torch.nn.functional.linear(inputs[0].flatten(0, -2), router.weight)
        ordered, k = logits.sort(-1, descending=True).values, model.config.num_experts_per_tok
        gaps.append((ordered[:, k - 1] - ordered[:, k]) / logits.std())

    hooks = [layer.mlp.gate.register_forward_hook(collect) for layer in model.model.layers]
    yield gaps
    for hook in hooks:
        hook.remove()


def mutations(model: Qwen3MoeForCausalLM) -> Iterator[tuple[str, Qwen3MoeForCausalLM]]:
    """Models with one mistake each; the fixture must tell them from the right one."""
    for part in ("q_norm", "k_norm"):
        other = random_model(configuration())
        for name, parameter in other.named_parameters():
            if part in name:
                parameter.fill_(1)
        yield f"{part} without weights", other
    yield "shares that do not add up to one", random_model(configuration(norm_topk_prob=False))
    theta = {"rope_type": "default", "rope_theta": 150000.0}
    yield "another rope_theta", random_model(configuration(rope_parameters=theta))


def main() -> None:
    """Write the fixture; AssertionError if it could not tell right from wrong."""
    torch.set_num_threads(1)
    folder = GOLDEN / CASE.name
    folder.mkdir(parents=True, exist_ok=True)
    with torch.no_grad(), mock.patch.object(make_golden, "router_gaps", router_gaps):
        model = random_model(configuration())
        tokens = draw_tokens(model, CASE)
        expected = model(tokens).logits[0]
        model.bfloat16().save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        reread = Qwen3MoeForCausalLM.from_pretrained(
            folder, dtype=torch.bfloat16, attn_implementation="eager"
        )
        assert error(reread.float().eval()(tokens).logits[0], expected) < 1e-5
        rows = torch.linspace(0, CASE.tokens - 1, ROWS).round().long()
        for name, mutant in mutations(model):
            off = error(mutant(tokens).logits[0][rows], expected[rows])
            print(f"{name}: {off:.2f} deviations off")
            assert off > 3 * TOLERANCE, f"the fixture does not notice {name}"
    arrays = {"tokens": tokens[0], "rows": rows, "logits": expected[rows]}
    np.savez(folder / "expected.npz", **{name: value.numpy() for name, value in arrays.items()})


if __name__ == "__main__":
    main()
