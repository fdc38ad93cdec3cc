"""Weights as the kernels read them, from every container and in every precision."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from pyhades import kernels
from pyhades.errors import ArgumentError, ConfigurationError, ModelError
from pyhades.llm.checkpoint import locating
from pyhades.llm.checkpoint.locating import toy_model
from pyhades.llm.models import open_checkpoint
from pyhades.llm.models.weights import ModelWeights
from pyhades.llm.precision.loading import load_weights
from pyhades.llm.precision.recipe import RECIPES
from pyhades.quant import dequantize, quantize, to_bf16
from tests.llm.test_checkpoints import CONTAINERS, expected
from tests.support.tiny_checkpoints import Stored, TinyModel, random_model, tiny_config
from tests.support.tiny_checkpoints import write_huggingface as write
from tests.support.tiny_gguf import write_gguf

DENSE = {"exact": "bf16", "balanced": "int8_g32", "fast": "int4_g32"}


@pytest.fixture(scope="module")
def model() -> TinyModel:
    return random_model()


def load(path: Path, precision: str | None) -> ModelWeights:
    return load_weights(open_checkpoint(path), precision, progress=False)


def packed(floats: np.ndarray, format: str, row_order: str = "plain") -> np.ndarray:
    return kernels.pack_weight(quantize(floats, format), row_order).data


def assert_equal(weights: ModelWeights, others: ModelWeights) -> None:
    for ours, theirs in zip(weights.arrays(), others.arrays(), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("container", CONTAINERS)
def test_containers_give_equal_weights(container, model, tmp_path):
    wanted = load(write(model, tmp_path / "wanted"), "exact")
    assert_equal(load(CONTAINERS[container](model, tmp_path / "m"), "exact"), wanted)


@pytest.mark.parametrize("precision", RECIPES)
def test_every_tensor_is_packed(precision, model, tmp_path):
    wanted, dense = expected(model), DENSE[precision]
    weights = load(write(model, tmp_path), precision)
    assert weights.precision == precision
    assert weights.activations == ("bf16" if precision == "exact" else "q8")
    np.testing.assert_array_equal(weights.head.weight.data, packed(wanted["head"], dense))
    np.testing.assert_array_equal(weights.norm, wanted["norm"])
    assert len(weights.layers) == 4
    for index, layer in enumerate(weights.layers):
        at = f"layers.{index}."
        for name in ("attention_norm", "mlp_norm", "sinks"):
            np.testing.assert_array_equal(getattr(layer, name), wanted[at + name])
        for name in ("qkv", "attention_output", "router"):
            linear, format = getattr(layer, name), "bf16" if name == "router" else dense
            assert (linear.weight.format, linear.weight.row_order) == (format, "plain")
            assert linear.weight.shape == wanted[f"{at}{name}.weight"].shape
            np.testing.assert_array_equal(
                linear.weight.data, packed(wanted[f"{at}{name}.weight"], format)
            )
            np.testing.assert_array_equal(linear.bias, wanted[f"{at}{name}.bias"])
        assert (layer.gate_up.weight.format, layer.gate_up.weight.row_order) == ("mxfp4", "gate_up")
        assert (layer.down.weight.format, layer.down.weight.row_order) == ("mxfp4", "plain")
        np.testing.assert_array_equal(layer.down.bias, wanted[f"{at}down.bias"])


def test_rows_and_biases_of_the_gate_are_in_the_same_order(model, tmp_path):
    layer = load(write(model, tmp_path), "exact").layers[2]
    bias = expected(model)["layers.2.gate_up.bias"]
    tile = np.concatenate([bias[1, 32:64:2], bias[1, 33:64:2]])
    np.testing.assert_array_equal(layer.gate_up.bias[1, 32:64], tile)
    # one token through one expert: y = down(swiglu(gate_up(x)))
    x = np.random.default_rng(0).standard_normal((1, 64)).astype(np.float32)
    ids, share = np.array([[1]], np.int32), np.ones((1, 1), np.float32)
    y = kernels.moe(
        x, ids, share, layer.gate_up.weight, bias, layer.down.weight, layer.down.bias,
        compute="bf16",
    )  # fmt: skip
    experts = expected(model)
    h = experts["layers.2.gate_up.weight"][1] @ x[0] + bias[1]
    gate, up = np.minimum(h[0::2], 7), np.clip(h[1::2], -7, 7)
    activated = gate / (1 + np.exp(-1.702 * gate)) * (up + 1)
    wanted = experts["layers.2.down.weight"][1] @ activated + layer.down.bias[1]
    np.testing.assert_allclose(y[0], wanted, atol=0.03 * np.abs(wanted).max())


@pytest.mark.parametrize("precision", RECIPES)
@pytest.mark.parametrize("experts", ["BF16", "F16"])
def test_experts_that_are_not_quantised(precision, experts, tmp_path):
    model = random_model(tiny_config(num_hidden_layers=1), experts=experts)
    layer = load(write(model, tmp_path), precision).layers[0]
    stored = "f32" if experts == "F16" else "bf16"
    format = stored if precision == "exact" else DENSE[precision]
    wanted = expected(model)
    gate_up, down = wanted["layers.0.gate_up.weight"], wanted["layers.0.down.weight"]
    assert (layer.gate_up.weight.format, layer.down.weight.format) == (format, format)
    np.testing.assert_array_equal(layer.gate_up.weight.data, packed(gate_up, format, "gate_up"))
    np.testing.assert_array_equal(layer.down.weight.data, packed(down, format))


@pytest.mark.parametrize("precision", RECIPES)
def test_embedding(precision, model, tmp_path):
    wanted = expected(model)["embedding"]
    table = load(write(model, tmp_path), precision).embedding
    if precision == "exact":
        assert table.scales is None
        np.testing.assert_array_equal(table.values, to_bf16(wanted))
    else:
        q = quantize(wanted, "int8_g32")
        np.testing.assert_array_equal(table.values, q.values)
        np.testing.assert_array_equal(table.scales, q.scales)
    rows = kernels.embed([3, 5, 3], table.values, table.scales)
    np.testing.assert_allclose(rows, wanted[[3, 5, 3]], atol=0.02)


STORED = {
    "Q8_0": ("int8_g32", "int8_g32", "int4_g32"),
    "Q4_0": ("int4_g32", "int4_g32", "int4_g32"),
    "Q5_1": ("f32", "int8_g32", "int4_g32"),
    "F16": ("f32", "int8_g32", "int4_g32"),
}


@pytest.mark.parametrize("dense", STORED)
def test_bits_are_never_added(dense, tmp_path):
    """What is stored with fewer bits than a precision allows stays as it is."""
    model = random_model(tiny_config(num_hidden_layers=1))
    path = write_gguf(model, tmp_path / "m.gguf", dense=dense)
    stored = open_checkpoint(path).tensors["layers.0.qkv.weight"]
    for precision, format in zip(RECIPES, STORED[dense], strict=True):
        weights = load(path, precision)
        qkv = weights.layers[0].qkv.weight
        assert (qkv.format, weights.head.weight.format) == (format, format)
        if format == stored.format:
            np.testing.assert_array_equal(qkv.data, kernels.pack_weight(stored.read()).data)
        else:
            np.testing.assert_array_equal(qkv.data, packed(stored.floats(), format))


def test_int4_embedding_becomes_int8_without_loss(tmp_path):
    model = random_model(tiny_config(num_hidden_layers=1))
    checkpoint = open_checkpoint(write_gguf(model, tmp_path / "m.gguf", dense="Q4_0"))
    table = load_weights(checkpoint, "exact", progress=False).embedding
    wanted = dequantize(checkpoint.tensors["embedding"].read())
    rows = kernels.embed(np.arange(len(wanted), dtype=np.int32), table.values, table.scales)
    np.testing.assert_array_equal(rows, wanted)


def test_large_matrices_are_converted_in_pieces(monkeypatch, model, tmp_path):
    wanted = load(write(model, tmp_path), "balanced")
    monkeypatch.setattr("pyhades.quant.conversion.PIECE", 7 * 64)
    assert_equal(load(tmp_path, "balanced"), wanted)


@pytest.mark.parametrize("experts", ["MXFP4", "BF16"])
def test_peak_is_the_packed_size_and_a_layer(experts, monkeypatch, tmp_path):
    monkeypatch.setattr("pyhades.quant.conversion.PIECE", 1 << 13)  # as small beside a tiny layer
    config = tiny_config(num_hidden_layers=6, hidden_size=256, intermediate_size=256)
    path = write(random_model(config, experts=experts), tmp_path)
    checkpoint = open_checkpoint(path)
    load_weights(checkpoint, "balanced", progress=False)  # imports and caches
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        weights = load_weights(checkpoint, "balanced", progress=False)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    layer = weights.nbytes / 6
    assert weights.nbytes < peak < weights.nbytes + layer


def test_default_is_balanced(model, tmp_path):
    path = write(model, tmp_path)
    assert_equal(load(path, None), load(path, "balanced"))


def test_unknown_precision(model, tmp_path):
    with pytest.raises(
        ArgumentError, match="'half' is none of 'exact', 'balanced', 'fast', 'auto'"
    ):
        load(write(model, tmp_path), "half")


def test_weights_that_are_no_numbers_are_named(model, tmp_path):
    name = "model.layers.1.self_attn.o_proj.weight"
    array = model.tensors[name].array.copy()
    array[3, 5] = 0x7F80  # infinity
    broken = TinyModel(model.config, {**model.tensors, name: Stored("BF16", array)})
    path = write(broken, tmp_path)
    with pytest.raises(ModelError, match=r"layers\.1\.attention_output\.weight.*infinite"):
        load(path, "balanced")


def test_toy_model(monkeypatch, tmp_path):
    monkeypatch.setattr(locating, "_TOY", tmp_path)
    assert toy_model() == tmp_path
    monkeypatch.setattr(locating, "_TOY", tmp_path / "none")
    with pytest.raises(ConfigurationError, match="install pyhades again"):
        toy_model()
