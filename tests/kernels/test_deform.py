"""Deformable convolution against NumPy, onnxruntime and the plain convolution."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty
from tests.support.onnx_models import make_model, run_rival

CHANNELS = [1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65]
GEOMETRIES = {
    "plain": {"kernel": (3, 3), "pads": (1, 1, 1, 1)},
    "strided": {"kernel": (3, 2), "strides": (2, 1), "pads": (0, 1, 2, 0), "dilations": (1, 2)},
    "groups": {"kernel": (2, 2), "groups": 2, "offset_groups": 4},
    "many taps": {"kernel": (7, 7), "pads": (3, 3, 3, 3), "offset_groups": 2},
    "pointwise": {"kernel": (1, 1), "groups": 4},
}


class Case:
    """Operands of one convolution, and what it has to give."""

    def __init__(self, channels, outputs, size=(9, 11), kernel=(3, 3), spread=2.0, **geometry):
        rng = np.random.default_rng([channels, outputs, *kernel])
        self.geometry = geometry
        groups, moved = geometry.get("groups", 1), geometry.get("offset_groups", 1)
        taps = kernel[0] * kernel[1] * moved
        pads, strides = geometry.get("pads", (0,) * 4), geometry.get("strides", (1, 1))
        dilations = geometry.get("dilations", (1, 1))
        out = [
            (size[a] + pads[a] + pads[a + 2] - (kernel[a] - 1) * dilations[a] - 1) // strides[a] + 1
            for a in range(2)
        ]

        def normal(*shape):
            return rng.standard_normal(shape).astype(np.float32)

        self.x = normal(2, *size, channels).transpose(0, 3, 1, 2)
        self.w = normal(outputs, channels // groups, *kernel)
        self.offset = normal(2, 2 * taps, *out) * np.float32(spread)
        self.bias, self.mask = normal(outputs), rng.random((2, taps, *out), np.float32)

    @property
    def arrays(self):
        return self.x, self.w, self.offset, self.bias, self.mask

    def check(self, actual, activation=None):
        expected = reference.deform_conv2d(*self.arrays, **self.geometry, activation=activation)
        # Positions are float32, which an image sees with its slope, and so are the sums.
        terms = self.w[0].size
        bound = 2.0**-19 * np.abs(self.x).max() * np.abs(self.w).max() * terms
        np.testing.assert_allclose(actual, expected, rtol=0, atol=bound)


@pytest.mark.covers("deform_conv_f32")
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("at", ["start", "end"])
def test_operands_stay_inside_their_memory(isa, channels, at):
    case = Case(channels, channels + 1, (5, 6), pads=(1, 1, 1, 1))
    pixel, wide = channels + 3, channels + 5
    x = guarded(case.x, (30 * pixel, 1, 6 * pixel, pixel), at)
    w = guarded(case.w, None, at)
    fields = [guarded(field, None, at) for field in (case.offset, case.mask)]
    y = guarded_empty((2, channels + 1, 5, 6), strides=(30 * wide, 1, 6 * wide, wide), at=at)
    operands = [x, w, fields[0], guarded(case.bias, None, at), fields[1]]
    _native.call("deform_conv2d", operands, [y], {"pads": [1] * 4}, isa=isa)
    case.check(y)
    assert_gaps_untouched(y)


@pytest.mark.parametrize("channels", [4, 20, 64])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_every_geometry(isa, name, channels):
    case = Case(channels, 2 * channels, **GEOMETRIES[name])
    case.check(kernels.deform_conv2d(*case.arrays, **case.geometry, isa=isa))


def test_planar_and_channels_last_operands_of_any_strides(isa):
    case = Case(20, 12, pads=(1, 1, 1, 1))
    planar = np.ascontiguousarray(case.x)
    y = kernels.deform_conv2d(planar, *case.arrays[1:], **case.geometry, isa=isa)
    assert y.flags.c_contiguous
    case.check(y)
    fields = [
        np.ascontiguousarray(field.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        for field in (case.offset, case.mask)
    ]
    out = np.zeros((2, 12, 9, 22), np.float32)[..., ::2]
    result = kernels.deform_conv2d(
        case.x, case.w, fields[0], case.bias, fields[1], **case.geometry, out=out, isa=isa
    )
    assert result is out
    case.check(out)


def test_without_offsets_it_is_the_convolution(isa):
    case = Case(32, 48, pads=(1, 1, 1, 1), spread=0.0)
    plain = kernels.conv2d(case.x, case.w, case.bias, pads=(1, 1, 1, 1), algorithm="direct")
    y = kernels.deform_conv2d(*case.arrays[:4], **case.geometry, isa=isa)
    np.testing.assert_allclose(y, plain, rtol=0, atol=1e-4)


def test_activations(isa):
    case = Case(9, 18, pads=(1, 1, 1, 1))
    for activation in ("relu", "gelu_erf"):
        y = kernels.deform_conv2d(*case.arrays, **case.geometry, activation=activation, isa=isa)
        case.check(y, activation)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_equals_onnxruntime(name):
    case = Case(8, 12, **GEOMETRIES[name])
    g = case.geometry
    attributes = {k: list(g[k]) for k in ("strides", "pads", "dilations") if k in g}
    attributes |= {"group": g.get("groups", 1), "offset_group": g.get("offset_groups", 1)}
    feeds = {"x": np.ascontiguousarray(case.x), "offset": case.offset, "mask": case.mask}
    constants = {"w": case.w, "bias": case.bias}
    names = ["x", "w", "offset", "bias", "mask"]
    model = make_model("DeformConv", 19, feeds, constants, inputs=names, **attributes)
    case.check(run_rival(model, feeds)[0])


def test_offsets_that_lead_nowhere(isa):
    """Samples outside are zero, and nothing outside of the image is read."""
    case = Case(20, 7, pads=(1, 1, 1, 1))
    for far in (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e6):
        case.offset[...] = far
        y = kernels.deform_conv2d(*case.arrays[:4], **case.geometry, isa=isa)
        np.testing.assert_array_equal(y, np.broadcast_to(case.bias.reshape(-1, 1, 1), y.shape))


def test_results_do_not_depend_on_threads():
    case = Case(16, 24, (40, 37), pads=(1, 1, 1, 1))
    one = kernels.deform_conv2d(*case.arrays, **case.geometry, threads=1)
    two = kernels.deform_conv2d(*case.arrays, **case.geometry, threads=2)
    assert one.tobytes() == two.tobytes()


def test_bad_arguments_are_named():
    case = Case(8, 12, pads=(1, 1, 1, 1))
    x, w, offset, bias, mask = case.arrays
    for wrong, message in (
        ({"groups": 3}, "groups=3"),
        ({"offset_groups": 3}, "offset_groups=3"),
        ({"pads": (1, 1)}, "pads"),
        ({"strides": (0, 1)}, "strides"),
        ({"pads": (0, 0, 0, 0)}, "offset has shape"),
    ):
        with pytest.raises(ArgumentError, match=message):
            kernels.deform_conv2d(x, w, offset, bias, mask, **{**case.geometry, **wrong})
    with pytest.raises(ArgumentError, match="mask has shape"):
        kernels.deform_conv2d(x, w, offset, bias, offset, **case.geometry)
    with pytest.raises(ArgumentTypeError, match="float64"):
        kernels.deform_conv2d(x.astype(np.float64), w, offset, **case.geometry)
