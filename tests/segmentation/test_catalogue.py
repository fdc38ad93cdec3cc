from __future__ import annotations

import logging

import numpy as np
import pytest

from pyhades.errors import ModelError
from pyhades.ir.graph import Graph, Node, TensorType, Value
from pyhades.segmentation import catalogue
from pyhades.segmentation.catalogue import CATALOGUE, identify
from pyhades.segmentation.manifest import METADATA_KEY, ModelManifest

FLOAT = np.dtype(np.float32)


def graph(size, final_ops, *, channels=1, parameters=10, metadata=None, batch=1):
    """A graph with an output per final operator, on which only the signature is true."""
    image = Value("image", TensorType(FLOAT, (batch, 3, *size)))
    weight = Value("weight", data=np.zeros(parameters, np.float32))
    outputs = [
        Value(f"out{i}", TensorType(FLOAT, (batch, channels, *size))) for i in range(len(final_ops))
    ]
    nodes = [Node(op, [image, weight], [out]) for op, out in zip(final_ops, outputs, strict=True)]
    return Graph([image], outputs, nodes, metadata=metadata or {})


def test_u2net_is_told_from_its_small_version_by_its_weights():
    large = identify(graph((320, 320), ["Sigmoid"] * 7, parameters=11_000_000))
    small = identify(graph((320, 320), ["Sigmoid"] * 7, parameters=1_000_000))
    assert large.manifest is CATALOGUE["u2net"] and not large.is_guess
    assert small.manifest is CATALOGUE["u2netp"] and "signature" in small.basis


def test_published_files_are_recognised_by_hash(tmp_path, monkeypatch):
    path = tmp_path / "anything.onnx"
    path.write_bytes(b"hello")
    digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    published = catalogue._PublishedFile("u2net", 5)
    monkeypatch.setattr(catalogue, "_BY_SHA256", {digest: published})
    found = identify(graph((320, 320), ["Add"]), path)
    assert found.manifest is CATALOGUE["u2net"] and "sha256" in found.basis
    path.write_bytes(b"hallo")
    assert identify(graph((320, 320), ["Add"]), path).is_guess


def test_the_models_own_manifest_wins():
    own = ModelManifest("own", (320, 320), scale="1/max")
    found = identify(graph((320, 320), ["Sigmoid"] * 7, metadata={METADATA_KEY: own.to_json()}))
    assert found.manifest == own and METADATA_KEY in found.basis


@pytest.mark.parametrize(
    "final_op, channels, activation, foreground_class",
    [("Sigmoid", 1, "none", 0), ("Conv", 1, "sigmoid", 0), ("Conv", 2, "softmax", 1)],
)
def test_unknown_models_get_a_guess_that_is_logged(
    caplog, final_op, channels, activation, foreground_class
):
    with caplog.at_level(logging.WARNING, "pyhades"):
        found = identify(graph((256, 512), [final_op], channels=channels))
    assert found.is_guess and "guessed" in found.basis
    assert found.manifest.input_size == (256, 512)
    assert found.manifest.activation == activation
    assert found.manifest.foreground_class == foreground_class
    assert "Override these with arguments" in caplog.text


def test_dynamic_sizes_get_a_default():
    found = identify(graph(("h", "w"), ["Sigmoid"]))
    assert found.manifest.input_size == (catalogue.GUESSED_SIDE, catalogue.GUESSED_SIDE)


def test_arguments_override_and_are_stated():
    found = identify(graph(("h", "w"), ["Sigmoid"]), input_size=(64, 96), mean=0.5)
    assert found.manifest.input_size == (64, 96) and found.manifest.mean == (0.5, 0.5, 0.5)
    assert "set by the caller: input_size, mean" in found.basis


def test_contradictions_between_manifest_and_graph():
    with pytest.raises(ModelError, match="input height of 64, the graph has 32"):
        identify(graph((32, 32), ["Sigmoid"]), input_size=(64, 32))
    with pytest.raises(ModelError, match="'short-side' needs a graph with dynamic"):
        identify(graph((32, 32), ["Sigmoid"]), policy="short-side")
    with pytest.raises(ModelError, match="no output 'mask'; there are"):
        identify(graph((32, 32), ["Sigmoid"]), output="mask")
    with pytest.raises(ModelError, match="output 1 does not exist; there are 1"):
        identify(graph((32, 32), ["Sigmoid"]), output=1)


def test_graphs_that_take_no_image():
    one = graph((32, 32), ["Sigmoid"])
    two = Graph([*one.inputs, Value("x", TensorType(FLOAT, (1,)))], one.outputs, one.nodes)
    with pytest.raises(ModelError, match="has one input"):
        identify(two)
    grey = Graph([Value("x", TensorType(FLOAT, (1, 1, 8, 8)))], one.outputs, one.nodes)
    with pytest.raises(ModelError, match="expected an image tensor"):
        identify(grey)
