"""What is said of a model before it is run."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

import pyhades
from pyhades.errors import ArgumentError, ModelError
from pyhades.networks import write_u2net
from tests.support.segmentation_models import FLOAT, INT64, SIDE, constant, model, node, scores

MAP = [1, 1, SIDE, SIDE]
SIGMOID = [*scores([[9, 0]]), node("Sigmoid", "l", "s"), node("Identity", "s", "y")]


@pytest.fixture
def sigmoid(tmp_path):
    path = tmp_path / "bright.onnx"
    path.write_bytes(model(SIGMOID, MAP))
    return path


def test_a_guess_is_told_with_its_reasons(sigmoid):
    found = pyhades.inspect(sigmoid)
    assert found.is_guess and found.manifest.activation == "none" and not found.refusal
    assert found.operators == {"Conv": 1, "Sigmoid": 1, "Identity": 1}
    assert (found.inputs[0].name, found.inputs[0].type) == ("x", "float32[1, 3, 64, 64]")
    assert found.outputs[0].role.startswith("the mask; a map of 1 channels; it comes from Sigmoid")
    assert found.opset == "ai.onnx 18" and found.ir_version == 8
    assert found.weights == 4 and found.weight_bytes == {"float32": 16}
    text = str(found)
    for words in ("guessed, since:", "Sigmoid 'the s'", "conv2d", "GMAC", "activation none"):
        assert words in text


def test_work_and_kernels_are_those_of_the_program(sigmoid):
    found = pyhades.inspect(sigmoid, options=pyhades.EngineOptions(isa="scalar", threads=1))
    with pyhades.compile(pyhades.load_onnx(sigmoid), isa="scalar", threads=1) as program:
        assert found.gmac == pytest.approx(program.flops / 2e9)
        assert sum(use.count for use in found.kernels) == len(program.lines)
        assert {use.kernel for use in found.kernels} == {line.kernel for line in program.lines}
        assert (found.arena_bytes, found.tier, found.thread_count) == (
            program.memory.arena,
            "scalar",
            1,
        )
    assert sum(use.share for use in found.kernels) == pytest.approx(1)


def test_it_is_written_as_json_and_for_notebooks(sigmoid):
    found = pyhades.inspect(sigmoid)
    read = json.loads(json.dumps(found.to_dict()))
    assert read["manifest"]["name"] == "bright" and read["kernels"][0]["count"] >= 1
    page = found._repr_html_()
    assert "<table>" in page and "Sigmoid &#x27;the s&#x27;" in page


def test_known_models_are_told_by_their_basis(tmp_path):
    path = tmp_path / "some.onnx"
    write_u2net(path, 320, small=True)
    found = pyhades.inspect(path)
    assert found.manifest.name == "u2netp" and "signature" in found.basis and not found.is_guess
    assert "everything that the others are made of goes into it" in str(found)
    assert found.gmac == pytest.approx(19.8, abs=0.1)


def test_fields_that_are_set_are_used(sigmoid):
    found = pyhades.inspect(sigmoid, activation="sigmoid", mean=0.5)
    assert found.manifest.activation == "sigmoid" and "set by the caller" in found.basis


def test_what_remover_refuses_is_described_all_the_same():
    zero = constant("z", np.zeros((1, 10), np.float32))
    axes = constant("axes", [1, 2, 3], np.int64)
    nodes = [axes, zero, node("ReduceMean", "x axes", "m", keepdims=0), node("Add", "m z", "y")]
    data = model(nodes, [1, 10])
    found = pyhades.inspect(data)
    assert "as a classifier gives" in found.refusal and found.manifest is None
    assert found.kernels and found.gmac > 0, "it compiles, though it gives no mask"
    assert "refused" in str(found) and "<th" in found._repr_html_()
    with pytest.raises(ModelError):
        pyhades.Remover(data)


def test_what_cannot_be_compiled_is_described_all_the_same():
    nodes = [*scores([[9, 0]]), node("Cast", "s", "i", to=INT64), node("Reshape", "l i", "y")]
    data = model(nodes, [None] * 4, inputs={"x": [1, 3, SIDE, SIDE], "s": [4]})
    found = pyhades.inspect(data)
    assert found.refusal and found.operators["Conv"] == 1
    assert found.problem or found.kernels
    assert "s" in [port.name for port in found.inputs]


def test_dynamic_sizes_are_compiled_for_the_size_of_the_manifest():
    shape = [1, 3, "h", "w"]
    found = pyhades.inspect(
        model(SIGMOID, [1, 1, "h", "w"], inputs={"x": shape}), input_size=(96, 128)
    )
    assert found.compiled_for == {"x": (1, 3, 96, 128)}


def test_recurrent_networks_tell_what_feeds_what():
    nodes = [node("Identity", "src", "x"), *scores([[1, 0]]), node("Sigmoid", "l", "s"),
             node("Add", "s r1i", "r1o"), node("Identity", "s", "pha")]  # fmt: skip
    data = model(nodes, {"pha": MAP, "r1o": MAP}, inputs={"src": [1, 3, SIDE, SIDE], "r1i": MAP})
    found = pyhades.inspect(data)
    roles = {port.name: port.role for port in found.inputs}
    assert roles == {"src": "the picture, nchw", "r1i": "what 'r1o' gave for the frame before"}


def test_files_that_are_none(tmp_path):
    with pytest.raises(ArgumentError, match="no such file"):
        pyhades.inspect(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ModelError):
        pyhades.inspect(tmp_path / "text.onnx")


def test_weights_of_all_kinds_are_counted():
    weights = onnx.numpy_helper.from_array(np.zeros((8, 3, 1, 1), np.float16), "w")
    nodes = [
        onnx.helper.make_node("Constant", [], ["w"], value=weights),
        node("Cast", "w", "f", to=FLOAT),
        node("Conv", "x f", "y"),
    ]
    found = pyhades.inspect(model(nodes, [1, 8, SIDE, SIDE]))
    assert found.weight_bytes == {"float16": 48} and found.weights == 24
