"""The network builders: what they write is valid, runs elsewhere, and matches the interpreter."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from pyhades import load_onnx
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.ir.graph import Graph
from pyhades.ir.interpreter import interpret
from pyhades.ir.registry import operator
from pyhades.networks import SwinConfig, swin, u2net, write_swin, write_u2net
from tests.support.onnx_models import run_rival


def parameters(graph: Graph) -> int:
    weights = (value.data for value in graph.values() if value.data is not None)
    return sum(data.size for data in weights if data.dtype == np.float32)


def compare(path: Path) -> list[np.ndarray]:
    """Run a file in onnxruntime and in the interpreter."""
    onnx.checker.check_model(path, full_check=True)
    graph = load_onnx(path)
    kind = graph.inputs[0].type
    assert kind is not None
    x = np.random.default_rng(0).normal(size=kind.static_shape).astype(np.float32)
    ours = interpret(graph, {"input": x})
    rival = run_rival(path.read_bytes(), {"input": x})
    for value, expected in zip(graph.outputs, rival, strict=True):
        np.testing.assert_allclose(ours[value.name], expected, atol=2e-5)
    return rival


def test_u2net_has_the_published_size() -> None:
    graph = u2net()
    assert parameters(graph) == 43_981_069
    assert Counter(node.op for node in graph.nodes)["Conv"] == 119


def test_small_u2net_has_the_published_size() -> None:
    assert parameters(u2net(small=True)) == 1_125_485


@pytest.mark.parametrize("sizes", ["traced", "constant"])
def test_small_u2net_at_an_odd_size_and_batch(tmp_path: Path, sizes: str) -> None:
    path = tmp_path / "u2netp.onnx"
    write_u2net(path, (35, 50), small=True, batch=2, sizes=sizes)
    maps = compare(path)
    assert len(maps) == 7
    for y in maps:
        assert y.shape == (2, 1, 35, 50)
        assert 0 < y.min() < y.max() < 1
        assert y.std() > 0.01


def test_traced_sizes_are_spelled_by_shape_arithmetic() -> None:
    traced = Counter(node.op for node in u2net(64, small=True).nodes)
    constant = Counter(node.op for node in u2net(64, small=True, sizes="constant").nodes)
    assert traced["Shape"] == 2 * traced["Resize"] > 0
    assert constant["Shape"] == constant["Cast"] == constant["Slice"] == 0


@pytest.mark.slow
def test_swin_b_does_the_work_of_the_real_network() -> None:
    graph = swin()
    counts = Counter(node.op for node in graph.nodes)
    assert (counts["Conv"], counts["MatMul"], counts["Softmax"]) == (210, 220, 59)
    flops = sum(operator(n.op).cost(n).flops for n in graph.nodes if n.op in ("Conv", "MatMul"))
    assert flops / 2e9 == pytest.approx(104.8, abs=0.05)
    assert parameters(graph) == pytest.approx(90.8e6, rel=1e-3)


@pytest.mark.parametrize(("size", "batch"), [((64, 64), 1), ((32, 96), 2)])
def test_tiny_swin(tmp_path: Path, size: tuple[int, int], batch: int) -> None:
    path = tmp_path / "swin.onnx"
    write_swin(path, size, SwinConfig.tiny(), batch=batch, saliency=True)
    mask, *maps = compare(path)
    assert mask.shape == (batch, 1, *size)
    assert (mask.min(), mask.max()) == (0, 1)
    assert [y.shape[2] for y in maps] == [size[0] // scale for scale in (8, 4, 2, 1)]
    assert all(0.1 < y.std() < 10 for y in maps)


def test_swin_size_must_be_a_multiple_of_32() -> None:
    with pytest.raises(ArgumentError, match="multiple of 32"):
        swin(100)


def test_equal_seeds_make_equal_files(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_swin(tmp_path / name, 32, SwinConfig.tiny(), seed=seed)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize("network", [u2net, swin])
@pytest.mark.parametrize("batch", [0, -1, 1.5])
def test_networks_without_images_are_refused(network, batch) -> None:
    with pytest.raises((ArgumentError, ArgumentTypeError), match="batch"):
        network(64, batch=batch)
