"""Small networks of the sizes that rembg's sessions feed, and pictures for them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from pyhades.segmentation.catalogue import ENTRIES
from pyhades.segmentation.plausibility import SAMPLES


def network(side, *, logits):
    """A convolution over colours; probabilities, or logits of them."""
    weights = np.random.default_rng(side).normal(0.2, 0.3, (1, 3, 5, 5)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["logit"], pads=[2] * 4)]
    if not logits:
        nodes.append(helper.make_node("Sigmoid", ["logit"], ["mask"]))
    name = "logit" if logits else "mask"
    shape = [1, 1, side, side]
    graph = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weights, "w")],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder in which rembg, and the store, look for models; no checksum is asked for."""
    monkeypatch.setenv("U2NET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MODEL_CHECKSUM_DISABLED", "1")
    monkeypatch.setenv("PYHADES_CACHE", str(tmp_path / "cache"))
    return tmp_path / "home"


@pytest.fixture
def stored(home):
    """Put a network into that folder under the name of a model; its path."""

    def store(name, file=None):
        manifest = ENTRIES[name].profile("rembg")
        model = network(manifest.input_size[0], logits=manifest.activation == "sigmoid")
        path = home / "models" / name / (file or f"{name}.onnx")
        path.parent.mkdir(parents=True)
        onnx.save(model, path)
        return path

    return store


@pytest.fixture(scope="session")
def picture():
    """A photograph of 240 x 160, RGB."""
    with Image.open(SAMPLES[1]) as image:
        return image.convert("RGB").resize((240, 160))


@pytest.fixture(scope="session")
def veiled(picture):
    """The same with an opacity that falls from left to right."""
    image = picture.copy()
    ramp = np.tile(np.linspace(255, 0, image.width).astype(np.uint8), (image.height, 1))
    image.putalpha(Image.fromarray(ramp))
    return image
