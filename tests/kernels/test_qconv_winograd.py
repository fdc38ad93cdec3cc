"""Exact Winograd convolutions of bytes of every tier against NumPy, bit for bit."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError
from pyhades.kernels import reference
from tests.kernels.test_qconv import AROUND_LANES, EXACT, EXTREMES, SAME3, Case, strides
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty


@pytest.fixture
def isa(tier):
    """Every tier, those that only integers have among them."""
    return tier


def check(case, isa, threads=1, operands=None, **how):
    x, w, factor, bias = operands or case.operands()
    how = {"x_zero": 117, "y_zero": 100, **case.window(), **how}
    y = kernels.qconv2d(x, w, factor, bias, algorithm="winograd", isa=isa, threads=threads, **how)
    np.testing.assert_array_equal(y, reference.qconv2d(x, w, factor, bias, **how), strict=True)


WINDOWS = [
    *(Case(c, 9, 14, 40, pads=SAME3) for c in AROUND_LANES),
    *(Case(20, 9, 14, o, pads=SAME3) for o in AROUND_LANES),
    *(Case(17, h, w, 33, pads=SAME3) for h in range(1, 10) for w in (1, 4, 6, 15)),
    *(Case(36, 8, 4 * tiles, 40, pads=SAME3) for tiles in range(1, 17)),  # tiles of a group
    Case(20, 12, 50, 24, pads=(0, 2, 3, 0)),
    Case(20, 12, 50, 24),
    Case(6, 3, 5, 24, pads=(7, 0, 0, 9)),
    Case(64, 33, 50, 70, pads=SAME3, n=3),
    Case(110, 11, 30, 150, pads=SAME3),
    *(Case(20, 19, 22, 40, pads=(d,) * 4, dilations=(d, d), n=2) for d in (2, 3, 4, 8, 30)),
    Case(20, 17, 30, 40, pads=(1, 3, 0, 5), dilations=(1, 3)),
    Case(70, 17, 30, 40, pads=(2, 0, 7, 0), dilations=(4, 2)),
]


@pytest.mark.covers("qconv_winograd_u8")
@pytest.mark.parametrize("case", WINDOWS, ids=str)
def test_windows(isa, case):
    check(case, isa)


MANY_CHANNELS = [
    Case(300, 9, 21, 150, pads=SAME3),
    Case(520, 5, 9, 40, pads=SAME3),
    Case(270, 9, 12, 40, pads=(2,) * 4, dilations=(2, 2), n=2),
]


@pytest.mark.parametrize("case", MANY_CHANNELS, ids=str)
@pytest.mark.parametrize("divisor", [1, 4])  # of weights: slices that exactness asks for, or caches
def test_slices_of_channels(isa, case, divisor):
    x, w, factor, bias = case.operands()
    residual = np.random.default_rng(1).integers(
        0, 256, reference.qconv2d(x, w, factor, **case.window()).shape, np.uint8
    )
    operands = x, w // divisor, factor, bias
    check(case, isa, operands=operands)
    check(case, isa, operands=operands, residual=residual, after="relu", dtype="float32")


@pytest.mark.parametrize("weights", EXTREMES)
@pytest.mark.parametrize("x", [0, 255, None], ids=str)
@pytest.mark.parametrize("x_zero", [0, 128, 255])
@pytest.mark.parametrize("c", [113, 240])  # 113 * 9 * 255 * 128 are the last below 2^25
def test_extremes(isa, weights, x, x_zero, c):
    case = Case(c, 6, 9, 20, pads=SAME3)
    image, w, _, bias = case.operands()
    image = image if x is None else np.full_like(image, x)
    operands = image, EXTREMES[weights](w.shape), np.ones(case.o, np.float32), bias
    check(case, isa, operands=operands, x_zero=x_zero, dtype="float32")


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("more", [0, 1, 99])
def test_weights_around_the_most_that_is_safe(isa, sign, more):
    """Of one channel, 255 times what counts up to one sign reaches 2^25, or just not."""
    case = Case(128, 5, 5, 20, pads=SAME3)
    x, _, factor, bias = case.operands()
    w = np.zeros((20, 128, 3, 3), np.int8)
    w[3].flat[:1036] = 127 * sign
    w[3].flat[1036] = (14 + more) * sign  # 131586, which times 255 is 2^25 - 2
    w[3].flat[1037:] = -99 * sign
    x = np.where(np.random.default_rng(2).random(x.shape) < 0.5, 255, 0).astype(np.uint8)
    x[0, 1:4, 1:4] = 255 * (w[3].reshape(128, 3, 3).transpose(1, 2, 0) * sign > 0)
    check(case, isa, operands=(x, w, factor, bias), dtype="float32", x_zero=3)


@pytest.mark.parametrize("c, o", [(20, 40), (33, 9), (16, 65)])
def test_weights_that_are_kept_transformed(isa, c, o):
    """So many tiles share them; those of the other cases are transformed on the way."""
    check(Case(c, 41, 47, o, pads=SAME3), isa)


@pytest.mark.parametrize("residual", ["none", "bytes", "floats"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_plain_epilogues_of_whole_and_cut_tiles(isa, residual, dtype):
    """Finished in registers: relu before or after the residual, a division or none."""
    case, rng = Case(40, 10, 16, 72, pads=SAME3), np.random.default_rng(5)
    residuals = {
        "none": None,
        "bytes": rng.integers(0, 256, (1, 10, 16, 72), np.uint8),
        "floats": rng.standard_normal((1, 10, 16, 72), np.float32) * 40,
    }
    how = {"residual": residuals[residual], "residual_zero": 9, "residual_scale": 0.6}
    for activation, after, y_scale in itertools.product((None, "relu"), (None, "relu"), (1, 0.7)):
        how |= {"activation": activation, "after": after, "dtype": dtype}
        check(case, isa, **how, y_scale=y_scale if dtype == "uint8" else 1.0)


LAYERS = [
    (Case(128, 40, 40, 64, pads=SAME3), "winograd"),
    (Case(256, 3, 3, 64, pads=SAME3), "direct"),  # too few tiles for the weights
    (Case(3, 40, 40, 64, pads=SAME3), "direct"),  # too few channels for the transforms
    (Case(96, 40, 40, 96, pads=(2, 2, 2, 2), dilations=(2, 2)), "winograd"),
    (Case(64, 12, 12, 64, pads=(8, 8, 8, 8), dilations=(8, 8)), "direct"),  # tiles hold 2x2 outputs
    (Case(64, 33, 33, 64, strides=(1, 2), pads=SAME3), "direct"),
    (Case(64, 32, 32, 64, pads=SAME3, groups=2), "direct"),
]


@pytest.mark.parametrize("case, algorithm", LAYERS, ids=str)
def test_layers_choose_winograd_where_it_pays(isa, kernels_run, case, algorithm):
    x, w, factor, bias = case.operands()
    y = kernels.qconv2d(x, w // 2, factor, bias, **case.window(), isa=isa)
    np.testing.assert_array_equal(y, reference.qconv2d(x, w // 2, factor, bias, **case.window()))
    winograd = algorithm == "winograd" and isa != "scalar"
    (run,) = kernels_run  # of the best tier up to this one that has kernels
    assert re.fullmatch(r"qconv_(winograd_)?u8_\w+", run)[1] == ("winograd_" if winograd else None)


def test_what_winograd_is_not_for():
    x, w = np.zeros((1, 4, 7, 7), np.uint8), np.zeros((8, 4, 3, 3), np.int8)
    factor = np.ones(8, np.float32)
    with pytest.raises(ArgumentError, match="winograd is for 3x3 kernels, strides 1"):
        kernels.qconv2d(x, w, factor, strides=(2, 2), algorithm="winograd")
    with pytest.raises(ArgumentError, match="algorithm"):
        kernels.qconv2d(x, w, factor, algorithm="fft")


FINISHED = {"edges": Case(36, 7, 13, 40, pads=SAME3), "whole": Case(32, 8, 16, 64, pads=SAME3)}


@pytest.mark.parametrize("case", FINISHED.values(), ids=FINISHED)
@pytest.mark.parametrize("activation", EXACT, ids=str)
@pytest.mark.parametrize("residual", ["none", "bytes", "floats"])
@pytest.mark.parametrize("after", ["none", ("clip", -20, 30)], ids=str)
def test_epilogue(isa, case, activation, residual, after):
    rng = np.random.default_rng(3)
    shape = (1, case.h, case.w, case.o)
    residuals = {
        "none": None,
        "bytes": rng.integers(0, 256, shape, np.uint8),
        "floats": rng.standard_normal(shape, np.float32) * 40,
    }
    epilogue = {
        "activation": activation, "residual": residuals[residual], "after": after, "x_zero": 90,
        "residual_zero": 100, "residual_scale": 0.37,
    }  # fmt: skip
    check(case, isa, **epilogue)
    check(case, isa, **epilogue, y_scale=0.7, y_zero=3)
    check(case, isa, **epilogue, dtype="float32")


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_offsets_and_no_bias(isa, dtype):
    case = FINISHED["edges"]
    x, w, factor, _ = case.operands()
    offset = np.random.default_rng(1).standard_normal(case.o, np.float32) * 20
    how = {**case.window(), "x_zero": 120, "y_zero": 128, "dtype": dtype}
    y = kernels.qconv2d(x, w, factor, None, offset, algorithm="winograd", **how, isa=isa)
    np.testing.assert_array_equal(y, reference.qconv2d(x, w, factor, None, offset, **how))


SHARED = [*FINISHED.values(), Case(48, 20, 30, 70, pads=(2,) * 4, dilations=(2, 2), n=2)]


@pytest.mark.parametrize("case", SHARED, ids=str)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_give_the_same_bits(isa, case, threads):
    check(case, isa, threads)


@pytest.mark.parametrize("c", [5, 31, 48, 64, 70])
@pytest.mark.parametrize("edge", ["start", "end"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("gap", [0, 3])
def test_slices_touch_nothing_else(isa, c, edge, dtype, gap):
    case = Case(c, 9, 10, 37, pads=SAME3)
    x, w, factor, bias = case.operands()
    how = {**case.window(), "x_zero": 50, "y_zero": 70, "dtype": dtype}
    expected = reference.qconv2d(x, w, factor, bias, **how)
    image = guarded(x, strides(x.shape, x.shape[3] + gap), edge)
    y = guarded_empty(expected.shape, dtype, strides(expected.shape, expected.shape[3] + gap), edge)
    numbers = [guarded(v, (1,), edge) for v in (factor, bias)]
    kernels.qconv2d(image, w, *numbers, algorithm="winograd", **how, out=y, isa=isa, threads=1)
    np.testing.assert_array_equal(y, expected)
    assert_gaps_untouched(y)


@pytest.mark.parametrize("zero", [0, 93, 255])
def test_a_zero_point_and_weights_that_are_computed(isa, zero):
    """As operands; of weights that are unknown the worst is assumed."""
    case = Case(130, 7, 13, 40, pads=SAME3)
    x, w, factor, bias = case.operands()
    expected = reference.qconv2d(x, w, factor, bias, x_zero=zero, dtype="float32", **case.window())
    y = np.empty_like(expected)
    attributes = {n: list(getattr(case, n)) for n in ("strides", "pads", "dilations")}
    inputs = [x.transpose(0, 3, 1, 2), w, bias, factor, None, None, np.array([zero], np.uint8)]
    _native.call(
        "qconv2d", inputs, [y.transpose(0, 3, 1, 2)], {**attributes, "algorithm": "winograd"},
        isa=isa,
    )  # fmt: skip
    np.testing.assert_array_equal(y, expected)
