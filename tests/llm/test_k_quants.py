"""Tensors in K-quants: the values of the package ``gguf``, and what becomes of them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import gguf
import numpy as np
import pytest

from pyhades import kernels
from pyhades.errors import ModelError
from pyhades.llm.llm import LLM
from pyhades.llm.models import open_checkpoint
from pyhades.llm.precision.convert import convert
from pyhades.llm.precision.loading import load_weights
from pyhades.llm.precision.recipe import RECIPES
from pyhades.quant import dequantize, quantize
from tests.support.tiny_checkpoints import TinyModel, random_model, tiny_config
from tests.support.tiny_gguf import HALVES, write_gguf

TYPES = sorted(HALVES)
OUTPUT = "blk.0.attn_output.weight"


@pytest.fixture(scope="module")
def model() -> TinyModel:
    """Rows of 256 weights everywhere."""
    return random_model(tiny_config(num_hidden_layers=2, hidden_size=256, head_dim=32))


def decoded(path: Path) -> dict[str, np.ndarray]:
    """The dense tensors of a file, by the package ``gguf``."""
    tensors = gguf.GGUFReader(path).tensors
    return {
        tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        for tensor in tensors
        if "_exps" not in tensor.name
    }


def with_floats(path: Path, target: Path) -> Path:
    """The same model with dense tensors in float32 of the values that are in a file."""
    values = decoded(path)
    writer, reader = gguf.GGUFWriter(target, "gpt-oss"), gguf.GGUFReader(path)
    for field in reader.fields.values():
        if not field.name.startswith(("GGUF.", "general.architecture")):
            kind, *items = field.types
            writer.add_key_value(field.name, field.contents(), kind, *items[:1])
    for tensor in reader.tensors:
        if tensor.name in values:
            writer.add_tensor(tensor.name, values[tensor.name])
        else:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def logits(path: Path, precision: str) -> np.ndarray:
    with LLM(path, precision=precision, threads=1, progress=False) as llm:
        return llm.logits(list(range(40)))


@pytest.mark.parametrize("kind", TYPES)
def test_values_are_those_of_gguf(kind, model, tmp_path):
    path = write_gguf(model, tmp_path / "m.gguf", dense=kind)
    checkpoint, wanted = open_checkpoint(path), decoded(path)
    ours = checkpoint.tensors
    for name, theirs in {"embedding": "token_embd", "head": "output"}.items():
        np.testing.assert_array_equal(ours[name].floats(), wanted[f"{theirs}.weight"])
        rows = slice(17, 40)
        np.testing.assert_array_equal(ours[name].floats(rows), wanted[f"{theirs}.weight"][rows])
    tensor = ours["layers.0.attention_output.weight"]
    np.testing.assert_array_equal(tensor.floats(), wanted[OUTPUT])
    assert (tensor.dtypes, tensor.format) == ((kind,), "f32")
    block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
    assert tensor.nbytes == wanted[OUTPUT].size // block * size


@pytest.mark.parametrize("precision", RECIPES)
@pytest.mark.parametrize("kind", TYPES)
def test_logits_are_those_of_the_same_values_in_float32(kind, precision, model, tmp_path):
    path = write_gguf(model, tmp_path / "m.gguf", dense=kind)
    wanted = logits(with_floats(path, tmp_path / "floats.gguf"), precision)
    assert wanted.std() > 0.1
    np.testing.assert_array_equal(logits(path, precision), wanted)


@pytest.mark.parametrize("kind", TYPES)
def test_exact_keeps_every_bit(kind, model, tmp_path):
    path = write_gguf(model, tmp_path / "m.gguf", dense=kind)
    weight = load_weights(open_checkpoint(path), "exact", progress=False)
    packed = kernels.pack_weight(quantize(decoded(path)[OUTPUT], "f32"))
    output = weight.layers[0].attention_output.weight
    assert output.format == "f32"
    np.testing.assert_array_equal(output.data, packed.data)


def test_a_packed_file_has_the_same_logits(model, tmp_path):
    path = write_gguf(model, tmp_path / "m.gguf", dense="Q4_K")
    packed = convert(path, tmp_path / "packed.safetensors", "balanced", progress=False)
    np.testing.assert_array_equal(logits(packed, "balanced"), logits(path, "balanced"))


MIXED = {
    "query, key Q4_K, value Q6_K": ({"q": "Q4_K", "k": "Q4_K", "v": "Q6_K"}, "f32"),
    "query Q8_0, value Q6_K": ({"q": "Q8_0", "k": "Q8_0", "v": "Q6_K"}, "f32"),
    "query Q4_0, value Q8_0": ({"q": "Q4_0", "k": "Q4_0", "v": "Q8_0"}, "int8_g32"),
    "query Q4_0, key Q5_0, value Q4_K": ({"q": "Q4_0", "k": "Q5_0", "v": "Q4_K"}, "f32"),
}


@pytest.mark.parametrize("case", MIXED)
def test_what_fits_is_not_rounded_for_what_lies_beside_it(case, model, tmp_path):
    """llama-quantize gives the value projection more bits than the query's and the key's."""
    kinds, format = MIXED[case]
    types = {f"blk.0.attn_{part}.weight": kind for part, kind in kinds.items()}
    path = write_gguf(model, tmp_path / "m.gguf", types=types)
    stored, values = open_checkpoint(path).tensors["layers.0.qkv.weight"], decoded(path)
    assert (stored.format, stored.dtypes) == (format, tuple(dict.fromkeys(kinds.values())))
    whole = np.concatenate([values[name] for name in types])
    np.testing.assert_array_equal(stored.floats(), whole)
    at = 0
    for name, kind in types.items():
        rows = slice(at, at := at + len(values[name]))
        got = dequantize(stored.read_as(rows, "int8_g32"))
        if kind in ("Q4_0", "Q5_0", "Q8_0"):
            np.testing.assert_array_equal(got, values[name])
        else:
            np.testing.assert_array_equal(got, dequantize(quantize(values[name], "int8")))
    assert stored.is_exact_in("int8_g32") == (format == "int8_g32")
    layer = load_weights(open_checkpoint(path), "balanced", progress=False).layers[0]
    packed = kernels.pack_weight(stored.read_as(slice(None), "int8_g32"))
    np.testing.assert_array_equal(layer.qkv.weight.data, packed.data)


@pytest.mark.parametrize("kind", ["Q4_K", "Q6_K"])
def test_experts(kind, tmp_path):
    config = tiny_config(num_hidden_layers=1, hidden_size=256, intermediate_size=256, head_dim=32)
    model = random_model(config, experts="F32")
    names = [f"blk.0.ffn_{part}_exps.weight" for part in ("gate", "up", "down")]
    path = write_gguf(model, tmp_path / "m.gguf", types=dict.fromkeys(names, kind))
    read = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    gate, up, down = (
        gguf.quants.dequantize(read[name].data, read[name].tensor_type) for name in names
    )
    tensors = open_checkpoint(path).tensors
    gate_up = tensors["layers.0.gate_up.weight"].floats()
    np.testing.assert_array_equal(gate_up[:, 0::2], gate)
    np.testing.assert_array_equal(gate_up[:, 1::2], up)
    layer = load_weights(open_checkpoint(path), "balanced", progress=False).layers[0]
    for ours, floats, order in ((layer.gate_up, gate_up, "gate_up"), (layer.down, down, "plain")):
        wanted = kernels.pack_weight(quantize(floats, "int8"), order)
        np.testing.assert_array_equal(ours.weight.data, wanted.data)


@pytest.mark.parametrize("precision", [*RECIPES, "auto"])
def test_a_scale_that_is_no_number_is_named(precision, model, tmp_path):
    path = write_gguf(model, tmp_path / "m.gguf", dense="Q4_K")
    (tensor,) = (tensor for tensor in gguf.GGUFReader(path).tensors if tensor.name == OUTPUT)
    data = bytearray(path.read_bytes())
    data[tensor.data_offset : tensor.data_offset + 2] = b"\x00\x7e"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=rf"m\.gguf: tensor '{OUTPUT}' has a scale that is no n"):
        load_weights(open_checkpoint(path), precision, progress=False)


@pytest.mark.parametrize("precision", RECIPES)
def test_no_tensor_is_held_in_floats(precision, monkeypatch, tmp_path):
    """The peak is what is packed, and pieces, although the head is most of the model."""
    monkeypatch.setattr("pyhades.quant.conversion.PIECE", 1 << 13)  # as small beside a tiny head
    config = tiny_config(num_hidden_layers=1, hidden_size=256, head_dim=32, vocab_size=1 << 14)
    path = write_gguf(random_model(config), tmp_path / "m.gguf", dense="Q4_K", tokenizer=False)
    checkpoint = open_checkpoint(path)
    load_weights(checkpoint, precision, progress=False)  # imports and caches
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        weights = load_weights(checkpoint, precision, progress=False)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    head = 4 * 256 << 14
    assert weights.nbytes < peak < weights.nbytes + head / 4
