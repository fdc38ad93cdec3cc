"""gpt-oss: a mixture-of-experts transformer with attention sinks and alternating windows.

Source: OpenAI, "gpt-oss-120b & gpt-oss-20b Model Card", 2025, and the reference implementation that
comes with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pyhades.compiler.view import View
from pyhades.llm.models.gpt_oss.config import GptOssConfig, RopeScaling
from pyhades.llm.models.layers import Batch, Cache, Layers
from pyhades.llm.models.step import Limits, StepBuilder
from pyhades.llm.models.weights import LayerWeights, ModelWeights, Vector


def gpt_oss(
    config: GptOssConfig,
    weights: ModelWeights,
    limits: Limits,
    caches: Mapping[str, tuple[tuple[int, int], int]],
    kv_format: str = "bf16",
) -> StepBuilder:
    """Write down a step of the model.

    Parameters
    ----------
    config, weights
        The model.
    limits
        The largest step.
    caches
        Per kind of layer: the shape of its pool ``(layers, bytes)`` and the blocks per sequence.
    kv_format
        ``"bf16"`` or ``"int8"``.

    Returns
    -------
    StepBuilder
        Bindings: the fields of :class:`Batch` and, per kind of layer, ``pool``, ``slots`` and
        ``block_table``, e.g. ``full_attention.slots``; float32 ``logits [wanted, vocab_size]``;
        int32 ``chosen [layers, tokens, experts_per_token]``, which experts the routers chose.
    """
    step = StepBuilder("gpt_oss", limits)
    batch = _bind_batch(step)
    bound = {
        kind: Cache(
            step.bound(f"{kind}.pool", shape, np.uint8),
            step.bound(f"{kind}.slots", (limits.tokens,), np.int32),
            step.bound(f"{kind}.block_table", (limits.sequences, blocks), np.int32),
        )
        for kind, (shape, blocks) in caches.items()
    }
    layers = Layers(step, batch, weights.activations)
    chosen = step.bound(
        "chosen", (config.num_hidden_layers, limits.tokens, config.num_experts_per_tok), np.int32
    )
    frequencies, attention_factor = rope_frequencies(config)

    x = layers.embed(weights.embedding)
    rotary = layers.rope_table(frequencies, attention_factor)
    index_in_cache = dict.fromkeys(bound, 0)
    for index, (kind, layer) in enumerate(zip(config.layer_types, weights.layers, strict=True)):
        with step.scope(f"layers.{index}"):
            place = index_in_cache[kind]
            index_in_cache[kind] += 1
            x = _attention(layers, x, layer, rotary, bound[kind], place, kind, config, kv_format)
            x = _mixture(layers, x, layer, _of_layer(chosen, index), config)

    x = layers.select_wanted(x)
    activations = layers.activations_for(weights.head.weight)
    a, _ = layers.rms_norm(x, weights.norm, config.rms_norm_eps, "norm", activations=activations)
    logits = step.bound("logits", (limits.wanted, config.vocab_size), np.float32)
    layers.linear(a, weights.head, "lm_head", into=logits)
    return step


def _attention(
    layers: Layers,
    x: View,
    layer: LayerWeights,
    rotary: View,
    cache: Cache,
    place: int,
    kind: str,
    config: GptOssConfig,
    kv_format: str,
) -> View:
    """Add attention over norm(x) to x; ``sliding_attention`` sees the window only."""
    window = config.sliding_window if kind == "sliding_attention" else 0
    with layers.step.scope("self_attn"):
        taken = layers.activations_for(layer.qkv.weight)
        norm, epsilon = layer.attention_norm, config.rms_norm_eps
        a, _ = layers.rms_norm(x, norm, epsilon, "norm", activations=taken)
        qkv = layers.linear(a, layer.qkv, "qkv_proj")
        q = layers.rope_and_store(qkv, rotary, cache, place, config, kv_format)
        o = layers.attention(q, cache, place, layer.sinks, config, window, kv_format)
        a = layers.quantize(o, "quantize", layers.activations_for(layer.attention_output.weight))
        return layers.linear(a, layer.attention_output, "o_proj", residual=x)


def _mixture(
    layers: Layers, x: View, layer: LayerWeights, chosen: View, config: GptOssConfig
) -> View:
    """Add what the experts that the router chooses make of norm(x) to x."""
    with layers.step.scope("mlp"):
        taken = layers.activations_for(layer.gate_up.weight, layer.down.weight)
        norm, epsilon = layer.mlp_norm, config.rms_norm_eps
        a, router_input = layers.rms_norm(
            x, norm, epsilon, "norm", activations=taken, also_bf16=True
        )
        assert router_input is not None
        router_logits = layers.linear(router_input, layer.router, "router")
        ids, shares = layers.top_k(router_logits, chosen)
        return layers.moe(a, ids, shares, layer.gate_up, layer.down, x, config)


def _of_layer(chosen: View, index: int) -> View:
    _, tokens, k = chosen.shape
    return replace(chosen.slice(0, index, 1), shape=(tokens, k), strides=(k, 1))


def _bind_batch(step: StepBuilder) -> Batch:
    tokens, sequences, wanted = step.limits.tokens, step.limits.sequences, step.limits.wanted
    return Batch(
        counts=step.bound("counts", (4,), np.int32),
        tokens=step.bound("tokens", (tokens,), np.int32),
        positions=step.bound("positions", (tokens,), np.int32),
        first_token=step.bound("first_token", (sequences + 1,), np.int32),
        lengths=step.bound("lengths", (sequences,), np.int32),
        wanted=step.bound("wanted", (wanted,), np.int32),
    )


def rope_frequencies(config: GptOssConfig) -> tuple[Vector, float]:
    """Radians per position of each pair of dimensions, and the factor on cosines and sines.

    Low frequencies are interpolated by ``factor``, high ones kept, with a ramp in between.
    """
    half = config.head_dim // 2
    base = config.rope_theta ** (-np.arange(half, dtype=np.float64) / half)
    scaling = config.rope_scaling
    if scaling is None:
        return base.astype(np.float32), 1.0
    low = _dimension_of(scaling.beta_fast, config, scaling)
    high = _dimension_of(scaling.beta_slow, config, scaling)
    if scaling.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, config.head_dim - 1)
    interpolated = np.clip((np.arange(half) - low) / max(high - low, 1e-3), 0, 1)
    frequencies = base * (1 - interpolated) + base / scaling.factor * interpolated
    return frequencies.astype(np.float32), 0.1 * math.log(scaling.factor) + 1.0


def _dimension_of(rotations: float, config: GptOssConfig, scaling: RopeScaling) -> float:
    """The dimension that turns so many times within the original context."""
    turns = scaling.original_max_position_embeddings / (rotations * 2 * math.pi)
    return config.head_dim * math.log(turns) / (2 * math.log(config.rope_theta))
