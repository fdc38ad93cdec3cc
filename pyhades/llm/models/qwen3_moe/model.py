"""Qwen3-MoE: a mixture-of-experts transformer with normalised queries and keys."""

from __future__ import annotations

from pyhades.compiler.view import View
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.models.architecture import Floats, Pools
from pyhades.llm.models.layers import Batch, Cache, Layers, Place, bind_choices, places_of
from pyhades.llm.models.qwen3_moe.config import Qwen3MoeConfig
from pyhades.llm.models.qwen3_moe.weights import Qwen3MoeLayer
from pyhades.llm.models.rope import rope_frequencies
from pyhades.llm.models.step import Limits, StepBuilder
from pyhades.llm.models.weights import ModelWeights
from pyhades.numerics.moe import swiglu


def build_step(
    config: Qwen3MoeConfig,
    weights: ModelWeights[Qwen3MoeLayer],
    limits: Limits,
    pools: Pools,
    kv_format: KvFormat = "bf16",
) -> StepBuilder:
    """Write down a step of the model; parameters and bindings are those of gpt-oss."""
    step = StepBuilder("qwen3_moe", limits)
    layers = Layers(step, Batch.bound_to(step), weights.activations)
    caches = {kind: Cache.bound_to(step, kind, *pool) for kind, pool in pools.items()}
    chosen = bind_choices(step, config)

    x = layers.embed(weights.embedding)
    rotary = layers.rope_table(*rope_frequencies(config))
    for index, (place, layer) in enumerate(
        zip(places_of(config, caches), weights.layers, strict=True)
    ):
        with step.scope(f"layers.{index}"):
            x = _attention(layers, x, layer, rotary, place, config, kv_format)
            x = _mixture(layers, x, layer, chosen[index], config)
    layers.logits(x, weights.norm, weights.head, config)
    return step


def gate(made: Floats, config: Qwen3MoeConfig) -> Floats:
    """SwiGLU: columns of the gate and of the linear part come in turn."""
    return swiglu(made)


def _attention(
    layers: Layers,
    x: View,
    layer: Qwen3MoeLayer,
    rotary: View,
    place: Place,
    config: Qwen3MoeConfig,
    kv_format: KvFormat,
) -> View:
    """Add attention over norm(x) to x."""
    with layers.step.scope("self_attn"):
        taken = layers.activations_for(layer.qkv.weight)
        norm, epsilon = layer.attention_norm, config.rms_norm_eps
        a, _ = layers.rms_norm(x, norm, epsilon, "norm", activations=taken)
        qkv = layers.linear(a, layer.qkv, "qkv_proj")
        keys = qkv.slice(1, config.query_size, config.key_value_size)
        layers.norm_heads(qkv.slice(1, 0, config.query_size), layer.q_norm, epsilon, "q_norm")
        layers.norm_heads(keys, layer.k_norm, epsilon, "k_norm")
        q = layers.rope_and_store(qkv, rotary, place, config, kv_format)
        o = layers.attention(q, place, config, kv_format)
        a = layers.quantize(o, "quantize", layers.activations_for(layer.attention_output.weight))
        return layers.linear(a, layer.attention_output, "o_proj", residual=x)


def _mixture(
    layers: Layers, x: View, layer: Qwen3MoeLayer, chosen: View, config: Qwen3MoeConfig
) -> View:
    """Add what the experts that the router chooses make of norm(x) to x.

    A softmax over the chosen is that over all experts, made to add up to one again.
    """
    with layers.step.scope("mlp"):
        taken = layers.activations_for(layer.gate_up.weight, layer.down.weight)
        norm, epsilon = layer.mlp_norm, config.rms_norm_eps
        a, router_input = layers.rms_norm(
            x, norm, epsilon, "norm", activations=taken, also_bf16=True
        )
        assert router_input is not None
        ids, shares = layers.top_k(layers.linear(router_input, layer.router, "router"), chosen)
        return layers.moe(a, ids, shares, layer.gate_up, layer.down, x, config, activation="swiglu")
