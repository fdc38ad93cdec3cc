"""Recurrent cells over sequences, one direction at a time.

Gates lie side by side, in the order of ONNX: input, output, forget and candidate of an LSTM,
update, reset and candidate of a GRU, one of a plain cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from pyhades.numerics.array import Array

CellKind = Literal["lstm", "gru", "rnn"]
CELLS: tuple[CellKind, ...] = get_args(CellKind)
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
FUNCTIONS = {"lstm": ("sigmoid", "tanh", "tanh"), "gru": ("sigmoid", "tanh"), "rnn": ("tanh",)}
"""Activations where none are stated: of the gates, of the candidate, of an LSTM's state."""

Function = tuple[str, float, float]
"""Name, alpha and beta."""


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


ACTIVATIONS: dict[str, Callable[[Array, float, float], Array]] = {
    "sigmoid": lambda x, a, b: _sigmoid(x),
    "tanh": lambda x, a, b: np.tanh(x),
    "relu": lambda x, a, b: np.maximum(x, 0),
    "affine": lambda x, a, b: a * x + b,
    "leaky_relu": lambda x, a, b: np.where(x < 0, a * x, x),
    "thresholded_relu": lambda x, a, b: np.where(x > a, x, 0),
    "scaled_tanh": lambda x, a, b: a * np.tanh(b * x),
    "hard_sigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "elu": lambda x, a, b: np.where(x < 0, a * np.expm1(np.minimum(x, 0)), x),
    "softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "softplus": lambda x, a, b: np.logaddexp(x, x.dtype.type(0)),
}
DEFAULTS = {
    "affine": (1.0, 0.0),
    "leaky_relu": (0.01, 0.0),
    "thresholded_relu": (1.0, 0.0),
    "scaled_tanh": (1.0, 1.0),
    "hard_sigmoid": (0.2, 0.5),
    "elu": (1.0, 0.0),
}
"""Alpha and beta of the activations that have parameters."""


@dataclass(frozen=True)
class Cell:
    """What a cell computes in one step."""

    kind: str
    functions: tuple[Function, ...]
    clip: float = np.inf
    """Bounds what the activations of gates and candidates see."""
    linear_before_reset: bool = False
    """A GRU resets the product with the state, not the state."""
    input_forget: bool = False
    """An LSTM forgets what it does not take in."""

    def activate(self, which: int, x: Array) -> Array:
        """One of the functions, of what is clipped."""
        name, alpha, beta = self.functions[which]
        clipped = np.clip(x, -self.clip, self.clip)
        return ACTIVATIONS[name](clipped, alpha, beta).astype(x.dtype, copy=False)

    def finish(self, c: Array) -> Array:
        """What an LSTM shows of its state, which is not clipped."""
        name, alpha, beta = self.functions[2]
        return ACTIVATIONS[name](c, alpha, beta).astype(c.dtype, copy=False)


def recurrence(
    x: Array,
    w: Array,
    cell: Cell,
    bias: Array | None = None,
    peepholes: Array | None = None,
    h: Array | None = None,
    c: Array | None = None,
    lengths: Array | None = None,
    reverse: bool = False,
) -> tuple[Array, Array, Array]:
    """Outputs [steps, batch, hidden], and the last states h and c [batch, hidden].

    x [steps, batch, gates * hidden] is what inputs and biases add to the gates, w [gates * hidden,
    hidden] multiplies the state, ``bias`` [hidden] is added to a GRU's product for the candidate,
    ``peepholes`` [3 * hidden] let gates of an LSTM see its state. Rows end after ``lengths``
    [batch] steps, and with ``reverse`` begin there.
    """
    steps, batch, width = x.shape
    hidden = width // GATES[cell.kind]
    h = np.zeros((batch, hidden), x.dtype) if h is None else h
    c = np.zeros((batch, hidden), x.dtype) if c is None else c
    ends = np.full(batch, steps) if lengths is None else np.minimum(lengths, steps)
    y = np.zeros((steps, batch, hidden), x.dtype)
    for step in range(steps):
        rows = np.flatnonzero(step < ends)
        times = ends[rows] - 1 - step if reverse else np.full(len(rows), step)
        gates = np.split(x[times, rows], GATES[cell.kind], axis=1)
        h, c = h.copy(), c.copy()
        h[rows], c[rows] = _step(cell, gates, w, bias, peepholes, h[rows], c[rows])
        y[times, rows] = h[rows]
    return y, h, c


def _step(
    cell: Cell,
    x: list[Array],
    w: Array,
    bias: Array | None,
    peepholes: Array | None,
    h: Array,
    c: Array,
) -> tuple[Array, Array]:
    weights = np.split(w, len(x))
    if cell.kind == "rnn":
        return cell.activate(0, x[0] + h @ w.T), c
    added = [h @ weight.T for weight in weights]
    if cell.kind == "lstm":
        return _step_lstm(cell, [a + b for a, b in zip(x, added, strict=True)], peepholes, c)
    update, reset = (cell.activate(0, x[gate] + added[gate]) for gate in (0, 1))
    extra = h.dtype.type(0) if bias is None else bias
    if cell.linear_before_reset:
        seen = reset * (added[2] + extra)
    else:
        seen = (reset * h) @ weights[2].T + extra
    candidate = cell.activate(1, x[2] + seen)
    return (1 - update) * candidate + update * h, c


def _step_lstm(
    cell: Cell, gates: list[Array], peepholes: Array | None, c: Array
) -> tuple[Array, Array]:
    zeros = np.zeros(3 * c.shape[1], c.dtype)
    peek = np.split(zeros if peepholes is None else peepholes, 3)
    enter = cell.activate(0, gates[0] + peek[0] * c)
    forget = 1 - enter if cell.input_forget else cell.activate(0, gates[2] + peek[2] * c)
    state = forget * c + enter * cell.activate(1, gates[3])
    out = cell.activate(0, gates[1] + peek[1] * state)
    return out * cell.finish(state), state
