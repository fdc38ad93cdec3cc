"""Every quantised operator of onnxruntime beside onnxruntime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pyhades import load_onnx
from pyhades.errors import ModelError, ShapeError, UnsupportedOperatorError
from tests.support.quantised_models import MICROSOFT, check_model, model_of, run_ours

RANDOM = np.random.default_rng(1)


def grid(name, scale, zero, dtype=np.uint8):
    return {f"{name}s": np.float32(scale), f"{name}z": np.array(zero, dtype)}


PARAMETERS = {
    **grid("x", 0.02, 120),
    **grid("b", 0.05, 30),
    **grid("y", 0.03, 100),
}
X, B, Y = ["x", "xs", "xz"], ["b", "bs", "bz"], ["ys", "yz"]


def uint8(*shape):
    return RANDOM.integers(0, 256, shape).astype(np.uint8)


def int8(*shape):
    return RANDOM.integers(-100, 100, shape).astype(np.int8)


def float32(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def positive(*shape):
    return (RANDOM.random(shape) * 0.02).astype(np.float32)


def check(op, inputs, x, constants, *, domain=MICROSOFT, steps=0, share=0.0, **attributes):
    """One node, whose inputs are named; ``x`` is fed, the rest are constants."""
    node = helper.make_node(op, inputs, ["y"], "the node", domain=domain, **attributes)
    needed = {name: data for name, data in constants.items() if name in inputs}
    check_model(model_of([node], {"x": x}, needed, ["y"]), {"x": x}, steps, share)


# Where two numbers of the last step before rounding are half a step apart, engines may differ.
NEAR_TIE = {"steps": 1, "share": 0.02}


@pytest.mark.parametrize("shape", [(2, 8, 5, 5), (1, 8, 1, 1)])
@pytest.mark.parametrize("op", ["QLinearAdd", "QLinearMul"])
def test_binary(op, shape):
    constants = PARAMETERS | {"b": uint8(*shape)}
    check(op, [*X, *B, *Y], uint8(2, 8, 5, 5), constants, **NEAR_TIE)


def test_activations():
    x, narrow = uint8(2, 8, 5, 5), grid("x", 0.02, 120) | grid("y", 1 / 256, 0)
    check("QLinearSigmoid", [*X, *Y], x, narrow)
    check("QLinearLeakyRelu", [*X, *Y], x, PARAMETERS, alpha=0.2)
    check("QLinearSoftmax", [*X, *Y], uint8(2, 8, 50), narrow, axis=-1, opset=13, **NEAR_TIE)
    check("QLinearSoftmax", [*X, *Y], uint8(2, 8, 5), narrow, axis=1, opset=11, **NEAR_TIE)


@pytest.mark.parametrize("last", [0, 1])
def test_pools(last):
    window = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": last}
    x = uint8(2, 8, 6, 7)
    check("QLinearAveragePool", [*X, *Y], x, PARAMETERS, channels_last=last, **window, **NEAR_TIE)
    check("QLinearGlobalAveragePool", [*X, *Y], x, PARAMETERS, channels_last=last, **NEAR_TIE)


def test_joining_and_choosing():
    constants = PARAMETERS | {"b": uint8(2, 8, 5, 5), "c": RANDOM.random((2, 8, 5, 5)) > 0.5}
    check("QLinearConcat", [*Y, *X, *B], uint8(2, 8, 5, 5), constants, axis=1)
    check("QLinearWhere", ["c", *X, *B, *Y], uint8(2, 8, 5, 5), constants)


def convolution_weights(zero=0):
    return {
        "w": int8(6, 8, 3, 3),
        "ws": positive(6),
        "wz": np.full(6, zero, np.int8),
        "bias": RANDOM.integers(-3000, 3000, 6).astype(np.int32),
    }


@pytest.mark.parametrize("zero", [0, 5])
def test_convolution(zero):
    constants = PARAMETERS | convolution_weights(zero)
    inputs = [*X, "w", "ws", "wz", *Y, "bias"]
    x = uint8(2, 8, 9, 9)
    check("QLinearConv", inputs, x, constants, domain="", pads=[1, 1, 1, 1], **NEAR_TIE)
    check("QLinearConv", inputs[:-1], x, constants, domain="", strides=[2, 2], **NEAR_TIE)


def test_convolution_with_channels_last():
    constants = PARAMETERS | convolution_weights()
    inputs = [*X, "w", "ws", "wz", *Y, "bias"]
    x = uint8(2, 9, 9, 8)
    check("QLinearConv", inputs, x, constants, pads=[1, 1, 1, 1], channels_last=1, **NEAR_TIE)


def matrix_weights(*shape):
    n = shape[-1]
    constants = {"w": int8(*shape), "ws": positive(n), "wz": np.zeros(n, np.int8)}
    return PARAMETERS | constants | {"row": float32(n)}


def test_matrix_products():
    W = ["w", "ws", "wz"]
    constants = matrix_weights(8, 5) | {"bias": RANDOM.integers(-300, 300, 5).astype(np.int32)}
    turned = constants | {"w": int8(5, 8)}
    x = uint8(3, 8)
    check("QGemm", [*X, *W, "bias", *Y], x, turned, transB=1, alpha=0.5, **NEAR_TIE)
    check("QGemm", [*X, *W], x, turned, transB=1)
    check("QLinearMatMul", [*X, *W, *Y], uint8(2, 3, 8), constants, domain="", **NEAR_TIE)
    inputs = ["x", "w", "xs", "ws", "xz", "wz", "row"]
    check("MatMulIntegerToFloat", inputs, uint8(2, 3, 8), constants)
    check("DynamicQuantizeMatMul", ["x", "w", "ws", "wz", "row"], float32(2, 3, 8), constants)


def test_maxima_of_integers():
    window = {"kernel_shape": [2, 2], "strides": [2, 2]}
    check("NhwcMaxPool", ["x"], uint8(2, 6, 6, 8), {}, **window)
    check("MaxPool", ["x"], uint8(2, 8, 6, 6), {}, domain="", **window)
    check("MaxPool", ["x"], int8(2, 8, 6, 6), {}, domain="", **window)


class TestSumsOfIntegers:
    """Beyond 2^24, where float32 has no odd numbers any more."""

    def test_convolution(self):
        constants = {"w": uint8(4, 128, 3, 3), "xz": np.uint8(3), "wz": np.uint8(0)}
        check("ConvInteger", ["x", "w", "xz", "wz"], uint8(1, 128, 9, 9), constants, domain="")

    def test_convolution_in_groups(self):
        constants = {"w": np.full((4, 128, 3, 3), 255, np.uint8), "xz": np.uint8(3)}
        x = uint8(1, 256, 9, 9)
        check("ConvInteger", ["x", "w", "xz"], x, constants, domain="", group=2, pads=[1, 1, 1, 1])

    def test_matrix_product(self):
        constants = {"w": uint8(3000, 7), "xz": np.uint8(3), "wz": uint8(7)}
        check("MatMulInteger", ["x", "w", "xz", "wz"], uint8(5, 3000), constants, domain="")


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize(("n", "k", "block"), [(8, 64, 32), (8, 64, 16), (5, 40, 16)])
@pytest.mark.parametrize("zeros", [False, True])
def test_weights_of_few_bits(bits, n, k, block, zeros):
    blocks = -(-k // block)
    constants = {
        "w": uint8(n, blocks, block * bits // 8),
        "s": positive(n, blocks),
        "z": uint8(n, -(-blocks * bits // 8)),
        "b": float32(n),
    }
    inputs = ["x", "w", "s", "z" if zeros else "", "", "b"]
    attributes = {"K": k, "N": n, "bits": bits, "block_size": block}
    check("MatMulNBits", inputs, float32(2, 3, k), constants, **attributes)


def test_weights_of_few_bits_with_points_between_integers_or_groups():
    constants = {
        "w": uint8(8, 2, 16),
        "s": positive(8, 2),
        "z": (RANDOM.random((8, 2)) * 8).astype(np.float32),
        "g": RANDOM.permutation(np.repeat([0, 1], 32)).astype(np.int32),
    }
    attributes = {"K": 64, "N": 8, "bits": 4, "block_size": 32}
    check("MatMulNBits", ["x", "w", "s", "z"], float32(3, 64), constants, **attributes)
    check("MatMulNBits", ["x", "w", "s", "", "g"], float32(3, 64), constants, **attributes)


@pytest.mark.parametrize("kind", [0, 1])
def test_weights_of_bitsandbytes(kind):
    constants = {"w": uint8(256), "a": positive(8)}
    attributes = {"K": 64, "N": 8, "block_size": 64, "quant_type": kind}
    check("MatMulBnb4", ["x", "w", "a"], float32(3, 64), constants, **attributes)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("zeros", [False, True])
def test_tables_of_few_bits(bits, zeros):
    constants = {
        "w": uint8(10, 48 * bits // 8),
        "s": positive(10, 3),
        "z": uint8(10, -(-3 * bits // 8)),
    }
    inputs = ["w", "x", "s", *(["z"] if zeros else [])]
    x = RANDOM.integers(0, 10, (2, 3))
    attributes = {"bits": bits, "block_size": 16, "quantize_axis": 1}
    check("GatherBlockQuantized", inputs, x, constants, **attributes)


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("kind", ["INT4", "UINT4", "INT2", "UINT2"])
def test_blocks_of_narrow_integers(kind, zeros):
    """A weight [40, 6] in blocks of 16 rows, the last one shorter."""
    bits, signed = int(kind[-1]), kind[0] == "I"
    low = -(1 << (bits - 1)) if signed else 0
    numbers = RANDOM.integers(low, low + (1 << bits), (40, 6))
    points = RANDOM.integers(low, low + (1 << bits), (3, 6)) if zeros else np.zeros((3, 6), int)
    scales = positive(3, 6)
    weight = helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=0, block_size=16)
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    x = float32(3, 40)
    model = onnx.load_from_string(model_of([weight, product], {"x": x}, {"s": scales}, ["y"], 25))
    element = getattr(TensorProto, kind)
    for name, data in {"q": numbers, "z": points}.items():
        tensor = helper.make_tensor(name, element, data.shape, data.reshape(-1))
        model.graph.initializer.append(tensor)
    (y,) = run_ours(model.SerializeToString(), {"x": x})
    wide = (np.repeat(array, 16, 0)[:40] for array in (points, scales))
    want = x.astype(np.float64) @ ((numbers - next(wide)) * next(wide).astype(np.float64))
    np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-5)


def test_what_cannot_be_is_named():
    node = helper.make_node("MatMulNBits", ["x", "w", "s"], ["y"], "odd", domain=MICROSOFT, K=64)
    constants = {"w": uint8(8, 2, 16), "s": positive(8, 2)}
    feeds = {"x": float32(3, 64)}
    with pytest.raises(ModelError, match=r"odd.*'N'"):
        load_onnx(model_of([node], feeds, constants, ["y"]))
    node.attribute.extend(
        helper.make_attribute(name, number)
        for name, number in {"N": 8, "block_size": 32, "bits": 3}.items()
    )
    with pytest.raises(UnsupportedOperatorError, match="3 bits"):
        load_onnx(model_of([node], feeds, constants, ["y"]))


def test_a_mean_without_a_kernel_in_onnxruntime():
    x = uint8(2, 8, 5, 5)
    attributes = {"axes": [2, 3], "keepdims": 1, "domain": MICROSOFT}
    node = helper.make_node("QLinearReduceMean", [*X, *Y], ["y"], **attributes)
    constants = {name: data for name, data in PARAMETERS.items() if name[0] != "b"}
    (y,) = run_ours(model_of([node], {"x": x}, constants, ["y"]), {"x": x})
    real = (x.astype(np.float64) - 120).mean((2, 3), keepdims=True) * 0.02
    assert np.abs(y - (real / 0.03 + 100)).max() <= 0.5 + 1e-4


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("MatMulNBits", {"N": 1 << 40, "K": 1 << 20, "block_size": 32}),
        ("MatMulNBits", {"N": 8, "K": 64, "block_size": 1 << 60}),
        ("MatMulBnb4", {"N": 1 << 40, "K": 1 << 20, "block_size": 64}),
        ("MatMulBnb4", {"N": 8, "K": 64, "block_size": 64, "quant_type": 7}),
    ],
)
def test_sizes_that_the_file_does_not_have(op, attributes):
    node = helper.make_node(op, ["x", "w", "s"], ["y"], "odd", domain=MICROSOFT, **attributes)
    constants = {"w": uint8(8, 2, 16), "s": positive(8, 2)}
    with pytest.raises(ModelError, match="odd"):
        load_onnx(model_of([node], {"x": float32(3, 64)}, constants, ["y"]))


@pytest.mark.parametrize(
    ("op", "inputs", "domain"),
    [
        ("QLinearConv", ["x", "xs"], ""),
        ("QLinearConcat", ["ys", "yz", "x", "xs"], MICROSOFT),
        ("QLinearConcat", ["ys", "yz", "x"], MICROSOFT),
        ("QLinearMatMul", ["x", "xs", "xz"], ""),
        ("QuantizeLinear", ["x"], ""),
        ("DequantizeLinear", ["x"], ""),
        ("DynamicQuantizeMatMul", ["x"], MICROSOFT),
    ],
)
def test_inputs_that_are_missing(op, inputs, domain):
    node = helper.make_node(op, inputs, ["y"], "odd", domain=domain)
    needed = {name: data for name, data in PARAMETERS.items() if name in inputs}
    model = model_of([node], {"x": uint8(1, 4, 6, 6)}, needed, ["y"])
    try:
        load_onnx(model)
    except (ModelError, ShapeError) as error:
        assert "odd" in str(error)
    else:
        # Only a zero point may be left out.
        assert inputs[-1] == "xs"
