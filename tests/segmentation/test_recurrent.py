"""Networks that carry what they saw from frame to frame, and inputs beside the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from pyhades import Remover, load_onnx
from pyhades.errors import ArgumentError, ModelError
from pyhades.segmentation.catalogue import identify
from pyhades.segmentation.meaning import State, plan_inputs
from tests.architectures.weights import read
from tests.support.segmentation_models import SIDE, constant, model, node, scores

GRAPHS = Path(__file__).parents[1] / "architectures" / "graphs"
MAP = [1, 1, SIDE, SIDE]


def memory(state=("r1i", "r1o"), shape=MAP, has_ratio=False):
    """``pha`` is the mean of this frame's brightness and of what was seen before."""
    before, after = state
    inputs = {"src": [1, 3, SIDE, SIDE], before: shape}
    nodes = [
        node("Identity", "src", "x"),
        *scores([[1, 0]]),
        node("Sigmoid", "l", "s"),
        node("Add", f"s {before}", "sum"),
        constant("half", 0.5, np.float32),
        node("Mul", "sum half", after),
        node("Identity", "src", "fgr"),
    ]
    if has_ratio:
        inputs["downsample_ratio"] = [1]
        nodes.append(node("Mul", f"{after} downsample_ratio", "pha"))
    else:
        nodes.append(node("Identity", after, "pha"))
    return model(nodes, {"fgr": [1, 3, SIDE, SIDE], "pha": MAP, after: MAP}, inputs=inputs)


def frames(count=4):
    rng = np.random.default_rng(3)
    return [rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8) for _ in range(count)]


def expected(data, pictures, shape=MAP, **others):
    """The mattes of onnxruntime, with the state carried by hand."""
    session = onnxruntime.InferenceSession(data)
    state = np.zeros(shape, np.float32)
    found = []
    for picture in pictures:
        x = picture.transpose(2, 0, 1)[None].astype(np.float32) / 255
        pha, state = session.run(["pha", "r1o"], {"src": x, "r1i": state, **others})
        found.append(pha[0, 0])
    return found


FIELDS = {"mean": 0, "std": 1, "activation": "none", "range": "none", "check": False}


@pytest.mark.parametrize("shape", [MAP, [1, "c", "h", "w"]])
def test_states_are_carried_from_frame_to_frame(shape):
    data, pictures = memory(shape=shape), frames()
    start = [s if isinstance(s, int) else 1 for s in shape]
    with Remover(data, **FIELDS) as remover:
        assert remover.manifest.output == 1
        for _ in range(2):  # every call begins anew
            cut = list(remover.frames(pictures, output="mask"))
            for mask, want in zip(cut, expected(data, pictures, start), strict=True):
                assert np.abs(np.asarray(mask) / 255 - want).max() < 0.003
        alone = remover.matte(pictures[1], dtype=np.float32)
        assert np.abs(alone - expected(data, pictures[1:2], start)[0]).max() < 1e-5


def test_a_change_of_size_begins_anew():
    data = memory(shape=[1, "c", "h", "w"])
    small, large = frames(2), [np.kron(f, np.ones((2, 2, 1), np.uint8)) for f in frames(2)]
    with Remover(data, **FIELDS) as remover:
        list(remover.frames([*small, *large]))


def test_frames_of_a_network_without_memory(remover, photo):
    masks = [np.asarray(m) for m in remover.frames([photo, photo], output="mask")]
    np.testing.assert_array_equal(masks[0], remover.matte(photo))
    np.testing.assert_array_equal(masks[1], masks[0])


def test_an_error_in_a_frame_ends_the_video(remover, photo):
    results = remover.frames([photo, b"no picture"])
    assert next(results).size == (120, 90)
    with pytest.raises(Exception, match="not an image"):
        next(results)


@pytest.mark.parametrize(
    "names",
    [("r1i", "r1o"), ("state_in", "state_out"), ("h_prev", "h_next"), ("past_x", "present_x"),
     ("mem", "new_mem")],
)  # fmt: skip
def test_states_are_found_by_their_names(names):
    plan = plan_inputs(load_onnx(memory(names)))
    assert plan.states == (State(*names),) and plan.picture == "src"


def test_states_may_be_told():
    graph = load_onnx(memory(("a", "b")))
    with pytest.raises(ModelError, match=r"nothing is known to feed 'a'.*states="):
        identify(graph)
    assert identify(graph, states={"a": "b"}).inputs.states == (State("a", "b"),)
    with pytest.raises(ModelError, match="names an input or output that the graph has not"):
        identify(graph, states={"a": "c"})


@pytest.mark.parametrize("given", [0.5, [0.5]])
def test_inputs_that_are_always_fed_the_same(given):
    data, pictures = memory(has_ratio=True), frames(2)
    ratio = np.full(1, 0.5, np.float32)
    want = expected(data, pictures, downsample_ratio=ratio)
    with Remover(data, constants={"downsample_ratio": given}, **FIELDS) as remover:
        masks = list(remover.frames(pictures, output="mask"))
    assert np.abs(np.asarray(masks[1]) / 255 - want[1]).max() < 0.003
    graph = load_onnx(data)
    assert "looks at the whole picture" in "".join(identify(graph).reasons)
    with pytest.raises(ArgumentError, match="has shape \\(2,\\), the input \\(1,\\)"):
        identify(graph, constants={"downsample_ratio": [1, 2]})
    with pytest.raises(ModelError, match="'ratio', which is none of the inputs"):
        identify(graph, constants={"ratio": 1})


@pytest.mark.parametrize(
    ("name", "shape", "complaint"),
    [
        ("trimap", MAP, "'trimap' .*a trimap, which Remover has not"),
        ("point_coords", [1, 2, 2], "prompts, which Remover has not"),
        ("bgr", [1, 3, SIDE, SIDE], "a second picture"),
        ("input_ids", [1, 16], "tokens of a text"),
    ],
)
def test_inputs_that_nothing_feeds_are_named(name, shape, complaint):
    nodes = [*scores([[1, 0]]), node("Identity", "l", "y")]
    data = model(nodes, {"y": MAP}, inputs={"x": [1, 3, SIDE, SIDE], name: shape})
    with pytest.raises(ModelError, match=f"has one input.*{complaint}.*pyhades.compile"):
        identify(load_onnx(data))


def test_which_input_takes_the_picture_may_be_told():
    nodes = [node("Add", "a b", "x"), *scores([[1, 0]]), node("Sigmoid", "l", "y")]
    shape = [1, 3, SIDE, SIDE]
    graph = load_onnx(model(nodes, {"y": MAP}, inputs={"a": shape, "b": shape}))
    zeros = {"a": np.zeros(shape).tolist()}
    found = identify(graph, input="b", constants=zeros)
    assert found.inputs.picture == "b"
    with pytest.raises(ModelError, match="no input 'c' for the picture"):
        identify(graph, input="c")


def test_robust_video_matting_over_frames(tmp_path: Path) -> None:
    """Four states that are one number each before the first frame, and a ratio."""
    data = read(GRAPHS / "rvm_mobilenetv3.onnx.xz").SerializeToString()
    path = tmp_path / "rvm.onnx"
    path.write_bytes(data)
    session = onnxruntime.InferenceSession(data)
    ratio = np.array([0.5], np.float32)
    state = {f"r{i}i": np.zeros((1, 1, 1, 1), np.float32) for i in range(1, 5)}
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (3, 160, 224, 3), dtype=np.uint8)
    settings = {"input_size": (160, 224), "policy": "stretch"}
    with Remover(path, check=False, constants={"downsample_ratio": 0.5}, **settings) as remover:
        masks = [np.asarray(mask) for mask in remover.frames(frames, output="mask")]
    for frame, have in zip(frames, masks, strict=True):
        picture = (frame.astype(np.float32) / 255).transpose(2, 0, 1)[None]
        found = session.run(None, {"src": picture, "downsample_ratio": ratio, **state})
        state = {f"r{i}i": found[1 + i] for i in range(1, 5)}
        want = 255 * found[1][0, 0]
        assert want.std() > 10
        assert np.abs(have - want).max() <= 1
    assert len({mask.tobytes() for mask in masks}) == 3
