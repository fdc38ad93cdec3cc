"""Write tests/llm/golden: ``python tests/llm/make_golden.py`` (needs torch, transformers).

Each fixture is a folder: a tiny random gpt-oss checkpoint as Hugging Face stores it, and
``expected.npz`` with ``tokens`` int64 [n], ``rows`` int64 [r] and ``logits`` float32
[r, vocab_size], computed by transformers in float32 on the stored (bfloat16 or MXFP4) weights.

The tokens are drawn so that no router decision is a matter of rounding, and the script refuses
fixtures that a wrong model (no sinks, no biases, ...) would pass.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import GptOssConfig, GptOssForCausalLM, Mxfp4Config
from transformers.models.gpt_oss.modeling_gpt_oss import GptOssExperts, GptOssTopKRouter

GOLDEN = Path(__file__).parent / "golden"
VOCAB = 256
ROWS = 48
SMALLEST_GAP = 0.05
"""Between the last chosen and the first rejected expert, in deviations of the router's logits."""
TOLERANCE = 0.1
"""Largest error that tests allow, in deviations of the logits."""
FP4 = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
GAINS = {"router": 1.5, "q_proj": 1.4, "k_proj": 1.4}
"""What makes choices clear: of experts, and of keys to attend to."""
EXPERT_MATRICES = ("gate_up_proj", "down_proj")


@dataclass(frozen=True)
class Case:
    """A fixture: what differs from the common configuration."""

    name: str
    has_mxfp4: bool
    tokens: int
    seed: int
    settings: dict[str, Any] = field(default_factory=dict)


CASES = (
    Case("mxfp4_window_16", True, 80, 1, {"num_hidden_layers": 4, "sliding_window": 16}),
    Case(
        "bf16_window_128", False, 300, 2,
        {"num_hidden_layers": 2, "num_local_experts": 4, "num_experts_per_tok": 2},
    ),
    Case(
        "mxfp4_yarn", True, 400, 3,
        {
            "num_hidden_layers": 2, "head_dim": 32, "num_attention_heads": 4,
            "num_key_value_heads": 1, "sliding_window": 64, "original_context": 96,
            "rope_theta": 10000.0, "beta_fast": 4.0,
        },
    ),
)  # fmt: skip


def configuration(case: Case) -> GptOssConfig:
    """A gpt-oss of a few hundred thousand parameters."""
    settings = {
        "hidden_size": 64, "intermediate_size": 32, "head_dim": 16, "num_attention_heads": 8,
        "num_key_value_heads": 2, "num_local_experts": 8, "num_experts_per_tok": 4,
        "sliding_window": 128, "original_context": 4096, "rope_theta": 150000.0, "beta_fast": 32.0,
    } | case.settings  # fmt: skip
    rope = {
        "rope_type": "yarn", "factor": 32.0, "beta_slow": 1.0, "truncate": False,
        "beta_fast": settings.pop("beta_fast"), "rope_theta": settings.pop("rope_theta"),
        "original_max_position_embeddings": settings.pop("original_context"),
    }  # fmt: skip
    positions = int(32 * rope["original_max_position_embeddings"])
    return GptOssConfig(
        vocab_size=VOCAB, rope_parameters=rope, max_position_embeddings=positions,
        eos_token_id=VOCAB - 1, pad_token_id=VOCAB - 2, attn_implementation="eager", **settings,
    )  # fmt: skip


def quantize(weight: Tensor) -> tuple[Tensor, Tensor]:
    """MXFP4 along the last axis: blocks uint8 [..., k/32, 16] and scales uint8 [..., k/32]."""
    groups = weight.unflatten(-1, (-1, 32))
    exponent = torch.ceil(torch.log2(groups.abs().amax(-1, keepdim=True) / 6))
    scaled = groups / torch.exp2(exponent)
    codes = (scaled.abs()[..., None] - FP4).abs().argmin(-1) + 8 * (scaled < 0)
    blocks = codes[..., 0::2] | codes[..., 1::2] << 4
    return blocks.to(torch.uint8), (exponent[..., 0] + 127).to(torch.uint8)


def dequantize(blocks: Tensor, scales: Tensor) -> Tensor:
    """Undo :func:`quantize`."""
    codes = torch.stack([blocks & 15, blocks >> 4], -1).flatten(-2).long()
    values = torch.cat([FP4, -FP4])[codes]
    return (values * torch.exp2(scales.float() - 127)[..., None]).flatten(-2)


def random_model(case: Case) -> GptOssForCausalLM:
    """Weights that keep activations near 1 and leave nothing (sink, bias) without effect."""
    torch.manual_seed(case.seed)
    model = GptOssForCausalLM(configuration(case)).float().eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.copy_(1 + 0.2 * torch.randn_like(parameter))
        elif name.endswith("sinks"):
            parameter.copy_(1 + torch.randn_like(parameter))
        elif "bias" in name:
            parameter.normal_(0, 0.5)
        else:
            inputs = 1.0 if "embed" in name else parameter.shape[1]
            gain = next((gain for part, gain in GAINS.items() if part in name), 1.0)
            parameter.normal_(0, gain * inputs**-0.5)
        parameter.copy_(parameter.bfloat16())
    if case.has_mxfp4:
        for module in (m for m in model.modules() if isinstance(m, GptOssExperts)):
            for matrix in (getattr(module, name) for name in EXPERT_MATRICES):
                matrix.copy_(dequantize(*quantize(matrix.mT)).mT)
    return model


@contextmanager
def router_gaps(model: GptOssForCausalLM) -> Iterator[list[Tensor]]:
    """Collect, per layer, by how much each token's experts were chosen."""
    gaps: list[Tensor] = []

    def collect(router: Any, _inputs: Any, outputs: tuple[Tensor, ...]) -> None:
        ordered = outputs[0].sort(-1, descending=True).values
        gaps.append((ordered[:, router.top_k - 1] - ordered[:, router.top_k]) / outputs[0].std())

    hooks = [
        layer.mlp.router.register_forward_hook(collect) for layer in model.model.layers
    ]  # fmt: skip
    yield gaps
    for hook in hooks:
        hook.remove()


def draw_tokens(model: GptOssForCausalLM, case: Case) -> Tensor:
    """Random tokens [1, n] of which none is near the border between two experts."""
    generator = torch.Generator().manual_seed(case.seed)
    tokens = torch.empty(1, 0, dtype=torch.long)
    while tokens.shape[1] < case.tokens:
        candidates = torch.randint(VOCAB - 2, (16, 1), generator=generator)
        tried = torch.cat([tokens.expand(16, -1), candidates], 1)
        with router_gaps(model) as gaps:
            model(tried)
        newest = torch.stack([gap.view(16, -1)[:, -1] for gap in gaps]).amin(0)
        if newest.max() > SMALLEST_GAP:
            tokens = tried[newest.argmax()][None]
    return tokens


def mutations(model: GptOssForCausalLM, case: Case) -> dict[str, Callable[[], GptOssForCausalLM]]:
    """Models with one mistake each; every fixture must tell them from the right one."""

    def changed(part: str, value: float) -> GptOssForCausalLM:
        other = random_model(case)
        for name, parameter in other.named_parameters():
            if part in name:
                parameter.fill_(value)
        return other

    def reconfigured(**settings: Any) -> GptOssForCausalLM:
        config = configuration(case)
        config.rope_parameters |= {k: v for k, v in settings.items() if k == "truncate"}
        config.update({k: v for k, v in settings.items() if k != "truncate"})
        other = GptOssForCausalLM(config).float().eval().requires_grad_(False)
        other.load_state_dict(model.state_dict())
        return other

    def without_one() -> GptOssForCausalLM:
        other = random_model(case)
        for experts in (m for m in other.modules() if isinstance(m, GptOssExperts)):

            def gate(gate_up: Tensor, experts: GptOssExperts = experts) -> Tensor:
                right = GptOssExperts._apply_gate(experts, gate_up)
                up = gate_up[..., 1::2].clamp(-experts.limit, experts.limit)
                return right / (up + 1) * up

            experts._apply_gate = gate
        return other

    found = {
        "no sinks": lambda: changed("sinks", -1e9),
        "no attention bias": lambda: changed("_proj.bias", 0),
        "no router bias": lambda: changed("router.bias", 0),
        "no expert bias": lambda: changed("_proj_bias", 0),
        "no +1": without_one,
        "window one too small": lambda: reconfigured(
            sliding_window=model.config.sliding_window - 1
        ),
    }
    if "yarn" in case.name:
        found["rounded YaRN bounds"] = lambda: reconfigured(truncate=True)
    return found


def with_bf16_inputs(model: GptOssForCausalLM) -> GptOssForCausalLM:
    """Round what enters matrix products, as the precision ``exact`` does."""

    def rounded(_module: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (inputs[0].bfloat16().float(), *inputs[1:])

    for module in model.modules():
        if isinstance(module, torch.nn.Linear | GptOssExperts | GptOssTopKRouter):
            module.register_forward_pre_hook(rounded)
    return model


def error(logits: Tensor, expected: Tensor) -> float:
    """Largest error in deviations of the expected logits."""
    return float((logits - expected).abs().max() / expected.std())


def write_checkpoint(model: GptOssForCausalLM, case: Case, folder: Path) -> None:
    """Store as Hugging Face does: bfloat16, experts as blocks and scales if MXFP4."""
    model.config.dtype = torch.bfloat16
    config = json.loads(model.config.to_json_string(use_diff=False))
    config["architectures"] = ["GptOssForCausalLM"]
    tensors = {name: value.bfloat16() for name, value in model.state_dict().items()}
    if case.has_mxfp4:
        kept = ["self_attn", "mlp.router"]
        config["quantization_config"] = {
            "quant_method": "mxfp4",
            "modules_to_not_convert": [f"model.layers.*.{part}" for part in kept]
            + ["model.embed_tokens", "lm_head"],
        }
        for name in [n for n in tensors if n.endswith(EXPERT_MATRICES)]:
            matrix = tensors.pop(name).float().mT
            tensors[f"{name}_blocks"], tensors[f"{name}_scales"] = quantize(matrix)
            assert torch.equal(dequantize(*quantize(matrix)), matrix)
    tensors = {name: value.contiguous() for name, value in tensors.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    for unstored in ("_name_or_path", "_attn_implementation"):
        config.pop(unstored, None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def loaded(folder: Path, case: Case) -> GptOssForCausalLM:
    """The checkpoint as transformers itself reads it."""
    how = {"quantization_config": Mxfp4Config(dequantize=True)} if case.has_mxfp4 else {}
    model = GptOssForCausalLM.from_pretrained(
        folder, dtype=torch.bfloat16, attn_implementation="eager", **how
    )
    return model.float().eval()


def make(case: Case, folder: Path) -> None:
    """Write one fixture; AssertionError if it could not tell right from wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    model = random_model(case)
    tokens = draw_tokens(model, case)
    expected = model(tokens).logits[0]
    write_checkpoint(model, case, folder)
    reread = loaded(folder, case)(tokens).logits[0]
    print(f"{case.name}: read again, {error(reread, expected):.1e} deviations off")
    assert error(reread, expected) < 1e-5
    bf16 = loaded(folder, case).bfloat16()(tokens).logits[0].float()
    print(f"{case.name}: transformers in bfloat16, {error(bf16, expected):.3f} deviations off")
    rounded = with_bf16_inputs(loaded(folder, case))(tokens).logits[0]
    print(f"{case.name}: products of bfloat16, {error(rounded, expected):.3f} deviations off")
    assert error(rounded, expected) < TOLERANCE / 2
    rows = torch.linspace(0, case.tokens - 1, ROWS).round().long()
    for name, mutant in mutations(model, case).items():
        off = error(mutant()(tokens).logits[0][rows], expected[rows])
        print(f"{case.name}: {name}, {off:.2f} deviations off")
        assert off > 3 * TOLERANCE, f"{case.name} does not notice {name}"
    arrays = {"tokens": tokens[0], "rows": rows, "logits": expected[rows]}
    np.savez(folder / "expected.npz", **{name: value.numpy() for name, value in arrays.items()})


def main() -> None:
    """Write all fixtures."""
    torch.set_num_threads(1)
    with torch.no_grad():
        for case in CASES:
            make(case, GOLDEN / case.name)


if __name__ == "__main__":
    main()
