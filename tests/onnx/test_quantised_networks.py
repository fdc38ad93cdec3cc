"""Networks that onnxruntime's own tools have quantised, beside onnxruntime."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static

import pyhades
from pyhades.passes import optimise
from tests.support.quantised_models import Calibration, run_as_written, run_ours, small_network

SHAPE = (1, 3, 16, 16)


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "float.onnx"
    onnx.save(small_network(), str(path))
    return path


@pytest.fixture
def feeds():
    return {"x": np.random.default_rng(9).standard_normal(SHAPE).astype(np.float32)}


def static(network, folder, style, activations, weights, **options):
    path = folder / "static.onnx"
    quantize_static(
        str(network),
        str(path),
        Calibration("x", SHAPE),
        quant_format=QuantFormat[style],
        activation_type=QuantType[activations],
        weight_type=QuantType[weights],
        **options,
    )
    return path


def differences(y, want):
    """In steps of the grid that the numbers lie on."""
    step = np.diff(np.unique(want)).min()
    return np.abs(y.astype(np.float64) - want) / step


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(
    ("activations", "weights"), [("QUInt8", "QInt8"), ("QInt8", "QInt8"), ("QUInt8", "QUInt8")]
)
def test_static(network, tmp_path, feeds, activations, weights, per_channel):
    options = {"per_channel": per_channel, "reduce_range": True}
    path = static(network, tmp_path, "QDQ", activations, weights, **options)
    mask, scores, classes, features = map(
        differences, run_ours(path, feeds), run_as_written(path, feeds)
    )
    # A number that is half a step from two points is off by a step, and its products by some.
    assert max(scores.max(), classes.max(), features.max()) < 5
    assert max(np.mean(y > 0.01) for y in (mask, classes, features)) < 0.03


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(
    ("activations", "weights"), [("QUInt8", "QInt8"), ("QInt8", "QInt8"), ("QUInt8", "QUInt8")]
)
@pytest.mark.parametrize("isa", ["scalar", "avx2"])
def test_static_as_operators(network, tmp_path, feeds, isa, activations, weights, per_channel):
    """onnxruntime multiplies the integers themselves; so do we, in effect."""
    options = {"per_channel": per_channel, "reduce_range": True}
    path = static(network, tmp_path, "QOperator", activations, weights, **options)
    for y, want in zip(run_ours(path, feeds, isa=isa), run_as_written(path, feeds), strict=True):
        assert np.array_equal(y, want)


@pytest.mark.parametrize("activations", ["QInt16", "QUInt16"])
def test_static_with_16_bits(network, tmp_path, feeds, activations):
    path = static(network, tmp_path, "QDQ", activations, "QInt8", per_channel=True)
    for y, want in zip(run_ours(path, feeds), run_as_written(path, feeds), strict=True):
        assert np.abs(y - want).max() <= 2e-4 * max(1, np.abs(want).max())


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("weights", ["QInt8", "QUInt8"])
def test_dynamic(network, tmp_path, feeds, weights, per_channel):
    path = tmp_path / "dynamic.onnx"
    quantize_dynamic(
        str(network), str(path), weight_type=QuantType[weights], per_channel=per_channel
    )
    for y, want in zip(run_ours(path, feeds), run_as_written(path, feeds), strict=True):
        np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-6)


def test_integers_disappear(network, tmp_path):
    """Neither casts nor steps on their own are left: grids are in the chains around them."""
    path = static(network, tmp_path, "QDQ", "QUInt8", "QInt8", per_channel=True)
    graph = optimise(pyhades.load_onnx(path))
    assert not {node.op for node in graph.nodes} & {"Cast", "Round", "Div", "Clip", "Sub"}
    convolutions = [node for node in graph.nodes if node.op.startswith("QConv")]
    assert len(convolutions) == 4
    for node in convolutions:
        x, weight, *_ = node.inputs
        assert x.type.dtype == np.uint8
        assert weight.type.dtype == np.int8


def trained(name: str) -> Path:
    folder = os.environ.get("PYHADES_REAL_MODELS")
    if not folder:
        pytest.skip("PYHADES_REAL_MODELS names no folder with trained networks")
    path = Path(folder) / name
    if not path.exists():
        pytest.skip(f"{path} does not exist")
    return path


def photograph(side: int, name: str = "portrait") -> np.ndarray:
    from PIL import Image

    folder = Path(pyhades.__file__).parent / "segmentation" / "data"
    with Image.open(folder / f"{name}.jpg") as image:
        pixels = np.asarray(image.convert("RGB").resize((side, side)), np.float32) / 255
    mean, deviation = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    return ((pixels - mean) / deviation).transpose(2, 0, 1)[None].copy()


@pytest.mark.parametrize("weights", ["QInt8", "QUInt8"])
def test_trained_network(tmp_path, weights):
    source = trained("u2netp.onnx")
    path = tmp_path / "u2netp.onnx"
    quantize_dynamic(str(source), str(path), weight_type=QuantType[weights], per_channel=True)
    feeds = {onnx.load(path).graph.input[0].name: photograph(320)}
    y, want = run_ours(path, feeds)[0], run_as_written(path, feeds)[0]
    assert np.abs(y - want).mean() < 1e-3
    assert ((y > 0.5) != (want > 0.5)).mean() < 1e-4


class Photographs(Calibration):
    """The pictures that are shipped."""

    def __init__(self, name):
        self._feeds = iter([{name: photograph(320, picture)} for picture in ("pet", "mug")])


def test_trained_network_as_operators(tmp_path):
    """Equal to the last bit, through 119 convolutions."""
    source = trained("u2netp.onnx")
    path, name = tmp_path / "u2netp.onnx", onnx.load(source).graph.input[0].name
    quantize_static(
        str(source),
        str(path),
        Photographs(name),
        quant_format=QuantFormat.QOperator,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QUInt8,
    )
    feeds = {name: photograph(320)}
    y, want = run_ours(path, feeds)[0], run_as_written(path, feeds)[0]
    assert np.array_equal(y, want)
