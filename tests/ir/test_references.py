"""References against onnxruntime over the corners that ONNX's own cases leave out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.onnx_models import check_against_rival

RANDOM = np.random.default_rng(11)


def noise(*shape: int) -> np.ndarray[Any, Any]:
    return RANDOM.normal(size=shape).astype(np.float32)


CONVS: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((2, 3, 7), (4, 3, 3), {"pads": [2, 1], "strides": [2]}),
    ((1, 2, 5, 6, 7), (3, 2, 2, 3, 3), {"dilations": [1, 2, 1], "strides": [1, 1, 2]}),
    ((2, 4, 9, 8), (6, 2, 3, 2), {"group": 2, "pads": [1, 0, 2, 3]}),
    ((1, 6, 9, 8), (6, 1, 5, 5), {"group": 6, "auto_pad": "SAME_UPPER", "strides": [2, 3]}),
    ((1, 6, 9, 8), (12, 1, 3, 3), {"group": 6, "auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ((1, 3, 9, 8), (2, 3, 2, 2), {"auto_pad": "SAME_LOWER"}),
    ((1, 3, 9, 8), (2, 3, 4, 3), {"auto_pad": "VALID", "dilations": [2, 3]}),
]


@pytest.mark.parametrize(("x", "w", "attributes"), CONVS)
@pytest.mark.parametrize("bias", [False, True])
def test_conv(
    x: tuple[int, ...], w: tuple[int, ...], attributes: dict[str, Any], bias: bool
) -> None:
    constants = {"w": noise(*w)} | ({"b": noise(w[0])} if bias else {})
    check_against_rival("Conv", 17, {"x": noise(*x)}, constants, **attributes)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"strides": [2, 3], "output_padding": [1, 2]},
        {"strides": [2, 2], "pads": [1, 0, 0, 2], "dilations": [2, 1]},
        {"strides": [3, 3], "output_shape": [14, 19]},
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
        {"strides": [2, 2], "auto_pad": "SAME_LOWER"},
    ],
)
@pytest.mark.parametrize("group", [1, 2])
def test_conv_transpose(attributes: dict[str, Any], group: int) -> None:
    constants = {"w": noise(4, 3, 3, 3), "b": noise(3 * group)}
    feeds = {"x": noise(2, 4, 5, 6)}
    check_against_rival("ConvTranspose", 17, feeds, constants, group=group, **attributes)


POOLS: list[dict[str, Any]] = [
    {"kernel_shape": [3, 2]},
    {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 3], "strides": [3, 2], "ceil_mode": 1, "pads": [0, 2, 2, 0]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [2, 4], "strides": [2, 3], "auto_pad": "SAME_LOWER"},
    {"kernel_shape": [2, 3], "dilations": [3, 2], "pads": [1, 1, 0, 1]},
]


@pytest.mark.parametrize("attributes", POOLS)
@pytest.mark.parametrize("order", [0, 1])
def test_max_pool_with_indices(attributes: dict[str, Any], order: int) -> None:
    x = noise(2, 3, 9, 8)
    check_against_rival("MaxPool", 12, {"x": x}, outputs=2, storage_order=order, **attributes)


@pytest.mark.parametrize("attributes", POOLS)
@pytest.mark.parametrize("include", [0, 1])
def test_average_pool(attributes: dict[str, Any], include: int) -> None:
    x = noise(2, 3, 9, 8)
    check_against_rival("AveragePool", 19, {"x": x}, count_include_pad=include, **attributes)


COORDINATES = [
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
]
SCALES = [(1.0, 1.0, 2.0, 1.5), (1.0, 1.0, 0.7, 0.4), (1.0, 1.0, 3.0, 0.3)]


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("scales", SCALES)
def test_resize_by_scales(coordinates: str, mode: str, scales: tuple[float, ...]) -> None:
    constants = {"scales": np.array(scales, np.float32)}
    check_against_rival(
        "Resize",
        19,
        {"x": noise(1, 2, 10, 7)},
        constants,
        inputs=["x", "", "scales"],
        mode=mode,
        coordinate_transformation_mode=coordinates,
    )


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("nearest", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize("size", [(20, 14), (5, 16), (1, 3)])
def test_resize_nearest_to_sizes(coordinates: str, nearest: str, size: tuple[int, int]) -> None:
    constants = {"sizes": np.array([1, 2, *size], np.int64)}
    check_against_rival(
        "Resize",
        19,
        {"x": noise(1, 2, 10, 8)},
        constants,
        inputs=["x", "", "", "sizes"],
        mode="nearest",
        nearest_mode=nearest,
        coordinate_transformation_mode=coordinates,
    )


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("size", [(4, 5), (13, 3), (20, 17)])
@pytest.mark.parametrize("exclude", [0, 1])
def test_resize_antialias(mode: str, size: tuple[int, int], exclude: int) -> None:
    constants = {"sizes": np.array([1, 2, *size], np.int64)}
    check_against_rival(
        "Resize",
        18,
        {"x": noise(1, 2, 13, 11)},
        constants,
        inputs=["x", "", "", "sizes"],
        mode=mode,
        antialias=1,
        exclude_outside=exclude,
    )


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
def test_resize_of_named_axes(policy: str) -> None:
    check_against_rival(
        "Resize",
        18,
        {"x": noise(1, 6, 9, 3)},
        {"sizes": np.array([8, 15], np.int64)},
        inputs=["x", "", "", "sizes"],
        mode="linear",
        axes=[1, 2],
        keep_aspect_ratio_policy=policy,
    )


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_resize_crop_extrapolates(mode: str) -> None:
    constants = {
        "roi": np.array([0, 0, 0.4, 0.6, 1, 1, 1.2, 1.7], np.float32),
        "sizes": np.array([1, 1, 6, 5], np.int64),
    }
    check_against_rival(
        "Resize",
        13,
        {"x": noise(1, 1, 8, 8)},
        constants,
        inputs=["x", "roi", "", "sizes"],
        mode=mode,
        coordinate_transformation_mode="tf_crop_and_resize",
        extrapolation_value=10.0,
    )


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
def test_pad_of_named_axes(mode: str) -> None:
    constants = {
        "pads": np.array([1, 2, 3, -1], np.int64),
        "value": np.array(7, np.float32),
        "axes": np.array([-1, 0], np.int64),
    }
    check_against_rival("Pad", 19, {"x": noise(4, 3, 5)}, constants, mode=mode)


BIG = 2**53 + 1


@pytest.mark.parametrize(
    ("op", "a", "b"),
    [
        ("Add", BIG, 2),
        ("Mul", BIG, 3),
        ("Div", BIG, 1),
        ("Div", -7, 2),
        ("Div", 7, -2),
        ("Mod", -7, 3),
        ("Max", BIG, BIG - 1),
    ],
)
def test_integers_are_exact(op: str, a: int, b: int) -> None:
    feeds = {"a": np.array([a], np.int64), "b": np.array([b], np.int64)}
    check_against_rival(op, 13, feeds, atol=0)


@pytest.mark.parametrize(
    ("op", "attributes"),
    [("Not", {}), ("Relu", {}), ("Neg", {}), ("Abs", {}), ("Identity", {})],
)
def test_unary_on_scalars_and_empty_tensors(op: str, attributes: dict[str, Any]) -> None:
    dtype = np.bool_ if op == "Not" else np.float32
    for shape in ((), (0, 3), (2, 1)):
        check_against_rival(op, 14, {"x": np.ones(shape, dtype)}, **attributes)


def test_erf_is_exact_to_float32() -> None:
    check_against_rival("Erf", 13, {"x": np.linspace(-6, 6, 4001, dtype=np.float32)}, atol=3e-7)


@pytest.mark.parametrize("equation", ["bij,bjk->bik", "...ij,jk->...ik", "ij->j", "ii", "bhi,bhj"])
def test_einsum(equation: str) -> None:
    terms = equation.split("->")[0].split(",")
    extents = {"b": 2, "h": 3, "i": 4, "j": 5, "k": 6}
    feeds = {
        f"x{index}": noise(
            *([2, 3] if "..." in term else []), *(extents[c] for c in term.replace("...", ""))
        )
        for index, term in enumerate(terms)
    }
    check_against_rival("Einsum", 12, feeds, equation=equation)


@pytest.mark.parametrize("attributes", POOLS)
@pytest.mark.parametrize("p", [1, 2, 3])
def test_lp_pool(attributes: dict[str, Any], p: int) -> None:
    check_against_rival("LpPool", 18, {"x": noise(2, 3, 9, 8)}, p=p, **attributes)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_global_lp_pool(p: int) -> None:
    for shape in ((2, 3, 9), (2, 3, 9, 8), (1, 2, 3, 4, 5)):
        check_against_rival("GlobalLpPool", 17, {"x": noise(*shape)}, p=p)


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_local_response_normalization(size: int) -> None:
    numbers = {"size": size, "alpha": 0.3, "beta": 0.6, "bias": 1.5}
    check_against_rival("LRN", 13, {"x": noise(2, 5, 4, 3)}, **numbers)


@pytest.mark.parametrize("align_corners", [0, 1])
def test_affine_grid(align_corners: int) -> None:
    for shape, size in (((2, 2, 3), [2, 3, 5, 4]), ((1, 3, 4), [1, 2, 3, 4, 2])):
        constants = {"size": np.array(size, np.int64)}
        feeds = {"theta": noise(*shape)}
        check_against_rival("AffineGrid", 20, feeds, constants, align_corners=align_corners)


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("opset", [10, 16])
def test_roi_align(opset: int, mode: str) -> None:
    rois = np.float32([[0.3, 1.2, 7.7, 6.9], [5.1, 4.2, 9.7, 8.4], [2.2, 2.4, 2.9, 2.7]])
    feeds = {"x": noise(2, 3, 9, 8), "rois": rois, "images": np.int64([1, 0, 1])}
    extents = {"output_height": 3, "output_width": 2, "spatial_scale": 0.8}
    check_against_rival("RoiAlign", opset, feeds, mode=mode, **extents)


def test_max_roi_pool() -> None:
    rois = np.float32([[1, 0.3, 1.2, 7.7, 6.9], [0, 5.1, 4.2, 9.7, 8.4]])
    feeds = {"x": noise(2, 3, 9, 8), "rois": rois}
    check_against_rival("MaxRoiPool", 11, feeds, pooled_shape=[3, 2], spatial_scale=0.8)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
def test_grid_sample_of_opset_16(mode: str, padding_mode: str) -> None:
    feeds = {"x": noise(2, 3, 5, 6), "grid": noise(2, 4, 7, 2)}
    check_against_rival("GridSample", 16, feeds, mode=mode, padding_mode=padding_mode)


def test_col2im_of_every_rank() -> None:
    for columns, image, block in (
        ((1, 6, 8), [9], [2]),
        ((2, 12, 12), [4, 5], [2, 2]),
        ((1, 16, 6), [2, 3, 4], [2, 2, 2]),
    ):
        constants = {"image": np.int64(image), "block": np.int64(block)}
        check_against_rival("Col2Im", 18, {"x": noise(*columns)}, constants)


RECURRENT: list[tuple[str, dict[str, Any]]] = [
    ("LSTM", {"direction": "bidirectional"}),
    ("LSTM", {"direction": "reverse", "clip": 0.3}),
    ("LSTM", {"input_forget": 1}),
    (
        "LSTM",
        {
            "activations": ["HardSigmoid", "Softsign", "ScaledTanh"],
            "activation_alpha": [0.3, 0.9],
            "activation_beta": [0.4, 0.8],
        },
    ),
    ("GRU", {"direction": "bidirectional"}),
    ("GRU", {"direction": "bidirectional", "linear_before_reset": 1}),
    ("GRU", {"activations": ["HardSigmoid", "Elu"], "clip": 0.4}),
    (
        "RNN",
        {
            "direction": "bidirectional",
            "activations": ["Affine", "LeakyRelu"],
            "activation_alpha": [0.6, 0.2],
            "activation_beta": [0.1],
        },
    ),
    (
        "RNN",
        {
            "direction": "reverse",
            "activations": ["ThresholdedRelu"],
            "activation_alpha": [0.7],  # onnxruntime has another default than the operator
        },
    ),
]


@pytest.mark.parametrize(("op", "attributes"), RECURRENT)
def test_recurrent_layers(op: str, attributes: dict[str, Any]) -> None:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    count = 2 if attributes.get("direction") == "bidirectional" else 1
    steps, batch, inputs, hidden = 6, 3, 4, 5
    state = {"h": noise(count, batch, hidden)}
    feeds = {"x": noise(steps, batch, inputs), "lengths": np.int32([6, 3, 1]), **state}
    constants = {
        "w": noise(count, gates * hidden, inputs),
        "r": noise(count, gates * hidden, hidden),
        "b": noise(count, 2 * gates * hidden),
    }
    names = ["x", "w", "r", "b", "lengths", "h"]
    if op == "LSTM":
        feeds["c"], constants["p"] = noise(count, batch, hidden), noise(count, 3 * hidden)
        names += ["c", "p"]
    outputs = 3 if op == "LSTM" else 2
    options = {"hidden_size": hidden, **attributes}
    check_against_rival(op, 14, feeds, constants, inputs=names, outputs=outputs, **options)
