"""A remover on a network that runs in stages."""

from __future__ import annotations

import numpy as np
import onnx.parser
from PIL import Image

import pyhades
from pyhades.compiler.stages import StagedProgram
from pyhades.segmentation import ModelManifest, Remover
from pyhades.segmentation.network import CompiledNetwork

TEXT = """
<ir_version: 8, opset_import: ["" : 17]>
agraph (float[1,3,h,w] x) => (float[1,1,h,w] y)
<float half = {0.5}>
{
    mean = ReduceMean <keepdims = 0> (x)
    is_bright = Greater(mean, half)
    grey = ReduceMean <axes = [1]> (x)
    y = If (is_bright) <
        then_branch = a () => (float[1,1,h,w] p) { one = Constant <value = float {1}> () p = Sub(one, grey) },
        else_branch = b () => (float[1,1,h,w] q) { q = Identity(grey) }
    >
}
"""  # noqa: E501
"""What is brighter than the ground of a dark picture, or darker than that of a bright one."""


def test_pictures_lead_to_different_stages():
    graph = pyhades.load_onnx(onnx.parser.parse_model(TEXT).SerializeToString())
    program = pyhades.compile(graph, input_shapes={"x": (1, 3, 16, 16)})
    assert isinstance(program, StagedProgram)
    manifest = ModelManifest("choice", (16, 16), scale="1/255", mean=0.0, std=1.0)
    with Remover.from_network(CompiledNetwork(graph), manifest) as remover:
        for ground, thing in [(20, 240), (235, 15), (30, 220)]:
            pixels = np.full((16, 16, 3), ground, np.uint8)
            pixels[5:10, 5:10] = thing
            alpha = np.asarray(remover(Image.fromarray(pixels), output="mask"))
            inside = alpha[6:9, 6:9].mean()
            assert inside > 2 * alpha[0].mean()
