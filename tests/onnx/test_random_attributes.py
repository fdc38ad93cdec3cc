"""Random attributes of the operators that have many, compiled, against onnxruntime."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, NotImplemented

import pyhades
from pyhades.errors import PyhadesError
from tests.support.onnx_models import make_model, run_rival

OPSETS = (9, 11, 13, 18, 23)
TRIALS = 12

Array = np.ndarray[Any, Any]
Sample = tuple[str, dict[str, Array], dict[str, Array], dict[str, Any]]
"""Operator, feeds, constants, and attributes (with ``inputs`` and ``outputs`` of make_model)."""


class Dice:
    """A generator with the few throws that samples are made of."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def pick(self, *choices: Any) -> Any:
        return choices[self.random.integers(len(choices))]

    def often(self, chance: float) -> bool:
        return bool(self.random.random() < chance)

    def integers(self, low: int, high: int, count: int) -> list[int]:
        return [int(number) for number in self.random.integers(low, high, count)]

    def data(self, *shape: int, dtype: str = "float32") -> Array:
        return np.asarray(self.random.normal(size=shape) * 3).astype(dtype)

    def window(self, rank: int, kernel: list[int]) -> dict[str, Any]:
        """Attributes of a window; pads never hold a whole one, which onnxruntime refuses."""
        attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": self.integers(1, 4, rank)}
        attributes["dilations"] = self.integers(1, 3, rank)
        mode = self.pick("pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID", "none")
        if mode == "pads":
            drawn = self.integers(0, 3, 2 * rank)
            attributes["pads"] = [min(p, k - 1) for p, k in zip(drawn, kernel * 2, strict=True)]
        elif mode != "none":
            attributes["auto_pad"] = mode
            # onnxruntime ignores dilation here, and drops what a stride beyond the kernel adds.
            attributes["dilations"] = [1] * rank
            attributes["strides"] = [
                min(s, k) for s, k in zip(attributes["strides"], kernel, strict=True)
            ]
        return attributes


def conv(dice: Dice, opset: int) -> Sample:
    rank, groups = dice.pick(1, 2, 2, 3), dice.pick(1, 1, 2, 3)
    c, o = groups * dice.pick(1, 2), groups * dice.pick(1, 2, 3)
    kernel = dice.integers(1, 4, rank)
    feeds = {
        "x": dice.data(2, c, *dice.integers(6, 10, rank)),
        "w": dice.data(o, c // groups, *kernel),
    }
    if dice.often(0.5):
        feeds["b"] = dice.data(o)
    return "Conv", feeds, {}, {"group": groups, **dice.window(rank, kernel)}


def conv_transpose(dice: Dice, opset: int) -> Sample:
    rank, groups = dice.pick(1, 2, 2, 3), dice.pick(1, 1, 2)
    c, o = groups * dice.pick(1, 2), dice.pick(1, 2, 3)
    kernel = dice.integers(1, 4, rank)
    feeds = {"x": dice.data(2, c, *dice.integers(2, 6, rank)), "w": dice.data(c, o, *kernel)}
    if dice.often(0.5):
        feeds["b"] = dice.data(o * groups)
    attributes = dice.window(rank, kernel)
    if dice.often(0.4) and "auto_pad" not in attributes:
        attributes["output_padding"] = [s - 1 for s in attributes["strides"]]
    return "ConvTranspose", feeds, {}, {"group": groups, **attributes}


def max_pool(dice: Dice, opset: int) -> Sample:
    rank = dice.pick(1, 2, 2, 3)
    attributes = dice.window(rank, dice.integers(1, 4, rank))
    if opset < 10:
        del attributes["dilations"]
    elif "auto_pad" not in attributes:
        attributes["ceil_mode"] = dice.pick(0, 1)
    if dice.often(0.5):
        attributes |= {"outputs": 2, "storage_order": dice.pick(0, 1)}
    return "MaxPool", {"x": dice.data(2, 2, *dice.integers(7, 11, rank))}, {}, attributes


def average_pool(dice: Dice, opset: int) -> Sample:
    rank = dice.pick(1, 2, 2, 3)
    attributes = dice.window(rank, dice.integers(1, 4, rank))
    if opset < 19:
        del attributes["dilations"]
    elif "auto_pad" not in attributes:
        attributes["ceil_mode"] = dice.pick(0, 1)
    attributes["count_include_pad"] = dice.pick(0, 1)
    return "AveragePool", {"x": dice.data(2, 2, *dice.integers(7, 11, rank))}, {}, attributes


COORDINATES = ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")


def resize(dice: Dice, opset: int) -> Sample:
    shape = dice.pick((6, 5), (2, 3, 6, 5), (2, 3, 6, 5))
    factors = [1.0] * (len(shape) - 2) + [dice.pick(0.5, 2.0, 1.6, 0.7, 3.0) for _ in range(2)]
    feeds = {"x": dice.data(*shape)}
    if opset < 11:
        scales = {"scales": np.float32(factors)}
        if opset < 10:
            return "Upsample", feeds, {"scales": np.float32(np.ceil(factors))}, {"mode": "nearest"}
        return "Resize", feeds, scales, {"mode": dice.pick("nearest", "linear")}
    attributes = _sampling(dice, opset)
    if opset >= 18 and dice.often(0.5):
        attributes["axes"] = [len(shape) - 2, -1 if dice.often(0.5) else len(shape) - 1]
        factors = factors[-2:]
    constants = {"roi": np.zeros(0, np.float32), "scales": np.zeros(0, np.float32)}
    if attributes["coordinate_transformation_mode"] == "tf_crop_and_resize":
        ones = [0.0] * (len(factors) - 2), [1.0] * (len(factors) - 2)
        constants["roi"] = np.float32([*ones[0], 0.13, 0.22, *ones[1], 0.91, 0.83])
    if dice.often(0.5):
        constants["scales"] = np.float32(factors)
        return "Resize", feeds, constants, attributes
    extents = zip(shape[-len(factors) :], factors, strict=True)
    constants["sizes"] = np.array([int(extent * factor) for extent, factor in extents])
    # onnxruntime forgets the policy where an axis is negative.
    if opset >= 18 and min(attributes.get("axes", [-1])) >= 0 and dice.often(0.5):
        attributes["keep_aspect_ratio_policy"] = dice.pick("not_larger", "not_smaller")
    return "Resize", feeds, constants, attributes


def _sampling(dice: Dice, opset: int) -> dict[str, Any]:
    mode = dice.pick("nearest", "linear", "cubic")
    newer = ["half_pixel_symmetric"] if opset >= 19 else []
    coordinates = dice.pick(*COORDINATES, "tf_crop_and_resize", *newer)
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if mode == "nearest":
        rounding = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
        attributes["nearest_mode"] = dice.pick(*rounding)
    if mode == "cubic":
        attributes |= {"cubic_coeff_a": dice.pick(-0.75, -0.5), "exclude_outside": dice.pick(0, 1)}
    if coordinates == "tf_crop_and_resize":
        attributes["extrapolation_value"] = 1.5
    elif opset >= 18 and mode != "nearest" and dice.often(0.4):
        attributes["antialias"] = 1
    return attributes


def slice_(dice: Dice, opset: int) -> Sample:
    count = dice.pick(1, 2, 3, 4)
    axes = [int(a) - dice.pick(0, 4) for a in dice.random.permutation(4)[:count]]
    starts, ends = dice.integers(-9, 9, count), dice.integers(-9, 9, count)
    feeds = {"x": dice.data(2, 5, 6, 7)}
    if opset < 10:
        return "Slice", feeds, {}, {"starts": starts, "ends": ends, "axes": axes}
    steps = [dice.pick(-3, -2, -1, 1, 2, 3) for _ in range(count)]
    dtype = dice.pick(np.int64, np.int32)
    names = ("starts", "ends", "axes", "steps")
    parts = zip(names, (starts, ends, axes, steps), strict=True)
    return "Slice", feeds, {name: np.array(part, dtype) for name, part in parts}, {}


def pad(dice: Dice, opset: int) -> Sample:
    mode = dice.pick("constant", "reflect", "edge", *(["wrap"] if opset >= 19 else []))
    low = -2 if mode == "constant" else 0
    feeds = {"x": dice.data(2, 3, 4, 5)}
    if opset < 11:
        return "Pad", feeds, {}, {"mode": mode, "pads": dice.integers(low, 2, 8)}
    constants, inputs = {"pads": np.array(dice.integers(low, 2, 8))}, ["x", "pads"]
    if mode == "constant":
        constants["value"] = np.float32(2.5)
        inputs.append("value")
    if opset >= 18 and dice.often(0.5):
        constants |= {"pads": np.array(dice.integers(low, 2, 4)), "axes": np.array([-1, 1])}
        inputs += [""] * (3 - len(inputs)) + ["axes"]
    return "Pad", feeds, constants, {"mode": mode, "inputs": inputs}


def softmax(dice: Dice, opset: int) -> Sample:
    axis = {} if dice.often(0.1) else {"axis": dice.pick(-1, 0, 1, 2, 3, -2)}
    return dice.pick("Softmax", "LogSoftmax"), {"x": dice.data(2, 3, 4, 5)}, {}, axis


def reduce(dice: Dice, opset: int) -> Sample:
    kinds = ("Max", "Min", "Sum", "Mean", "L1", "L2", "Prod", "SumSquare", "LogSumExp")
    kind = dice.pick(*kinds)
    dtype = "float32" if kind == "LogSumExp" else dice.pick("float32", "int32")
    feeds = {"x": dice.data(2, 3, 4, 5, dtype=dtype)}
    axes = [int(a) - dice.pick(0, 4) for a in dice.random.permutation(4)[: dice.pick(1, 2, 3)]]
    attributes: dict[str, Any] = {"keepdims": dice.pick(0, 1)}
    as_input = opset >= (13 if kind == "Sum" else 18)
    constants = {}
    if dice.often(0.8):
        if as_input:
            constants["axes"] = np.array(axes)
        else:
            attributes["axes"] = axes
    elif as_input:
        attributes["noop_with_empty_axes"] = dice.pick(0, 1)
    return f"Reduce{kind}", feeds, constants, attributes


def gemm(dice: Dice, opset: int) -> Sample:
    m, k, n = dice.integers(1, 9, 3)
    trans_a, trans_b = dice.pick(0, 1), dice.pick(0, 1)
    feeds = {
        "a": dice.data(*((k, m) if trans_a else (m, k))),
        "b": dice.data(*((n, k) if trans_b else (k, n))),
    }
    if opset < 11 or dice.often(0.8):
        feeds["c"] = dice.data(*dice.pick((n,), (m, n), (m, 1), (1, n), (1,), ()))
    scales = {"alpha": dice.pick(1.0, 0.5), "beta": dice.pick(1.0, 2.0)}
    return "Gemm", feeds, {}, {**scales, "transA": trans_a, "transB": trans_b}


STACKS = [((2, 3), (2, 3)), ((2, 1), (3,)), ((), (2, 3)), ((2, 1, 3), (1, 4, 1)), ((), ())]


def matmul(dice: Dice, opset: int) -> Sample:
    m, k, n = dice.integers(1, 9, 3)
    left, right = dice.pick(*STACKS)
    dtype = dice.pick("float32", "float64", "int32")
    a, b = dice.data(*left, m, k, dtype=dtype), dice.data(*right, k, n, dtype=dtype)
    if dice.often(0.2):
        a = a.reshape(-1, k)[0]
    elif dice.often(0.2):
        b = b.reshape(-1, k, n)[0, :, 0].copy()
    return "MatMul", {"a": a, "b": b}, {}, {}


SAMPLERS: list[Callable[[Dice, int], Sample]] = [
    *(conv, conv_transpose, max_pool, average_pool, resize, slice_, pad),
    *(softmax, reduce, gemm, matmul),
]


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.__name__.strip("_"))
def test_random_attributes(sampler: Callable[[Dice, int], Sample], opset: int) -> None:
    compared = 0
    for trial in range(TRIALS):
        seed = zlib.crc32(f"{sampler.__name__} {opset} {trial}".encode())
        op, feeds, constants, rest = sampler(Dice(seed), opset)
        model = make_model(op, opset, feeds, constants, **rest)
        sample = f"{op} of opset {opset}, trial {trial}, {rest}"
        try:
            expected = run_rival(model, feeds)
        except (Fail, InvalidArgument, NotImplemented):
            expected = None  # what onnxruntime lacks has to end in a result or an exception of ours
        try:
            with pyhades.compile(pyhades.load_onnx(model)) as program:
                results = list(program.run(feeds).values())
        except PyhadesError as error:
            assert expected is None, f"{sample}: {error}"
            continue
        if expected is None:
            continue
        for have, want in zip(results, expected, strict=True):
            assert have.dtype == want.dtype, sample
            np.testing.assert_allclose(have, want, rtol=1e-4, atol=2e-5, err_msg=sample)
        compared += 1
    assert compared > TRIALS // 3
