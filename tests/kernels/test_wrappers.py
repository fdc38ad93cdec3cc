"""Every public element-wise wrapper against its reference, and the registry's face."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from pyhades import kernels
from pyhades.errors import ArgumentError, ConfigurationError
from pyhades.kernels import elementwise, reference
from tests.support.tolerances import assert_within_ulps

UNARY = [
    name
    for name, function in vars(elementwise).items()
    if inspect.isfunction(function)
    and function.__module__ == elementwise.__name__
    and next(iter(inspect.signature(function).parameters)) == "x"
]
BINARY = ["add", "subtract", "multiply", "divide", "minimum", "maximum", "power"]
ARGUMENTS = {"clip": (-1.0, 2.0), "leaky_relu": (0.1,)}


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_array(isa, name):
    x = np.linspace(-6, 6, 997, dtype=np.float32)
    x = np.abs(x) if name in ("log", "sqrt") else x
    arguments = ARGUMENTS.get(name, ())
    expected = getattr(reference, name)(x, *arguments)
    actual = getattr(kernels, name)(x, *arguments, isa=isa)
    # These cancel near a zero: their error is relative to x, not to the result.
    cancelling = ("gelu", "mish", "silu", "softplus", "log", "hard_sigmoid", "hard_swish")
    slack = np.abs(x).max() if name in cancelling else 0.0
    error = np.abs(actual.astype(np.float64) - expected)
    assert np.all((error <= 6 * 2.0**-23 * (np.abs(expected) + slack)) | (actual == expected))


def test_gelu_by_tanh(isa):
    x = np.linspace(-4, 4, 401, dtype=np.float32)
    error = np.abs(kernels.gelu(x, "tanh", isa=isa) - reference.gelu(x, "tanh"))
    assert error.max() <= 4 * 6 * 2.0**-23
    with pytest.raises(ArgumentError, match="approximate='exact'"):
        kernels.gelu(x, "exact")


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_arrays_broadcast(isa, name):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((5, 1, 33)).astype(np.float32)
    b = rng.uniform(0.5, 2, (7, 1)).astype(np.float32)
    out = np.empty((5, 7, 33), np.float32)
    assert getattr(kernels, name)(a, b, out=out, isa=isa) is out
    expected = getattr(reference, name)(a, b)
    assert_within_ulps(
        out[~np.isnan(expected)], expected[~np.isnan(expected)], 4 if name == "power" else 1
    )
    np.testing.assert_array_equal(np.isnan(out), np.isnan(expected))
    with pytest.raises(ArgumentError, match=r"do not broadcast: a \(5, 1, 33\), b \(4,\)"):
        getattr(kernels, name)(a, b[:4, 0])


def test_references_have_the_same_parameters():
    for name in kernels.__all__:
        if not hasattr(reference, name):
            continue
        ours = inspect.signature(getattr(kernels, name)).parameters
        theirs = inspect.signature(getattr(reference, name)).parameters
        how = ("out", "threads", "isa", "algorithm")
        assert [p for p in ours if p not in how] == [p for p in theirs if p not in how], name


def test_registry_lists_and_selects():
    assert {kernel.family for kernel in kernels.implementations("conv")} == {"conv"}
    assert kernels.selected("softmax_f32", "scalar") == "softmax_f32_scalar"
    best = kernels.selected("softmax_f32")
    assert best == next(k.name for k in kernels.implementations("softmax") if k.is_supported)
    with pytest.raises(ArgumentError, match="family='fft'"):
        kernels.implementations("fft")
    with pytest.raises(ArgumentError, match="function='fft'"):
        kernels.selected("fft")
    with pytest.raises(ConfigurationError, match="sse"):
        kernels.selected("softmax_f32", "sse")


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "rms_norm", "layer_norm"])
def test_functions_of_rows_at_the_edges_of_their_domain(name):
    function = getattr(kernels, name)
    for shape in [(3, 0), (0, 4), (2, 0, 5)]:
        assert function(np.empty(shape, np.float32)).shape == shape
    with pytest.raises(ArgumentError, match="x is a scalar"):
        function(np.float32(1))
