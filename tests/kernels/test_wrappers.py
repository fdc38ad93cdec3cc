"""Every public element-wise wrapper against its reference, and the registry's face."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from pyhades import kernels
from pyhades.errors import ArgumentError, ArgumentTypeError, ConfigurationError
from pyhades.kernels import reference
from tests.support.kernel_calls import ARGUMENTS, BINARY, CALLS, KEYWORDS, UNARY
from tests.support.tolerances import assert_within_ulps


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
    assert kernels.selected("softmax_f32", isa="scalar") == "softmax_f32_scalar"
    best = kernels.selected("softmax_f32")
    assert best == next(k.name for k in kernels.implementations("softmax") if k.is_supported)
    with pytest.raises(ArgumentError, match="family='fft'"):
        kernels.implementations("fft")
    with pytest.raises(ArgumentError, match="function='fft'"):
        kernels.selected("fft")
    with pytest.raises(ConfigurationError, match="sse"):
        kernels.selected("softmax_f32", isa="sse")


def test_every_kernel_is_called_here():
    others = {"implementations", "selected", "supported_tiers", "tiers"}
    others |= {"AdjustedTokens", "PackedMatrix", "SampledRows"}
    others |= {
        "cache_block_bytes",
        "dequantize",
        "from_mxfp4",
        "pack_matrix",
        "pack_weight",
        "quantize",
        "rank",
        "sample_rows",
        "suppress",
        "recurrence",
        "top_k",
    }
    assert set(CALLS) == set(kernels.__all__) - others


@pytest.mark.parametrize("name", CALLS)
def test_where_and_how_to_compute(name):
    def call(**how):
        return getattr(kernels, name)(*CALLS[name], **KEYWORDS.get(name, {}), **how)

    expected = call()
    out = np.empty_like(expected)
    assert call(out=out, threads=2, isa="scalar") is out
    assert out.shape == expected.shape and np.allclose(out, expected, rtol=1e-5, atol=1e-5)
    wrong = np.empty((*expected.shape, 2), expected.dtype)
    frozen = np.empty_like(expected)
    frozen.flags.writeable = False
    with pytest.raises(ArgumentError, match=r"out has shape .*, expected"):
        call(out=wrong)
    with pytest.raises(ArgumentTypeError, match="out has dtype complex64, expected"):
        call(out=expected.astype(np.complex64))
    with pytest.raises(ArgumentTypeError, match=r"out is a list; give np.empty"):
        call(out=[0.0])
    with pytest.raises(ArgumentError, match="out is read-only"):
        call(out=frozen)
    for threads in (0, -1, 1.5, True):
        with pytest.raises(ArgumentError, match=r"threads=.* must be an integer of at least 1"):
            call(threads=threads)
    with pytest.raises(ConfigurationError, match="isa='sse' is none of scalar, avx2"):
        call(isa="sse")


def test_outputs_in_the_memory_of_inputs():
    x = np.random.default_rng(2).standard_normal((9, 40)).astype(np.float32)
    for name in ("relu", "softmax"):
        expected, y = getattr(kernels, name)(x), x.copy()
        assert np.array_equal(getattr(kernels, name)(y, out=y), expected)
    line = x.ravel().copy()
    square = np.ascontiguousarray(x[:, :9])
    for overlapping in (
        lambda: kernels.relu(line[1:], out=line[:-1]),
        lambda: kernels.transpose(square, out=square),
        lambda: kernels.gemm(square, square, out=square),
    ):
        with pytest.raises(ArgumentError, match="out overlaps an input in memory; give another"):
            overlapping()
    assert np.array_equal(kernels.copy(line[::2], out=line[1::2]), x.ravel()[::2])  # interleaved


def test_what_is_no_array_is_refused_by_name():
    with pytest.raises(ArgumentTypeError, match="x is no array of float32"):
        kernels.relu("a")
    with pytest.raises(ArgumentTypeError, match="b is no array of float32"):
        kernels.add([1.0], [[1.0], [1.0, 2.0]])
    with pytest.raises(ArgumentTypeError, match="x has dtype >f4, expected float32; convert"):
        kernels.relu(np.ones(3, ">f4"))
    with pytest.raises(ArgumentTypeError, match=r"clip takes numbers, not \(None, 1.0\)"):
        kernels.clip([1.0], None, 1.0)
    with pytest.raises(ArgumentError, match=r"shape=\(2, -1\): extents must not be negative"):
        kernels.fill((2, -1), 0.0)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "rms_norm", "layer_norm"])
def test_functions_of_rows_at_the_edges_of_their_domain(name):
    function = getattr(kernels, name)
    for shape in [(3, 0), (0, 4), (2, 0, 5)]:
        x = np.empty(shape, np.float32)
        assert function(x).shape == shape
        with pytest.raises(ArgumentError, match="threads=0"):
            function(x, threads=0)
        with pytest.raises(ConfigurationError, match="isa='sse'"):
            function(x, isa="sse")
    with pytest.raises(ArgumentError, match="x is a scalar"):
        function(np.float32(1))
