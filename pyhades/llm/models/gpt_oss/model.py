"""gpt-oss: a mixture-of-experts transformer with attention sinks and alternating windows."""

from __future__ import annotations

from pyhades.compiler.view import View
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.models.architecture import Floats, Pools
from pyhades.llm.models.gpt_oss.config import GptOssConfig
from pyhades.llm.models.gpt_oss.weights import GptOssLayer
from pyhades.llm.models.layers import Batch, Cache, Layers, Place, bind_choices, places_of
from pyhades.llm.models.rope import rope_frequencies
from pyhades.llm.models.step import Limits, StepBuilder
from pyhades.llm.models.weights import ModelWeights
from pyhades.numerics.moe import clamped_swiglu


def build_step(
    config: GptOssConfig,
    weights: ModelWeights[GptOssLayer],
    limits: Limits,
    pools: Pools,
    kv_format: KvFormat = "bf16",
) -> StepBuilder:
    """Write down a step of the model.

    Parameters
    ----------
    config, weights
        The model.
    limits
        The largest step.
    pools
        Of the caches, per kind of layer.
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
    layers = Layers(step, Batch.bound_to(step), weights.activations)
    caches = {kind: Cache.bound_to(step, kind, *pool) for kind, pool in pools.items()}
    chosen = bind_choices(step, config)

    x = layers.embed(weights.embedding)
    rotary = layers.rope_table(*rope_frequencies(config))
    for index, (place, layer) in enumerate(
        zip(places_of(config, caches), weights.layers, strict=True)
    ):
        window = config.sliding_window if "sliding" in config.layer_types[index] else 0
        with step.scope(f"layers.{index}"):
            x = _attention(layers, x, layer, rotary, place, window, config, kv_format)
            x = _mixture(layers, x, layer, chosen[index], config)
    layers.logits(x, weights.norm, weights.head, config)
    return step


def gate(made: Floats, config: GptOssConfig) -> Floats:
    """The clamped SwiGLU: columns of the gate and of the linear part come in turn."""
    return clamped_swiglu(made, config.swiglu_alpha, config.swiglu_limit)


def _attention(
    layers: Layers,
    x: View,
    layer: GptOssLayer,
    rotary: View,
    place: Place,
    window: int,
    config: GptOssConfig,
    kv_format: KvFormat,
) -> View:
    """Add attention over norm(x) to x."""
    with layers.step.scope("self_attn"):
        taken = layers.activations_for(layer.qkv.weight)
        norm, epsilon = layer.attention_norm, config.rms_norm_eps
        a, _ = layers.rms_norm(x, norm, epsilon, "norm", activations=taken)
        qkv = layers.linear(a, layer.qkv, "qkv_proj")
        q = layers.rope_and_store(qkv, rotary, place, config, kv_format)
        o = layers.attention(q, place, config, kv_format, sinks=layer.sinks, window=window)
        a = layers.quantize(o, "quantize", layers.activations_for(layer.attention_output.weight))
        return layers.linear(a, layer.attention_output, "o_proj", residual=x)


def _mixture(
    layers: Layers, x: View, layer: GptOssLayer, chosen: View, config: GptOssConfig
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
        return layers.moe(
            a, ids, shares, layer.gate_up, layer.down, x, config, activation="clamped_swiglu",
            alpha=config.swiglu_alpha, limit=config.swiglu_limit,
        )  # fmt: skip
