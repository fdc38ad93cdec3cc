"""The argument ``activation``: with and without parameters, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from pyhades.numerics.functions import ACTIVATIONS, FUNCTIONS
from pyhades.quant import quantize

# What a name or a tuple means, written out.
MEANINGS = {
    ("clip", 0, 6): lambda v: np.clip(v, 0, 6),
    ("clip", -1.5, 0.25): lambda v: np.clip(v, -1.5, 0.25),
    ("leaky_relu", 0.25): lambda v: np.where(v < 0, 0.25 * v, v),
    ("leaky_relu",): lambda v: np.where(v < 0, 0.01 * v, v),
    "leaky_relu": lambda v: np.where(v < 0, 0.01 * v, v),
    "hard_sigmoid": lambda v: np.clip(0.2 * v + 0.5, 0, 1),
    ("hard_sigmoid", 0.125): lambda v: np.clip(0.125 * v + 0.5, 0, 1),
    ("hard_sigmoid", 0.125, 0.25): lambda v: np.clip(0.125 * v + 0.25, 0, 1),
    ("relu",): lambda v: np.maximum(v, 0),
    "none": lambda v: v,
    None: lambda v: v,
}
RNG = np.random.default_rng(0)
IMAGE, FILTERS, A, B = (
    RNG.standard_normal(shape).astype(np.float32)
    for shape in [(1, 5, 9, 8), (7, 5, 3, 3), (5, 64), (64, 21)]
)
WEIGHT = kernels.pack_weight(quantize(np.ascontiguousarray(B.T), "int8"))


def of_conv2d(module, **options):
    return module.conv2d(IMAGE, FILTERS, **options)


def of_gemm(module, **options):
    return module.gemm(A, B, **options)


def of_matmul(module, **options):
    return module.matmul(np.stack([A, -A]), B, **options)


def of_qgemm(module, **options):
    return module.qgemm(A, WEIGHT, **options)


def of_qgemm_int8(module, **options):
    return module.qgemm_int8(kernels.quantize_rows(A), WEIGHT, **options)


PRODUCTS = [of_conv2d, of_gemm, of_matmul, of_qgemm, of_qgemm_int8]
products = pytest.mark.parametrize("product", PRODUCTS, ids=lambda f: f.__name__[3:])


@products
@pytest.mark.parametrize("activation", MEANINGS, ids=str)
def test_activations_mean_what_they_say(isa, product, activation):
    exact = product(reference).astype(np.float64)
    expected = MEANINGS[activation](exact)
    actual = product(kernels, activation=activation, isa=isa)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)
    same = product(reference, activation=activation)
    np.testing.assert_allclose(same, expected, rtol=1e-5, atol=1e-5)


@products
def test_parameters_follow_the_residual(isa, product):
    shape = product(reference).shape
    residual = RNG.standard_normal(shape).astype(np.float32)
    options = {"activation": ("clip", -0.5, 0.5), "residual": residual}
    y = product(kernels, **options, isa=isa)
    assert np.abs(y - residual).max() <= 0.5 + 1e-6
    np.testing.assert_allclose(y, product(reference, **options), rtol=1e-4, atol=1e-4)


@products
@pytest.mark.parametrize("module", [kernels, reference], ids=["kernels", "reference"])
@pytest.mark.parametrize(
    ("activation", "error", "message"),
    [
        ("swoosh", ArgumentError, "'swoosh' is none of relu, leaky_relu, clip, .*tanh; None"),
        (("swoosh", 1.0), ArgumentError, "is none of relu"),
        ("softplus", ArgumentError, "'softplus' is none of relu"),
        ("clip", ArgumentError, r'clip needs lower, upper; give \("clip", lower, upper\)'),
        (("clip", 0), ArgumentError, r"\('clip', 0\): clip needs lower, upper"),
        (("clip", 0, 1, 2), ArgumentError, "clip needs lower, upper"),
        (("leaky_relu", 1, 2), ArgumentError, r'leaky_relu takes alpha; give \("leaky_relu", alp'),
        (("relu", 1), ArgumentError, "relu takes no parameters; give 'relu'"),
        (("leaky_relu", "steep"), ArgumentTypeError, "parameters are numbers"),
        (("clip", None, 6), ArgumentTypeError, "parameters are numbers"),
        ((), ArgumentTypeError, r'neither a name, nor .* as \("clip", 0, 6\)'),
        (["clip", 0, 6], ArgumentTypeError, "neither a name"),
        (6, ArgumentTypeError, "neither a name"),
    ],
)
def test_what_makes_no_sense_is_refused(product, module, activation, error, message):
    with pytest.raises(error, match=message) as caught:
        product(module, activation=activation)
    assert "epilogue.h" not in str(caught.value) and "csrc" not in str(caught.value)


CHANNELS_LAST = np.zeros((1, 5, 5, 4), np.float32).transpose(0, 3, 1, 2)
VECTOR = np.ones(4, np.float32)
NATIVE = {
    "gemm": ([np.zeros((2, 3), np.float32), np.zeros((3, 4), np.float32), None, None], (2, 4)),
    "matmul": (
        [np.zeros((1, 1, 2, 3), np.float32), np.zeros((1, 1, 3, 4), np.float32), None, None],
        (1, 1, 2, 4),
    ),
    "scale_shift": ([np.zeros((1, 4, 6), np.float32), VECTOR, VECTOR], (1, 4, 6)),
    "group_norm": ([np.zeros((1, 4, 6), np.float32), VECTOR, VECTOR], (1, 4, 6)),
}


@pytest.mark.parametrize("op", NATIVE)
def test_native_operators_refuse_what_lacks_parameters(op):
    """They have no defaults of their own."""
    inputs, shape = NATIVE[op]
    y, others = np.zeros(shape, np.float32), {"groups": 2, "epsilon": 1e-5}
    others = others if op == "group_norm" else {}

    def call(**attributes):
        _native.call(op, inputs, [y], {**others, **attributes})

    with pytest.raises(ArgumentError, match='"swoosh" is none of none, relu, leaky_relu'):
        call(activation="swoosh")
    for name in ACTIVATIONS:
        count = len(FUNCTIONS[name].parameters)
        numbers = {f"activation_{key}": 0.5 for key in ("alpha", "beta")[:count]}
        call(activation=name, **numbers)
        for left_out in numbers:
            given = {key: value for key, value in numbers.items() if key != left_out}
            with pytest.raises(ArgumentError, match=f'"{name}" needs the attribute {left_out}'):
                call(activation=name, **given)
