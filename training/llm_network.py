"""The toy language model while it learns: the architecture of gpt-oss in PyTorch.

Parameters carry the names of the checkpoint, but for the experts' matrices, which are kept as
[experts, outputs, inputs], the order of MXFP4 blocks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.mxfp4 import round_to_mxfp4

SWIGLU_ALPHA, SWIGLU_LIMIT = 1.702, 7.0


@dataclass(frozen=True)
class ToyConfig:
    """Sizes, with the names of ``config.json``."""

    vocab_size: int = 4096
    hidden_size: int = 192
    intermediate_size: int = 128
    num_hidden_layers: int = 4
    num_attention_heads: int = 8
    num_key_value_heads: int = 2
    head_dim: int = 32
    num_local_experts: int = 16
    num_experts_per_tok: int = 4
    sliding_window: int = 128
    rope_theta: float = 150000.0
    rope_factor: float = 4.0
    original_max_position_embeddings: int = 256
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    rms_norm_eps: float = 1e-5

    @property
    def max_position_embeddings(self) -> int:
        """The context that YaRN stretches to."""
        return int(self.original_max_position_embeddings * self.rope_factor)

    def is_sliding(self, layer: int) -> bool:
        """Even layers see the window only."""
        return layer % 2 == 0


class RMSNorm(nn.Module):
    """Scale rows to a root mean square of 1, times a learned weight."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config.hidden_size))
        self.epsilon = config.rms_norm_eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, self.epsilon)


def rotary_table(config: ToyConfig, length: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines [length, head_dim/2] after YaRN, times its attention factor."""
    half = config.head_dim // 2
    base = config.rope_theta ** (-torch.arange(half, dtype=torch.float64) / half)

    def dimension(rotations: float) -> float:
        turns = config.original_max_position_embeddings / (rotations * 2 * math.pi)
        return half * math.log(turns) / math.log(config.rope_theta)

    low = max(dimension(config.beta_fast), 0)
    high = min(dimension(config.beta_slow), config.head_dim - 1)
    ramp = ((torch.arange(half) - low) / (high - low)).clamp(0, 1)
    frequencies = base * (1 - ramp) + base / config.rope_factor * ramp
    angles = torch.arange(length)[:, None] * frequencies.float()
    factor = 0.1 * math.log(config.rope_factor) + 1
    return angles.cos() * factor, angles.sin() * factor


def rotate(x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    """Turn the pairs (i, i + head_dim/2) of [..., length, head_dim] by their angles."""
    cos, sin = table
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


class Attention(nn.Module):
    """Grouped-query attention with a learned sink per head; sliding or full."""

    def __init__(self, config: ToyConfig, is_sliding: bool) -> None:
        super().__init__()
        self.config, self.window = config, config.sliding_window if is_sliding else None
        query = config.num_attention_heads * config.head_dim
        key_value = config.num_key_value_heads * config.head_dim
        self.q_proj = nn.Linear(config.hidden_size, query)
        self.k_proj = nn.Linear(config.hidden_size, key_value)
        self.v_proj = nn.Linear(config.hidden_size, key_value)
        self.o_proj = nn.Linear(query, config.hidden_size)
        self.sinks = nn.Parameter(torch.zeros(config.num_attention_heads))

    def forward(self, x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
        batch, length, _ = x.shape

        def heads(projected: Tensor) -> Tensor:
            return projected.view(batch, length, -1, self.config.head_dim).transpose(1, 2)

        q = rotate(heads(self.q_proj(x)), table) * self.config.head_dim**-0.5
        k, v = rotate(heads(self.k_proj(x)), table), heads(self.v_proj(x))
        groups = q.shape[1] // k.shape[1]
        q = q.reshape(batch, k.shape[1], groups * length, -1)
        scores = (q @ k.mT).view(batch, -1, length, length) + self._mask(length)
        sinks = self.sinks.view(1, -1, 1, 1).expand(batch, -1, length, 1)
        shares = torch.cat([scores, sinks], -1).softmax(-1)[..., :-1]
        o = shares.reshape(batch, k.shape[1], groups * length, length) @ v
        o = o.view(batch, -1, length, self.config.head_dim).transpose(1, 2)
        return self.o_proj(o.reshape(batch, length, -1))

    def _mask(self, length: int) -> Tensor:
        """0 where a query [length] may look at a key [length], -inf elsewhere."""
        distance = torch.arange(length)[:, None] - torch.arange(length)
        hidden = (distance < 0) | (distance >= (self.window or length))
        return torch.zeros(length, length).masked_fill_(hidden, -math.inf)


class Experts(nn.Module):
    """Clamped SwiGLU networks; every token goes through those that the router chose."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        count, hidden, inner = (
            config.num_local_experts, config.hidden_size, config.intermediate_size,
        )  # fmt: skip
        self.gate_up_proj = nn.Parameter(torch.empty(count, 2 * inner, hidden))
        self.gate_up_proj_bias = nn.Parameter(torch.zeros(count, 2 * inner))
        self.down_proj = nn.Parameter(torch.empty(count, hidden, inner))
        self.down_proj_bias = nn.Parameter(torch.zeros(count, hidden))
        self.is_quantized = False

    def forward(self, x: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
        gate_up, down = self.gate_up_proj, self.down_proj
        if self.is_quantized:  # gradients pass through as if nothing had been rounded
            gate_up = gate_up + (round_to_mxfp4(gate_up) - gate_up).detach()
            down = down + (round_to_mxfp4(down) - down).detach()
        slots = ids.flatten().argsort(stable=True)
        counts = ids.flatten().bincount(minlength=gate_up.shape[0]).tolist()
        tokens = slots // ids.shape[1]
        groups = x[tokens].split(counts)
        layers = zip(groups, gate_up.unbind(), self.gate_up_proj_bias.unbind(), strict=True)
        inner = torch.cat([F.linear(rows, weight, bias) for rows, weight, bias in layers])
        gate = inner[:, 0::2].clamp(max=SWIGLU_LIMIT)
        up = inner[:, 1::2].clamp(-SWIGLU_LIMIT, SWIGLU_LIMIT)
        groups = ((up + 1) * gate * torch.sigmoid(SWIGLU_ALPHA * gate)).split(counts)
        layers = zip(groups, down.unbind(), self.down_proj_bias.unbind(), strict=True)
        outer = torch.cat([F.linear(rows, weight, bias) for rows, weight, bias in layers])
        weighted = outer * weights.flatten()[slots, None]
        return torch.zeros_like(x).index_add(0, tokens, weighted)


class Mixture(nn.Module):
    """Router and experts; ``imbalance`` is 1 when all experts are used alike."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.chosen = config.num_experts_per_tok
        self.router = nn.Linear(config.hidden_size, config.num_local_experts)
        self.experts = Experts(config)
        self.imbalance = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(0, 1)
        logits = self.router(rows)
        best, ids = logits.topk(self.chosen, -1)
        used = F.one_hot(ids, logits.shape[1]).sum(1).float().mean(0) / self.chosen
        self.imbalance = logits.shape[1] * (used * logits.softmax(-1).mean(0)).sum()
        return self.experts(rows, ids, best.softmax(-1)).view_as(x)


class Layer(nn.Module):
    """One transformer block."""

    def __init__(self, config: ToyConfig, is_sliding: bool) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config)
        self.self_attn = Attention(config, is_sliding)
        self.post_attention_layernorm = RMSNorm(config)
        self.mlp = Mixture(config)

    def forward(self, x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), table)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    """Embedding, layers and the last norm."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            Layer(config, config.is_sliding(index)) for index in range(config.num_hidden_layers)
        )
        self.norm = RMSNorm(config)


class ToyModel(nn.Module):
    """Logits [batch, length, vocab_size] of tokens [batch, length]."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Body(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        residual = (2 * config.num_hidden_layers) ** -0.5
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1 and not name.endswith("_bias"):
                gains = {"embed": 7.0, "lm_head": 0.3, "o_proj": residual, "down_proj": residual}
                gain = next((gain for part, gain in gains.items() if part in name), 1.0)
                nn.init.normal_(parameter, 0, gain * parameter.shape[-1] ** -0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.model.embed_tokens(tokens)
        table = rotary_table(self.config, tokens.shape[1])
        for layer in self.model.layers:
            x = layer(x, table)
        return self.lm_head(self.model.norm(x))

    def quantize_experts(self, is_quantized: bool) -> None:
        """Compute with the experts rounded to MXFP4, or as they are."""
        for layer in self.model.layers:
            layer.mlp.experts.is_quantized = is_quantized

    def imbalance(self) -> Tensor:
        """Mean over the layers, of the last pass."""
        return torch.stack([layer.mlp.imbalance for layer in self.model.layers]).mean()
