"""Weights that are rounded for what they read."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades.ir.ops.convolution import conv_window
from pyhades.numerics.convolution import convolve
from pyhades.options import EngineOptions
from pyhades.segmentation.quantize import moments
from pyhades.segmentation.quantize.grids import (
    grid_between,
    on_weight_grid,
    weight_grid,
    weight_scales,
)
from pyhades.segmentation.quantize.kept import Kept
from pyhades.segmentation.quantize.learned import learn_weights
from pyhades.segmentation.quantize.moments import Moments, _rows
from pyhades.segmentation.quantize.observe import Observer
from pyhades.segmentation.quantize.prepare import prepare
from pyhades.segmentation.quantize.products import find_products
from pyhades.segmentation.quantize.rounding import round_with_feedback
from tests.support.small_networks import Net

RNG = np.random.default_rng(2)


@pytest.mark.parametrize("inputs", [1, 9, 200])
def test_the_error_of_what_is_made_is_less_than_of_nearest(inputs):
    mixing = RNG.normal(size=(inputs, inputs))
    moments = mixing @ mixing.T
    steps = RNG.normal(size=(7, inputs)) * 20
    rounded = round_with_feedback(steps, moments, 127)
    assert np.array_equal(rounded, np.rint(rounded)) and np.abs(rounded).max() <= 127

    def error(integers):
        off = integers - steps
        return np.einsum("oi,ij,oj->", off, moments, off)

    nearest = error(np.clip(np.rint(steps), -127, 127))
    assert error(rounded) <= nearest * (0.5 if inputs > 9 else 1.0)


def test_nothing_seen_rounds_to_the_nearest():
    steps = RNG.normal(size=(3, 5)) * 200
    rounded = round_with_feedback(steps, np.zeros((5, 5)), 127)
    assert np.array_equal(rounded, np.clip(np.rint(steps), -127, 127))


@pytest.mark.parametrize(
    "how", [{}, {"strides": [2, 1]}, {"dilations": [2, 2]}, {"group": 4}, {"group": 16}]
)
def test_windows_are_those_that_the_convolution_reads(how):
    net = Net()
    x = net.relu(net.conv("first", net.x, 16))
    last = net.conv("last", net.relu(net.conv("inner", x, 32, **how)), 1)
    graph = prepare(net.graph(last))
    product = next(p for p in find_products(graph) if p.name == "inner")
    x = RNG.normal(size=(1, 16, 9, 11)).astype(np.float32)
    w = product.weight.data
    rows = _rows(product, x, 10**9, RNG)
    groups = how.get("group", 1)
    made = rows @ w.reshape(groups, 32 // groups, -1).swapaxes(1, 2)
    window = conv_window(product.node, x.shape, w.shape)
    wanted = convolve(x, w, None, window, groups).reshape(groups, 32 // groups, -1)
    # In another order: one part of the picture after the other.
    for found, each in zip(np.sort(made, axis=1), np.sort(wanted, axis=2), strict=True):
        assert np.allclose(found, each.T, atol=1e-4)


@pytest.mark.parametrize("most", [10**6, 40])
@pytest.mark.parametrize("name", ["groups", "inner"])
def test_weights_that_are_learned_make_less_error(name, most, monkeypatch):
    monkeypatch.setattr(moments, "MOST_INPUTS", most)
    net = Net()
    x = net.relu(net.conv("groups", net.relu(net.conv("first", net.x, 16)), 16, group=2))
    graph = prepare(net.graph(net.conv("last", net.relu(net.conv("inner", x, 24)), 1)))
    product = next(p for p in find_products(graph) if p.name == name)
    data = product.weight.data
    scales = weight_scales(data, 0, "largest", 100)
    grids = {product.x: grid_between(0.0, 0.01)}
    feeds = [{"x": RNG.random((1, 3, 32, 32), np.float32)} for _ in range(3)]
    learned = learn_weights(
        graph, [product], grids, {name: scales}, [lambda f=f: f for f in feeds],
        EngineOptions(threads=1), lambda *_: None,
    )[name]  # fmt: skip
    nearest = on_weight_grid(data, weight_grid(scales, 0))
    assert learned.shape == data.shape and np.array_equal(
        learned, on_weight_grid(learned, weight_grid(scales, 0))
    )
    observer = Observer(graph, {product.x: 1}, EngineOptions(threads=1))
    ((_, seen),) = observer.pass_along(feeds[0])
    observer.close()
    window = conv_window(product.node, seen.shape, data.shape)
    groups = product.node.attributes.get("group", 1)
    errors = [
        np.var(convolve(seen, w - data, None, window, groups), axis=(2, 3)).mean()
        for w in (learned, nearest)
    ]
    assert errors[0] < errors[1] * (0.7 if most > 1000 else 1.0)


def test_moments_leave_out_what_a_bias_makes_up_for():
    found = Moments()
    for _ in range(4):
        found.add(np.ones((2, 30, 3), np.float32) * 5)
    assert found.deviations().shape == (2, 3, 3)
    assert np.abs(found.deviations()).max() < 1e-9


def test_findings_are_kept_and_damaged_ones_made_again(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"a/b": np.arange(3), "c": np.ones((2, 2))}

    for _ in range(2):
        found = Kept(tmp_path, "key").arrays("weights", make)
        assert list(found) == ["a/b", "c"] and found["c"].shape == (2, 2)
    assert len(made) == 1
    (tmp_path / "weights-key.npz").write_bytes(b"PK no archive")
    assert list(Kept(tmp_path, "key").arrays("weights", make)) == ["a/b", "c"] and len(made) == 2
    for number in (0.5, 2.0):
        assert Kept(tmp_path, "key").numbers("ranks").of("x", lambda n=number: n) == 0.5
    assert Kept(None, "key").numbers("ranks").of("x", lambda: 3.0) == 3.0


@pytest.mark.parametrize("largest", [1e-3, np.inf])
def test_moments_that_cannot_be_factored(largest):
    """Of few samples, with what rounding leaves below zero; or of numbers beyond float64."""
    moments = np.diag([1.0, 1.0, -0.2, largest])
    steps = np.array([[0.4, -3.6, 9.0, 1.2]])
    assert np.isfinite(round_with_feedback(steps, moments, 127)).all()
