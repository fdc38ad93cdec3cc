from __future__ import annotations

import dataclasses
import hashlib
import logging

import numpy as np
import pytest

from pyhades.errors import ArgumentError, ModelError
from pyhades.ir.graph import Graph, Node, TensorType, Value
from pyhades.networks import u2net
from pyhades.segmentation import catalogue
from pyhades.segmentation.catalogue import (
    CATALOGUE,
    ENTRIES,
    PROFILES,
    PublishedFile,
    find_entry,
    identify,
    published,
)
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
    large, small = identify(u2net(320)), identify(u2net(320, small=True))
    facts = {"licence": None, "commercial_use": None}
    assert large.manifest == CATALOGUE["u2net"].replace(**facts) and not large.is_guess
    assert small.manifest == CATALOGUE["u2netp"].replace(**facts) and "signature" in small.basis


def test_architecture_does_not_tell_the_licence():
    """Weights of one architecture are published under several."""
    assert CATALOGUE["u2net"].commercial_use is True
    assert identify(u2net(320)).manifest.commercial_use is None


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_published_files_are_recognised_by_checksum(tmp_path, monkeypatch, algorithm):
    path = tmp_path / "anything.onnx"
    path.write_bytes(b"hello")
    checksum = {algorithm: hashlib.new(algorithm, b"hello").hexdigest()}
    file = PublishedFile("u2net.onnx", size=5, **checksum)
    entry = dataclasses.replace(ENTRIES["u2net"], files=(file,))
    monkeypatch.setattr(published, "ENTRIES", {"u2net": entry})
    found = identify(graph((320, 320), ["Add"]), path)
    assert found.manifest is CATALOGUE["u2net"] and f"by {algorithm}" in found.basis
    found = identify(graph((320, 320), ["Add"]), path, profile="rembg")
    assert found.manifest is entry.profiles["rembg"] and "profile rembg" in found.basis
    path.write_bytes(b"hallo")
    assert identify(graph((320, 320), ["Add"]), path).is_guess


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=list(ENTRIES))
def test_entries_are_whole(entry):
    assert entry.about and entry.manifest.source
    for name, manifest in entry.profiles.items():
        assert name in PROFILES and manifest.name == entry.name
        assert ModelManifest.from_json(manifest.to_json()) == manifest
    for file in entry.files:
        assert file.checksum is not None, "a file that cannot be checked is not offered"
        algorithm, digest = file.checksum
        assert len(digest) == hashlib.new(algorithm).digest_size * 2
        assert file.url is None or file.url.startswith("https://")


def test_unknown_names_get_near_ones():
    with pytest.raises(ArgumentError, match="'u2nett'; did you mean u2net"):
        find_entry("u2nett")


def test_the_models_own_manifest_wins():
    own = ModelManifest("own", (320, 320), scale="1/max")
    found = identify(graph((320, 320), ["Sigmoid"] * 7, metadata={METADATA_KEY: own.to_json()}))
    assert found.manifest == own and METADATA_KEY in found.basis


@pytest.mark.parametrize(
    "final_op, channels, activation, foreground",
    [("Sigmoid", 1, "none", 0), ("Sum", 1, "sigmoid", 0), ("Sum", 2, "softmax", 1)],
)
def test_unknown_models_get_a_guess_that_is_logged(
    caplog, final_op, channels, activation, foreground
):
    with caplog.at_level(logging.WARNING, "pyhades"):
        found = identify(graph((256, 512), [final_op], channels=channels))
    assert found.is_guess and "guessed" in found.basis
    assert found.manifest.input_size == (256, 512)
    assert found.manifest.activation == activation
    assert found.manifest.foreground == foreground
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
