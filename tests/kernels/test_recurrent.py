"""Recurrent cells against NumPy; tests/ir compares the layers with onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from pyhades.numerics.recurrent import ACTIVATIONS, CELLS, FUNCTIONS, GATES
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty

HIDDEN = [1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 65]
STEPS, BATCH = 4, 5


def operands(cell, hidden, steps=STEPS, batch=BATCH):
    """x, w, then bias, peepholes, h and c as far as the cell has them."""
    rng = np.random.default_rng([hidden, steps, GATES[cell]])

    def normal(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    width = GATES[cell] * hidden
    w = normal(width, hidden) / np.float32(np.sqrt(hidden))
    given = {"h": normal(batch, hidden)}
    if cell == "gru":
        given["bias"] = normal(hidden)
    if cell == "lstm":
        given |= {"peepholes": normal(3 * hidden), "c": normal(batch, hidden)}
    return (normal(steps, batch, width), w), given


def assert_equal(actual, expected, hidden):
    # A few steps of sums of `hidden` products, each squeezed by activations of slope 1 at most.
    bound = 2.0**-20 * (8 + hidden / 8)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=bound, atol=bound)


@pytest.mark.covers("recurrent_f32")
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("at", ["start", "end"])
def test_operands_stay_inside_their_memory(isa, cell, hidden, at):
    (x, w), given = operands(cell, hidden)
    names = ("bias", "peepholes", "h", "c")
    rest = [guarded(given[n], None, at) if n in given else None for n in names]
    lengths = np.int32([4, 1, 0, 3, 2])
    count = 3 if cell == "lstm" else 2
    states = [guarded_empty((BATCH, hidden), at=at) for _ in range(count - 1)]
    strides = (BATCH * (hidden + 3), hidden + 3, 1)
    y = guarded_empty((STEPS, BATCH, hidden), strides=strides, at=at)
    attributes = {"cell": cell, **dict(zip("fgh", FUNCTIONS[cell], strict=False))}
    inputs = [guarded(x, None, at), guarded(w, None, at), *rest, guarded(lengths, None, at)]
    _native.call("recurrent", inputs, [y, *states], attributes, isa=isa)
    assert_equal([y, *states], reference.recurrence(x, w, cell, lengths=lengths, **given), hidden)
    assert_gaps_untouched(y)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [3, 0, 9, -2, 1]])
@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("lstm", {}),
        ("lstm", {"input_forget": True, "clip": 0.5}),
        ("gru", {}),
        ("gru", {"linear_before_reset": True}),
        ("gru", {"linear_before_reset": True, "clip": 0.5}),
        ("rnn", {"clip": 0.5}),
    ],
)
def test_every_option(isa, cell, options, lengths, reverse):
    arrays, given = operands(cell, 20)
    given["lengths"] = None if lengths is None else np.int32(lengths)
    options = {**options, **given, "reverse": reverse}
    actual = kernels.recurrence(*arrays, cell, **options, isa=isa)
    assert_equal(actual, reference.recurrence(*arrays, cell, **options), 20)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation(isa, name):
    arrays, given = operands("lstm", 9)
    chosen = {"activations": ["sigmoid", (name, 0.4, 0.3), name]}
    actual = kernels.recurrence(*arrays, "lstm", **given, **chosen, isa=isa)
    assert_equal(actual, reference.recurrence(*arrays, "lstm", **given, **chosen), 9)


@pytest.mark.parametrize("cell", CELLS)
def test_extents_of_zero(isa, cell):
    for steps, batch in ((0, 5), (4, 0)):
        arrays, given = operands(cell, 6, steps, batch)
        actual = kernels.recurrence(*arrays, cell, **given, isa=isa)
        assert_equal(actual, reference.recurrence(*arrays, cell, **given), 6)


@pytest.mark.parametrize("cell", CELLS)
def test_results_do_not_depend_on_threads(cell):
    arrays, given = operands(cell, 200, 12)
    one = kernels.recurrence(*arrays, cell, **given, threads=1)
    two = kernels.recurrence(*arrays, cell, **given, threads=2)
    for a, b in zip(one, two, strict=True):
        assert a.tobytes() == b.tobytes()


def test_bad_arguments_are_named():
    (x, w), _ = operands("gru", 4)
    with pytest.raises(ArgumentError, match="cell"):
        kernels.recurrence(x, w, "mgu")
    with pytest.raises(ArgumentError, match="w has shape"):
        kernels.recurrence(x, w[:-1], "gru")
    with pytest.raises(ArgumentError, match="h has shape"):
        kernels.recurrence(x, w, "gru", h=w)
    with pytest.raises(ArgumentError, match="gru has 2"):
        kernels.recurrence(x, w, "gru", activations=["tanh"])
    with pytest.raises(ArgumentError, match="'swish' is none of"):
        kernels.recurrence(x, w, "gru", activations=["tanh", "swish"])
    with pytest.raises(ArgumentError, match="clip"):
        kernels.recurrence(x, w, "gru", clip=0)
    with pytest.raises(ArgumentTypeError, match="lengths has dtype"):
        kernels.recurrence(x, w, "gru", lengths=np.int64([1] * 5))
