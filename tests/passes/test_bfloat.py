"""Products of bfloat16 in networks: which there are, what lies between them, what they compute."""

from __future__ import annotations

import logging
from collections import Counter

import numpy as np
import pytest

from pyhades import _native
from pyhades.compiler.program import compile as compile_graph
from pyhades.compiler.program import multiplies_bfloat16
from pyhades.errors import ConfigurationError
from pyhades.ir.interpreter import interpret
from pyhades.networks import SwinConfig, swin
from pyhades.numerics.bfloat import narrowed, widened
from pyhades.options import EngineOptions
from pyhades.passes import compute_in_bfloat16, fold_constants, optimise_folded, specialise
from tests.support.graphs import Builder, feeds_for

TIERS = _native.supported_tiers()


def assert_rounds_like(y, expected):
    """Few sums round to the neighbour of what they round to in another order, and by no more."""
    error = np.abs(y - expected)
    assert error.max() <= 2.0**-7 * np.abs(expected).max()
    assert error.mean() <= 2.0**-11 * np.abs(expected).mean()


def optimised(graph):
    return optimise_folded(fold_constants(specialise(graph)))


def everything(graph):
    """All that can be computed in bfloat16."""
    return compute_in_bfloat16(optimised(graph), wanted=lambda node: True)


def ops_of(graph):
    return Counter(node.op for node in graph.nodes)


def narrow_values(graph):
    return {
        value.name
        for node in graph.nodes
        for value in node.outputs
        if value.type.dtype == np.uint16
    }


class Network(Builder):
    """Products that are large enough to gain."""

    def conv(self, x, channels, outputs, kernel=1, **attributes):
        w = self.weight(outputs, channels, kernel, kernel, scale=(channels * kernel**2) ** -0.5)
        return self.op("Conv", x, w, self.weight(outputs), **attributes)

    def linear(self, x, channels, outputs):
        w = self.weight(channels, outputs, scale=channels**-0.5)
        return self.op("Add", self.op("MatMul", x, w), self.weight(outputs))


def pyramid():
    """A stem of float32, then a path through everything that bfloat16 may pass."""
    b = Network()
    x = b.input(1, 8, 12, 16)
    stem = b.op("Relu", b.conv(x, 8, 96, 5, pads=[2] * 4))
    first = b.op("Relu", b.conv(stem, 96, 128))
    second = b.conv(stem, 96, 128, 3, pads=[1] * 4, strides=[1, 2])
    pooled = b.op("MaxPool", first, kernel_shape=[1, 2], strides=[1, 2])
    both = b.op("Concat", pooled, second, axis=1)
    last = b.conv(both, 256, 160)
    return b.graph(b.op("Sigmoid", last))


def test_values_between_products_are_bfloat16():
    found = everything(pyramid())
    ops = ops_of(found)
    assert ops["BConv"] == 3
    assert ops["FusedConv"] == 1  # reads the input of the network
    assert ops["NarrowBF16"] == 1  # what the stem gives, once
    assert ops["BMaxPool"] == ops["Concat"] == 1
    assert len(narrow_values(found)) == 5
    assert found.outputs[0].type.dtype == np.float32


@pytest.mark.parametrize("tier", TIERS)
def test_tiers_compute_what_the_interpreter_does(tier, monkeypatch):
    monkeypatch.setattr("pyhades.passes.bfloat.gains", lambda *_: True)
    for graph in (pyramid(), tokens(), windows()):
        feeds = feeds_for(graph, 1)
        found = compute_in_bfloat16(optimised(graph))
        assert sum(count for op, count in ops_of(found).items() if op.startswith("B")) > 1
        with compile_graph(graph, threads=2, isa=tier, precision="bf16") as program:
            for name, y in program.run(feeds).items():
                assert_rounds_like(y, interpret(found, feeds)[name])


def windows():
    """Tokens of shifted windows, as transformers of images cut them."""
    b = Network()
    x = b.op("Relu", b.input(1, 10, 9, 96))
    padded = b.op("Pad", b.linear(x, 96, 128), b.ints(0, 0, 0, 0, 0, 2, 3, 0))
    rolled = [
        b.op("Slice", padded, b.ints(begin), b.ints(end), b.ints(1))
        for begin, end in ((2, 12), (0, 2))
    ]
    shifted = b.op("Concat", *rolled, axis=1)
    cut = b.op("Reshape", shifted, b.ints(1, 3, 4, 3, 4, 128))
    turned = b.op("Transpose", cut, perm=[0, 1, 3, 2, 4, 5])
    tokens = b.op("Reshape", turned, b.ints(9, 16, 128))
    image = b.op("Transpose", b.linear(tokens, 128, 128), perm=[0, 2, 1])
    image = b.op("Reshape", image, b.ints(9, 128, 4, 4))
    y = b.conv(b.op("DepthToSpace", image, blocksize=2), 32, 96, 5, pads=[2] * 4)
    z = b.op("Pad", y, b.ints(0, 0, 1, 0, 0, 0, 0, 1), mode="reflect")
    return b.graph(b.conv(z, 96, 64, 2))


def test_what_only_moves_is_moved_as_bfloat16():
    found = everything(windows())
    wide = {
        value.name
        for node in found.nodes
        for value in node.outputs
        if value.type.dtype == np.float32
    }
    assert ops_of(found)["NarrowBF16"] == 1
    assert len(wide) == 2, wide  # what the network reads, after its Relu, and what it gives


def tokens():
    """A block of a transformer: what is added up stays float32."""
    b = Network()
    x = b.input(2, 24, 128)
    start = b.linear(x, 128, 128)
    normal = b.op("LayerNormalization", start, b.const(np.ones(128)), b.const(np.zeros(128)))
    inner = b.op("Gelu", b.linear(normal, 128, 512))
    return b.graph(b.op("Add", start, b.linear(inner, 512, 128)))


def test_sums_stay_float32():
    found = everything(tokens())
    ops = ops_of(found)
    assert ops["BMatMul"] == 2
    assert ops["NarrowBF16"] == 1
    last = found.outputs[0].producer
    assert last.op == "BMatMul"
    assert last.input(3).type.dtype == np.float32


def test_what_others_read_too_stays_float32():
    b = Network()
    y = b.conv(b.op("Relu", b.input(1, 96, 8, 8)), 96, 96)
    z = b.conv(y, 96, 96)
    found = everything(b.graph(z, b.op("Sigmoid", y)))
    ops = ops_of(found)
    assert ops["BConv"] == ops["NarrowBF16"] == 2
    assert not [node for node in found.nodes if node.op == "BConv" and "to" in node.attributes]


def test_every_number_is_rounded_once():
    """Pooling and joining before rounding gives what rounding before them gives."""
    graph = pyramid()
    feeds = feeds_for(graph, 2)
    values = interpret(everything(graph), feeds, keep_all=True)
    plain = optimised(graph)
    for node in plain.nodes:
        if node.op == "MaxPool":
            pooled, first = node.outputs[0].name, node.inputs[0].name
    for name in (pooled, first):
        assert f"{name}.bf16" in values
    rounded = widened(values[f"{first}.bf16"])
    expected = narrowed(np.maximum(rounded[..., ::2], rounded[..., 1::2]))
    np.testing.assert_array_equal(values[f"{pooled}.bf16"], expected)


@pytest.mark.parametrize(
    ("size", "dilation", "stride", "gaining"),
    [(40, 1, 1, 0), (20, 1, 1, 0), (40, 1, 2, 1), (20, 4, 1, 1), (10, 1, 1, 1)],
)
def test_products_that_winograd_serves_better_stay_float32(size, dilation, stride, gaining):
    b = Network()
    x = b.op("Relu", b.input(1, 128, size, size))
    window = {"pads": [dilation] * 4, "dilations": [dilation] * 2, "strides": [stride] * 2}
    ops = ops_of(compute_in_bfloat16(optimised(b.graph(b.conv(x, 128, 128, 3, **window)))))
    assert ops["BConv"] == gaining


@pytest.mark.parametrize(("outputs", "groups"), [(1, 1), (2, 1), (64, 64)])
def test_products_that_would_leave_lanes_idle_stay_float32(outputs, groups):
    b = Network()
    x = b.op("Relu", b.input(1, 64, 10, 10))
    y = b.op("Conv", x, b.weight(outputs, 64 // groups, 3, 3), pads=[1] * 4, group=groups)
    assert ops_of(compute_in_bfloat16(optimised(b.graph(y))))["BConv"] == 0


@pytest.mark.parametrize(("branches", "gaining"), [(1, 0), (4, 4)])
def test_products_share_the_conversion_of_what_they_read(branches, gaining):
    b = Network()
    x = b.op("Relu", b.input(1, 64, 40, 40))
    y = b.op("Concat", *(b.conv(x, 64, 16) for _ in range(branches)), axis=1)
    assert ops_of(compute_in_bfloat16(optimised(b.graph(y))))["BConv"] == gaining


def test_swin_gains(caplog):
    config = SwinConfig(64, (1, 1, 1, 1), (2, 2, 4, 4), 4, decoder_channels=16)
    graph = swin(64, config)
    feeds = feeds_for(graph, 3)
    expected = interpret(optimised(graph), feeds)
    with caplog.at_level(logging.INFO, "pyhades.passes.bfloat"):
        found = compute_in_bfloat16(optimised(graph))
    assert "products of bfloat16" in caplog.text
    ops = ops_of(found)
    assert ops["BMatMul"] >= 4
    for name, y in interpret(found, feeds).items():
        error = np.abs(y - expected[name]).mean() / np.abs(expected[name]).mean()
        assert 0 < error < 2e-2


def test_machines_without_the_instructions_refuse():
    graph = tokens()
    if multiplies_bfloat16(EngineOptions()):
        compile_graph(graph, precision="bf16").close()
    else:
        with pytest.raises(ConfigurationError, match=r"no products of bfloat16 .*name the tier"):
            compile_graph(graph, precision="bf16")
    compile_graph(graph, precision="bf16", isa="scalar").close()
