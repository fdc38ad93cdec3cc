"""Recurrent cells over sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, check_shape
from pyhades.numerics.recurrent import ACTIVATIONS, DEFAULTS, FUNCTIONS, GATES, Cell, CellKind

Activation = str | tuple[str, float] | tuple[str, float, float]
"""A name, or a name with its alpha and beta."""


def recurrence(
    x: ArrayLike,
    w: ArrayLike,
    cell: CellKind = "lstm",
    bias: ArrayLike | None = None,
    peepholes: ArrayLike | None = None,
    h: ArrayLike | None = None,
    c: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    *,
    reverse: bool = False,
    activations: Sequence[Activation] | None = None,
    clip: float | None = None,
    linear_before_reset: bool = False,
    input_forget: bool = False,
    threads: int | None = None,
    isa: str | None = None,
) -> tuple[Array, ...]:
    """One direction of an LSTM, GRU or plain recurrent layer, from gates that have seen the inputs.

    Parameters
    ----------
    x
        float32 ``[steps, batch, gates * hidden]``: inputs times their weights, plus biases.
        Gates are those of ONNX in its order: input, output, forget, candidate of an LSTM; update,
        reset, candidate of a GRU; one of a plain cell.
    w
        float32 ``[gates * hidden, hidden]``: the weights of the state.
    cell
        ``"lstm"``, ``"gru"`` or ``"rnn"``.
    bias
        float32 ``[hidden]``, added to a GRU's product of the state for the candidate.
    peepholes
        float32 ``[3 * hidden]``: what input, output and forget gate of an LSTM see of its state.
    h, c
        float32 ``[batch, hidden]``: the first states, zeros by default.
    lengths
        int32 ``[batch]``: steps of each row, all by default. What follows gives zeros.
    reverse
        Whether rows run from their last step to their first.
    activations
        Of gates, of the candidate and, of an LSTM, of the state: names of
        ``pyhades.numerics.recurrent.ACTIVATIONS``, or such with alpha and beta.
    clip
        Largest magnitude that activations of gates and candidates see.
    linear_before_reset
        Whether a GRU resets the product of the state and not the state.
    input_forget
        Whether an LSTM forgets what it does not take in.
    threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    tuple of ndarray
        Outputs ``[steps, batch, hidden]``, the last ones ``[batch, hidden]`` and, of an LSTM, the
        last state ``[batch, hidden]``.

    Raises
    ------
    ArgumentError
        If shapes or options do not fit.
    ArgumentTypeError
        If an array has another dtype.

    Examples
    --------
    >>> ones = np.ones((3, 1, 1), np.float32)
    >>> y, last = recurrence(ones, np.eye(1, dtype=np.float32), "rnn", activations=["relu"])
    >>> y.ravel()
    array([1., 2., 3.], dtype=float32)
    """
    one_of("cell", cell, CellKind)
    x = np.ascontiguousarray(as_array("x", x, ndim=3))
    w = np.ascontiguousarray(as_array("w", w, ndim=2))
    steps, batch, width = x.shape
    hidden = width // GATES[cell]
    check_shape("w", w, (width, hidden))
    state = (batch, hidden)
    shapes = {"bias": (hidden,), "peepholes": (3 * hidden,), "h": state, "c": state}
    given = dict(zip(shapes, (bias, peepholes, h, c), strict=True))
    operands = [_operand(name, array, shapes[name]) for name, array in given.items()]
    rows = _operand("lengths", lengths, (batch,), np.int32)
    plan = make_cell(cell, activations, clip, linear_before_reset, input_forget)
    results = [np.empty((steps, batch, hidden), np.float32)]
    results += [np.zeros(state, np.float32) for _ in range(2 if cell == "lstm" else 1)]
    attributes = {**cell_attributes(plan), "reverse": int(reverse)}
    call("recurrent", [x, w, *operands, rows], results, attributes, threads=threads, isa=isa)
    return tuple(results)


def _operand(
    name: str, array: ArrayLike | None, shape: tuple[int, ...], dtype: Any = np.float32
) -> Array | None:
    if array is None:
        return None
    result = np.ascontiguousarray(as_array(name, array, dtype=dtype))
    check_shape(name, result, shape)
    return result


def make_cell(
    kind: CellKind,
    activations: Sequence[Activation] | None,
    clip: float | None,
    linear_before_reset: bool,
    input_forget: bool,
) -> Cell:
    """The cell of these arguments."""
    stated = FUNCTIONS[kind] if activations is None else activations
    if len(stated) != len(FUNCTIONS[kind]):
        raise ArgumentError(f"activations={stated!r}: {kind} has {len(FUNCTIONS[kind])}")
    functions = []
    for item in stated:
        name, *numbers = (item,) if isinstance(item, str) else item
        if name not in ACTIVATIONS:
            raise ArgumentError(f"activation {name!r} is none of {', '.join(ACTIVATIONS)}")
        defaults = DEFAULTS.get(name, (0.0, 0.0))
        alpha, beta = (*map(float, numbers), *defaults[len(numbers) :])
        functions.append((name, alpha, beta))
    if clip is not None and not clip > 0:
        raise ArgumentError(f"clip={clip} must be positive; None for none")
    bound = np.inf if clip is None else float(clip)
    return Cell(kind, tuple(functions), bound, linear_before_reset, input_forget)


def cell_attributes(cell: Cell) -> dict[str, Any]:
    """What the native operator takes."""
    functions = [*cell.functions, *[("tanh", 0.0, 0.0)] * (3 - len(cell.functions))]
    clip = {} if np.isinf(cell.clip) else {"clip": float(cell.clip)}
    return {
        "cell": cell.kind,
        "linear_before_reset": int(cell.linear_before_reset),
        "input_forget": int(cell.input_forget),
        "alphas": [alpha for _, alpha, _ in functions],
        "betas": [beta for _, _, beta in functions],
        **dict(zip("fgh", (name for name, _, _ in functions), strict=True)),
        **clip,
    }
