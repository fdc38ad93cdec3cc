"""What an output means is read off the graph, and the matte is what onnxruntime's output says."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import Remover, load_onnx
from pyhades.errors import ModelError
from pyhades.segmentation.catalogue import identify
from tests.support.segmentation_models import (
    BOOL,
    DOUBLE,
    FLOAT,
    FLOAT16,
    INT64,
    SIDE,
    UINT8,
    constant,
    disc,
    model,
    node,
    scores,
)

MAP = [1, 1, SIDE, SIDE]
ONE = [[9, 0]]
"""Logits of one channel: brightness above the mean (after ImageNet's normalisation)."""
TWO = [[0, 0], [9, 0]]
MANY = [[-9, 0], *[[0, -5]] * 14, [9, 0], *[[0, -5]] * 5]
"""Background, and an object of class 15 of 21."""


def tail(*nodes):
    return [*scores(ONE), *nodes]


def two(*nodes):
    return [*scores(TWO), *nodes]


def many(*nodes):
    return [*scores(MANY), *nodes]


SIGMOID = node("Sigmoid", "l", "s")
SOFTMAX = node("Softmax", "l", "s", axis=1)
PLANES = [1, 2, SIDE, SIDE]

NETWORKS = {
    "logits": (tail(node("Identity", "l", "y")), MAP, FLOAT),
    "sigmoid": (tail(SIGMOID, node("Identity", "s", "y")), MAP, FLOAT),
    "sigmoid, cast": (
        tail(SIGMOID, node("Cast", "s", "h", to=FLOAT16), node("Cast", "h", "y", to=FLOAT)),
        MAP, FLOAT,
    ),
    "sigmoid, half out": (tail(SIGMOID, node("Cast", "s", "y", to=FLOAT16)), MAP, FLOAT16),
    "sigmoid, double out": (tail(SIGMOID, node("Cast", "s", "y", to=DOUBLE)), MAP, DOUBLE),
    "sigmoid, squeezed": (
        tail(SIGMOID, constant("axes", [1], np.int64), node("Squeeze", "s axes", "y")),
        [1, SIDE, SIDE], FLOAT,
    ),
    "sigmoid, plane": (
        tail(SIGMOID, constant("axes", [0, 1], np.int64), node("Squeeze", "s axes", "y")),
        [SIDE, SIDE], FLOAT,
    ),
    "sigmoid, reshaped": (
        tail(SIGMOID, constant("shape", [1, SIDE, SIDE, 1], np.int64),
             node("Reshape", "s shape", "y")),
        [1, SIDE, SIDE, 1], FLOAT,
    ),
    "sigmoid, resized": (
        tail(constant("sizes", [1, 1, 16, 16], np.int64),
             node("Resize", "l - - sizes", "small", mode="linear"), node("Sigmoid", "small", "s"),
             constant("full", MAP, np.int64), node("Resize", "s - - full", "y", mode="linear")),
        MAP, FLOAT,
    ),
    "sigmoid by exponentials": (
        tail(node("Neg", "l", "n"), node("Exp", "n", "e"), constant("one", 1, np.float32),
             node("Add", "e one", "d"), node("Div", "one d", "y")),
        MAP, FLOAT,
    ),
    "sigmoid of 0..255": (
        tail(SIGMOID, constant("k", 255, np.float32), node("Mul", "s k", "y")), MAP, FLOAT,
    ),
    "bytes": (
        tail(SIGMOID, constant("k", 255, np.float32), node("Mul", "s k", "f"),
             node("Cast", "f", "y", to=UINT8)),
        MAP, UINT8,
    ),
    "hard sigmoid": (tail(node("HardSigmoid", "l", "y")), MAP, FLOAT),
    "clipped": (
        tail(constant("a", 0, np.float32), constant("b", 1, np.float32),
             node("Clip", "l a b", "y")),
        MAP, FLOAT,
    ),
    "tanh": (tail(node("Tanh", "l", "y")), MAP, FLOAT),
    "tanh, moved to 0..1": (
        tail(node("Tanh", "l", "t"), constant("one", 1, np.float32),
             constant("half", 0.5, np.float32), node("Add", "t one", "u"),
             node("Mul", "u half", "y")),
        MAP, FLOAT,
    ),
    "stretched inside": (
        tail(SIGMOID, node("ReduceMax", "s", "hi"), node("ReduceMin", "s", "lo"),
             node("Sub", "s lo", "a"), node("Sub", "hi lo", "b"), node("Div", "a b", "y")),
        MAP, FLOAT,
    ),
    "without an upper bound": (tail(node("Relu", "l", "y")), MAP, FLOAT),
    "threshold": (
        tail(SIGMOID, constant("k", 0.5, np.float32), node("Greater", "s k", "g"),
             node("Cast", "g", "y", to=FLOAT)),
        MAP, FLOAT,
    ),
    "truth values": (
        tail(constant("k", 0, np.float32), node("Greater", "l k", "y")), MAP, BOOL,
    ),
    "rank 5": (
        tail(SIGMOID, constant("axes", [2], np.int64), node("Unsqueeze", "s axes", "y")),
        [1, 1, 1, SIDE, SIDE], FLOAT,
    ),
    "sigmoid, shuffled": (
        [
            *scores([[9, 0]] * 4),
            node("Sigmoid", "l", "s"),
            node("DepthToSpace", "s", "d", blocksize=2),
            node("AveragePool", "d", "y", kernel_shape=[2, 2], strides=[2, 2]),
        ],
        MAP,
        FLOAT,
    ),
    "two logits": (two(node("Identity", "l", "y")), PLANES, FLOAT),
    "two logits, channels last": (
        two(node("Transpose", "l", "y", perm=[0, 2, 3, 1])), [1, SIDE, SIDE, 2], FLOAT,
    ),
    "two classes": (two(SOFTMAX, node("Identity", "s", "y")), PLANES, FLOAT),
    "two classes, channels last": (
        two(node("Transpose", "l", "t", perm=[0, 2, 3, 1]), node("Softmax", "t", "y", axis=-1)),
        [1, SIDE, SIDE, 2], FLOAT,
    ),
    "logarithms of two classes": (two(node("LogSoftmax", "l", "y", axis=1)), PLANES, FLOAT),
    "softmax by exponentials": (
        two(node("Exp", "l", "e"), constant("axes", [1], np.int64),
            node("ReduceSum", "e axes", "d"), node("Div", "e d", "y")),
        PLANES, FLOAT,
    ),
    "foreground chosen": (
        two(SOFTMAX, constant("i", [1], np.int64), node("Gather", "s i", "y", axis=1)), MAP, FLOAT,
    ),
    "background chosen": (
        two(SOFTMAX, constant("i", [0], np.int64), node("Gather", "s i", "y", axis=1)), MAP, FLOAT,
    ),
    "background sliced": (
        two(SOFTMAX, constant("i", [0], np.int64), constant("j", [1], np.int64),
            node("Slice", "s i j j", "y")),
        MAP, FLOAT,
    ),
    "one minus background": (
        two(SOFTMAX, constant("i", 0, np.int64), node("Gather", "s i", "b", axis=1),
            constant("one", 1, np.float32), node("Sub", "one b", "y")),
        [1, SIDE, SIDE], FLOAT,
    ),
    "split": (
        two(SOFTMAX, node("Split", "s", "b f", axis=1, num_outputs=2),
            node("Identity", "f", "y")),
        MAP, FLOAT,
    ),
    "labels": (two(node("ArgMax", "l", "y", axis=1, keepdims=0)), [1, SIDE, SIDE], INT64),
    "labels as floats": (
        two(node("ArgMax", "l", "k", axis=1), node("Cast", "k", "y", to=FLOAT)), MAP, FLOAT,
    ),
    "labels times 255": (
        two(node("ArgMax", "l", "k", axis=1), node("Cast", "k", "f", to=FLOAT),
            constant("n", 255, np.float32), node("Mul", "f n", "y")),
        MAP, FLOAT,
    ),
    "labels, channels last": (
        two(node("Transpose", "l", "t", perm=[0, 2, 3, 1]),
            node("ArgMax", "t", "y", axis=3, keepdims=0)),
        [1, SIDE, SIDE], INT64,
    ),
    "many logits": (many(node("Identity", "l", "y")), [1, 21, SIDE, SIDE], FLOAT),
    "many classes": (many(SOFTMAX, node("Identity", "s", "y")), [1, 21, SIDE, SIDE], FLOAT),
    "many labels": (many(node("ArgMax", "l", "y", axis=1)), MAP, INT64),
    "labels that are background": (
        many(node("ArgMax", "l", "k", axis=1), constant("zero", 0, np.int64),
             node("Equal", "k zero", "e"), node("Cast", "e", "y", to=FLOAT)),
        MAP, FLOAT,
    ),
    "labels that are not background": (
        many(node("ArgMax", "l", "k", axis=1), constant("zero", 0, np.int64),
             node("Greater", "k zero", "y")),
        MAP, BOOL,
    ),
    "labels chosen between numbers": (
        many(node("ArgMax", "l", "k", axis=1), constant("zero", 0, np.int64),
             node("Equal", "k zero", "e"), constant("no", 0, np.float32),
             constant("yes", 1, np.float32), node("Where", "e no yes", "y")),
        MAP, FLOAT,
    ),
}  # fmt: skip


def check_disc(remover, picture=None):
    """The matte of the disc is the disc, but for a few pixels at its edge."""
    matte = remover.matte(disc() if picture is None else picture)
    y, x = np.mgrid[:SIDE, :SIDE]
    distance = np.hypot(y - SIDE / 2, x - SIDE / 2) - SIDE * 0.3
    assert matte[distance < -5].min() > 200, remover
    assert matte[distance > 5].max() < 60, remover


@pytest.mark.parametrize("name", NETWORKS)
def test_bright_is_foreground(name):
    with Remover(model(*NETWORKS[name]), check=False) as remover:
        check_disc(remover)


def meaning_of(data, **overrides):
    return identify(load_onnx(data), **overrides)


def test_a_guess_tells_what_it_follows_from(caplog):
    found = meaning_of(model(*NETWORKS["sigmoid, cast"]))
    assert "Sigmoid 'the s', through Cast" in "".join(found.reasons)
    assert "Sigmoid 'the s', through Cast" in caplog.text
    assert found.manifest.activation == "none"


def test_the_caller_says_which_classes_are_foreground():
    data = model(*NETWORKS["many classes"])
    assert meaning_of(data).manifest.background == 0
    chosen = meaning_of(data, foreground=[15, 3]).manifest
    assert (chosen.foreground, chosen.background) == ((15, 3), None)
    for classes in (15, [3, 15]):
        with Remover(data, foreground=classes, check=False) as remover:
            check_disc(remover)
    with Remover(model(*NETWORKS["many labels"]), foreground=[15], check=False) as remover:
        check_disc(remover)
    with Remover(data, foreground=3, check=False) as remover:
        assert remover.matte(disc()).max() == 0


@pytest.mark.parametrize(
    ("network", "named", "said"),
    [
        ("logits", {"foreground": 99}, "foreground=99, but output 0 has one channel, 0"),
        ("sigmoid, reshaped", {"foreground": [0, 1]}, "foreground=1, but output 0 has one"),
        ("logits", {"background": 1}, "background=1"),
        ("many classes", {"foreground": (3, 21)}, "foreground=21, .* 21 channels, 0 to 20"),
        ("many classes", {"foreground": 21, "activation": "argmax"}, "foreground=21"),
    ],
    ids=["plane", "channels last", "background", "classes", "argmax"],
)
def test_classes_that_are_not_there_are_refused_when_opening(network, named, said):
    with pytest.raises(ModelError, match=said):
        Remover(model(*NETWORKS[network]), check=False, **named)


SIDES = [*tail(), *(node("Identity", "l", f"d{i}") for i in range(1, 4))]
FUSED = [
    *SIDES, node("Concat", "d1 d2 d3", "all", axis=1), constant("axes", [1], np.int64),
    node("ReduceMean", "all axes", "f"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("nodes", "outputs", "chosen", "reason"),
    [
        (FUSED, ["f", "d1", "d2", "d3"], "f", "everything that the others are made of"),
        (FUSED, ["d1", "d2", "d3", "f"], "f", "everything that the others are made of"),
        (SIDES, ["d1", "d2", "d3"], "d1", "first of equals"),
        (SIDES, ["x3", "pha", "d2"], "pha", "by its name"),
        (SIDES, ["x3", "feature_mask_2", "d2"], "feature_mask_2", "by its name"),
    ],
)
def test_of_several_maps_the_fused_one_is_taken(nodes, outputs, chosen, reason):
    given = {output.name for output in ()} | {o for n in nodes for o in n.output}
    extra = [node("Identity", "l", name) for name in outputs if name not in given]
    found = meaning_of(model([*nodes, *extra], dict.fromkeys(outputs, MAP)))
    assert outputs[found.manifest.output] == chosen
    assert reason in found.reasons[1]


def test_of_several_maps_the_finest_is_taken():
    nodes = [*tail(), node("MaxPool", "l", "small", kernel_shape=[2, 2], strides=[2, 2]),
             node("Identity", "l", "large")]  # fmt: skip
    data = model(nodes, {"small": [1, 1, 32, 32], "large": MAP})
    assert meaning_of(data).manifest.output == 1
    assert "it is the finest" in meaning_of(data).reasons[1]
    assert meaning_of(data, output=0).manifest.output == 0
    assert "output 'small' was asked for" in meaning_of(data, output="small").reasons


def test_a_map_at_a_quarter_of_the_size_is_enlarged():
    nodes = [*tail(node("MaxPool", "l", "y", kernel_shape=[4, 4], strides=[4, 4]))]
    data = model(nodes, [1, 1, 16, 16])
    assert "16 x 16 for an input of 64 x 64" in "".join(meaning_of(data).reasons)
    with Remover(data, check=False) as remover:
        check_disc(remover)


def rows(*shape):
    """Nodes whose output has a shape that is no map."""
    return [constant("shape", shape, np.int64), constant("zero", np.zeros(shape, np.float32)),
             constant("axes", [0, 1, 2, 3], np.int64),
             node("ReduceMean", "x axes", "m", keepdims=0), node("Add", "m zero", "y")]  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "complaint"),
    [
        ([], "a single number"),
        ([1, 10], "one row of 10 numbers for a picture, as a classifier gives"),
        ([1, 10, 1, 1], "as a classifier gives"),
        ([1, 100, 85], "as detectors \\(boxes\\) and transformers"),
        ([1, 256, 4, 4], "features for another network"),
    ],
)
def test_outputs_that_are_no_mask_are_refused_by_name(shape, complaint):
    nodes = rows(*shape) if shape else rows()
    with pytest.raises(ModelError, match=f"output 'y' has shape .*{complaint}.*pyhades.compile"):
        Remover(model(nodes, shape))


def test_instance_segmentation_is_refused_by_name():
    def both(first, second):
        nodes = [*rows(*first)[:-1], node("Add", "m zero", "a"), node("Add", "m one", "b")]
        nodes.insert(0, constant("one", np.zeros(second, np.float32)))
        return model(nodes, {"a": first, "b": second})

    with pytest.raises(ModelError, match="32 prototypes of their masks: an instance segmentation"):
        meaning_of(both([1, 116, 84], [1, 32, 16, 16]))
    with pytest.raises(ModelError, match="each of 20 queries, and 'a' their classes"):
        meaning_of(both([1, 20, 134], [1, 20, 16, 16]))


@pytest.mark.parametrize("batch", [1, 4, "n"])
def test_inputs_with_channels_last_and_a_fixed_batch(batch):
    nodes = [node("Transpose", "p", "x", perm=[0, 3, 1, 2]), *tail(SIGMOID),
             node("Transpose", "s", "y", perm=[0, 2, 3, 1])]  # fmt: skip
    data = model(nodes, [batch, SIDE, SIDE, 1], inputs={"p": [batch, SIDE, SIDE, 3]})
    with Remover(data, check=False) as remover:
        assert remover.manifest.output_layout == "nhwc"
        check_disc(remover)


def test_a_batch_that_cannot_be_changed_is_filled():
    nodes = [*tail(SIGMOID), constant("shape", [4, 1, SIDE, SIDE], np.int64),
             node("Reshape", "s shape", "y")]  # fmt: skip
    data = model(nodes, [4, 1, SIDE, SIDE], inputs={"x": [4, 3, SIDE, SIDE]})
    with Remover(data, check=False) as remover:
        check_disc(remover)


@pytest.mark.parametrize(
    ("dtype", "first", "fields"),
    [
        (UINT8, [node("Cast", "p", "f", to=FLOAT), constant("k", 1 / 128, np.float32),
                 node("Mul", "f k", "u"), constant("one", 1, np.float32),
                 node("Sub", "u one", "x")], (0, 1 / 255)),
        (FLOAT, [constant("k", 255, np.float32), node("Div", "p k", "u"),
                 constant("m", [[[0.5]], [[0.5]], [[0.5]]], np.float32),
                 node("Sub", "u m", "x")], (0, 1 / 255)),
        (FLOAT, [constant("m", [[[0.5]], [[0.5]], [[0.5]]], np.float32),
                 node("Sub", "p m", "x")], (0, 1)),
        (FLOAT, [node("Identity", "p", "x")], (0.485, 0.229)),
        (DOUBLE, [node("Cast", "p", "x", to=FLOAT)], (0.485, 0.229)),
        (FLOAT16, [node("Cast", "p", "x", to=FLOAT)], (0.485, 0.229)),
    ],
)  # fmt: skip
def test_what_the_graph_normalises_itself_is_not_normalised_before(dtype, first, fields):
    nodes = [*first, *tail(node("Sigmoid", "l", "y"))]
    data = model(nodes, MAP, inputs={"p": [1, 3, SIDE, SIDE]}, input_dtype=dtype)
    with Remover(data, check=False) as remover:
        assert (remover.manifest.mean[0], remover.manifest.std[0]) == pytest.approx(fields)
        check_disc(remover)
