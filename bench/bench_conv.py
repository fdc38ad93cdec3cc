"""Convolutions with their weights packed, beside the roof of each tier and onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest

from bench.compute import benchmark_compute
from bench.products import Convolution, Product, benchmark_product
from pyhades import _native

# name: (channels, outputs, size, kernel, stride, pad, dilation, groups)
TUNED = {
    "stage_3x3": (64, 64, 80, 3, 1, 1, 1, 1),
    "narrow_3x3": (64, 16, 160, 3, 1, 1, 1, 1),
    "deep_3x3": (256, 256, 20, 3, 1, 1, 1, 1),
    "dilated_3x3": (256, 256, 20, 3, 1, 4, 4, 1),
    "first_3x3": (3, 64, 160, 3, 1, 1, 1, 1),
    "pointwise": (256, 64, 96, 1, 1, 0, 1, 1),
    "patch_embedding": (3, 128, 384, 4, 4, 0, 1, 1),
    "depthwise": (128, 128, 96, 3, 1, 1, 1, 128),
    "side_output": (64, 1, 160, 3, 1, 1, 1, 1),
    "winograd_3x3": (64, 64, 80, 3, 1, 1, 1, 1),
}
"""Of U²-Net and InSPyReNet."""

FOREIGN = {
    "expand": (16, 96, 128, 1, 1, 0, 1, 1),
    "expand_wide": (160, 960, 20, 1, 1, 0, 1, 1),
    "project": (96, 24, 64, 1, 1, 0, 1, 1),
    "project_deep": (1280, 320, 16, 1, 1, 0, 1, 1),
    "squeeze": (960, 240, 1, 1, 1, 0, 1, 1),
    "classifier": (256, 4, 80, 1, 1, 0, 1, 1),
    "depthwise_3x3": (960, 960, 20, 3, 1, 1, 1, 960),
    "depthwise_3x3_s2": (96, 96, 128, 3, 2, 1, 1, 96),
    "depthwise_3x3_d12": (960, 960, 20, 3, 1, 12, 12, 960),
    "depthwise_5x5": (672, 672, 20, 5, 1, 2, 1, 672),
    "depthwise_7x7": (384, 384, 16, 7, 1, 3, 1, 384),
    "grouped_4": (64, 64, 80, 3, 1, 1, 1, 16),
    "grouped_8": (256, 256, 28, 3, 1, 1, 1, 32),
    "stem_7x7_s2": (3, 64, 224, 7, 2, 3, 1, 1),
    "stem_3x3_s2": (3, 16, 320, 3, 2, 1, 1, 1),
    "head_3x3": (32, 16, 256, 3, 1, 1, 1, 1),
    "small_map": (512, 512, 8, 3, 1, 1, 1, 1),
}
"""Of EfficientNet, MobileNet, ConvNeXt, ResNeXt and decoders."""

CASES = TUNED | FOREIGN


def convolution(name: str, isa: str, threads: int = 1) -> Product:
    case = Convolution(*CASES[name])
    read, weights, made = case.shapes
    rng = np.random.default_rng(0)
    w, x = rng.standard_normal(weights, np.float32), rng.standard_normal(read, np.float32)
    algorithm = "winograd" if name.startswith("winograd") else "auto"
    attributes = {**case.attributes, "algorithm": algorithm}
    y = np.empty(made, np.float32)
    return Product("conv2d", x, y, case.views, [w, None, None], attributes, isa, threads)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CASES)
def bench_conv(benchmark, name, isa, threads):
    benchmark_product(benchmark, convolution, name, isa, threads)


@pytest.mark.parametrize("name", CASES)
def bench_onnxruntime(benchmark, name):
    """The same on onnxruntime with one thread, planar images in and out."""
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(single_node_model(name), options)
    channels, _, size, *_ = CASES[name]
    x = {"x": np.random.default_rng(0).standard_normal((1, channels, size, size), np.float32)}
    operations = convolution(name, "scalar").operations
    benchmark.group = name
    benchmark_compute(benchmark, lambda: session.run(None, x), operations, _native.tier_name())


def single_node_model(name: str) -> bytes:
    """A Conv with a Relu behind it."""
    from onnx import TensorProto, helper, numpy_helper

    channels, outputs, size, kernel, stride, pad, dilation, groups = CASES[name]
    shape = (outputs, channels // groups, kernel, kernel)
    w = np.random.default_rng(0).standard_normal(shape, np.float32)
    attributes = {"strides": [stride] * 2, "pads": [pad] * 4, "dilations": [dilation] * 2}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"], group=groups, **attributes),
        helper.make_node("Relu", ["h"], ["y"]),
    ]
    x, y = (
        helper.make_tensor_value_info(tensor, TensorProto.FLOAT, extents)
        for tensor, extents in (("x", (1, channels, size, size)), ("y", None))
    )
    graph = helper.make_graph(nodes, name, [x], [y], [numpy_helper.from_array(w, "w")])
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
