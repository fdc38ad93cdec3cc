"""LSTM, GRU and RNN, and the recurrence of one direction that they are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pyhades.ir.graph import Dim, Node
from pyhades.ir.ops.elementwise import widened
from pyhades.ir.registry import Array, Operator, attribute, elements, ir_op
from pyhades.ir.shapes import UNKNOWN, Shape, agree, fail, shape_of
from pyhades.numerics.recurrent import (
    ACTIVATIONS,
    DEFAULTS,
    FUNCTIONS,
    GATES,
    Cell,
    Function,
    recurrence,
)

_DIRECTIONS: dict[str, tuple[bool, ...]] = {
    "forward": (False,),
    "reverse": (True,),
    "bidirectional": (False, True),
}
_NAMES = {name.replace("_", ""): name for name in ACTIVATIONS}
_ATTRIBUTES: dict[str, Any] = {
    "activation_alpha": None,
    "activation_beta": None,
    "activations": None,
    "clip": None,
    "direction": "forward",
    "hidden_size": None,
    "layout": 0,
}


def directions(node: Node) -> tuple[bool, ...]:
    """Per direction whether it runs backwards."""
    name = attribute(node, "direction")
    if name not in _DIRECTIONS:
        fail(node, f"direction {name!r} is none of {', '.join(_DIRECTIONS)}")
    return _DIRECTIONS[name]


def cells(node: Node) -> list[Cell]:
    """What the cell of each direction computes."""
    kind = node.op.lower()
    count = len(FUNCTIONS[kind])
    stated = attribute(node, "activations") or list(FUNCTIONS[kind]) * len(directions(node))
    if len(stated) != count * len(directions(node)):
        fail(node, f"activations {stated}: {count} are needed per direction")
    functions = list(_functions(node, stated))
    clip = attribute(node, "clip")
    return [
        Cell(
            kind,
            tuple(functions[index * count : (index + 1) * count]),
            np.inf if clip is None else clip,
            bool(node.attributes.get("linear_before_reset", 0)),
            bool(node.attributes.get("input_forget", 0)),
        )
        for index in range(len(directions(node)))
    ]


def _functions(node: Node, names: list[str]) -> Iterator[Function]:
    """Parameters are stated in order for the functions that have such."""
    lists = [list(attribute(node, f"activation_{name}") or []) for name in ("alpha", "beta")]
    for stated in names:
        name = _NAMES.get(stated.lower().replace("_", ""))
        if name is None:
            fail(node, f"activation {stated!r} is none of {', '.join(ACTIVATIONS)}")
        alpha, beta = DEFAULTS.get(name, (0.0, 0.0))
        if name in DEFAULTS and lists[0]:
            alpha = lists[0].pop(0)
        if name in ("affine", "scaled_tanh", "hard_sigmoid") and lists[1]:
            beta = lists[1].pop(0)
        yield name, float(alpha), float(beta)


class _Recurrent(Operator):
    """x [t, b, i], w [d, gates * h, i], r [d, gates * h, h], bias?, lengths?, states?.

    With ``layout`` 1 the batch comes first in x, in the outputs and in the states.
    """

    @property
    def gates(self) -> int:
        """How many lie side by side."""
        return GATES[self.name.lower()]

    def shapes(self, node: Node) -> list[Shape]:
        x, w, r = (shape_of(node, index) for index in range(3))
        if {len(x), len(w), len(r)} != {3}:
            fail(node, f"x, w and r need rank 3, have {len(x)}, {len(w)} and {len(r)}")
        count, hidden = len(directions(node)), r[2]
        if isinstance(hidden, int):
            agree(node, r[1], self.gates * hidden, "rows of r and gates times hidden size")
        agree(node, w[1], r[1], "rows of w and of r")
        agree(node, x[2], w[2], "inputs of x and of w")
        for shape in (w, r):
            agree(node, shape[0], count, "directions of the weights")
        stated = attribute(node, "hidden_size")
        if stated is not None:
            agree(node, hidden, stated, "columns of r and hidden_size")
        cells(node)
        steps, batch = (x[1], x[0]) if attribute(node, "layout") else (x[0], x[1])
        self._check_rest(node, count, batch, hidden)
        state: tuple[Dim, ...] = (count, batch, hidden)
        whole: tuple[Dim, ...] = (steps, count, batch, hidden)
        if attribute(node, "layout"):
            state, whole = (batch, count, hidden), (batch, steps, count, hidden)
        return [whole, state, state][: len(node.outputs)]

    def _check_rest(self, node: Node, count: int, batch: Dim, hidden: Dim) -> None:
        def times(factor: int) -> Dim:
            return factor * hidden if isinstance(hidden, int) else UNKNOWN

        state = (batch, count, hidden) if attribute(node, "layout") else (count, batch, hidden)
        expected: dict[int, tuple[Dim, ...]] = {
            3: (count, times(2 * self.gates)),
            4: (batch,),
            5: state,
            6: state,
            7: (count, times(3)),
        }
        for index, shape in expected.items():
            if node.input(index) is None:
                continue
            found = shape_of(node, index)
            if len(found) != len(shape):
                fail(node, f"input {index} has rank {len(found)}, expected {len(shape)}")
            for have, want in zip(found, shape, strict=True):
                agree(node, have, want, f"extents of input {index}: {found} and {shape}")

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        padded = [*inputs, *[None] * (8 - len(inputs))]
        dtype, lengths = padded[0].dtype, padded[4]
        x, w, r, bias, _, h, c, peepholes = (
            None if value is None else widened(value) for value in padded
        )
        assert x is not None and w is not None and r is not None
        batch_first = bool(attribute(node, "layout"))
        x = x.swapaxes(0, 1) if batch_first else x
        h, c = (s.swapaxes(0, 1) if batch_first and s is not None else s for s in (h, c))
        parts = []
        for index, (cell, reverse) in enumerate(zip(cells(node), directions(node), strict=True)):
            vector = np.zeros(2 * r.shape[1], x.dtype) if bias is None else bias[index]
            added, apart = split_bias(vector, cell)
            peek, first_h, first_c = (
                None if value is None else value[index] for value in (peepholes, h, c)
            )
            gates = x @ w[index].T + added
            states = (first_h, first_c, lengths)
            parts.append(recurrence(gates, r[index], cell, apart, peek, *states, reverse))
        y, last_h, last_c = (np.stack(part, axis=-3) for part in zip(*parts, strict=True))
        if batch_first:
            y = y.transpose(2, 0, 1, 3)
            last_h, last_c = (state.swapaxes(0, 1) for state in (last_h, last_c))
        results = [y, last_h, last_c][: len(node.outputs)]
        return [np.ascontiguousarray(result.astype(dtype, copy=False)) for result in results]

    def flops(self, node: Node) -> int:
        x, w, r = node.inputs[:3]
        if x is None or w is None or r is None:
            return 0
        rows = elements(x.type) // max(int(shape_of(node, 0)[2]), 1)
        return 2 * rows * (elements(w.type) + elements(r.type))


def split_bias(bias: Array, cell: Cell) -> tuple[Array, Array | None]:
    """What is added to the gates, and what to the product with the state of a GRU's candidate."""
    of_input, of_state = np.split(bias, 2)
    if not (cell.kind == "gru" and cell.linear_before_reset):
        return of_input + of_state, None
    hidden = len(of_state) // GATES[cell.kind]
    apart = of_state[2 * hidden :]
    return of_input + np.concatenate([of_state[: 2 * hidden], np.zeros_like(apart)]), apart


@ir_op(
    "LSTM",
    "F, F, F, F?, int32?, F?, F?, F? -> F, F?, F?",
    **_ATTRIBUTES,
    input_forget=0,
)
class LSTM(_Recurrent):
    """Long short-term memory: outputs, last outputs, last states."""


@ir_op(
    "GRU",
    "F, F, F, F?, int32?, F? -> F, F?",
    **_ATTRIBUTES,
    linear_before_reset=0,
)
class GRU(_Recurrent):
    """Gated recurrent unit: outputs, last outputs."""


@ir_op("RNN", "F, F, F, F?, int32?, F? -> F, F?", **_ATTRIBUTES)
class RNN(_Recurrent):
    """Plain recurrent cell: outputs, last outputs."""


@ir_op("Recurrence", "F, F, F?, F?, F?, F?, int32? -> F, F, F?", cell=None, reverse=False)
class Recurrence(Operator):
    """One direction, of gates that have seen the inputs; see pyhades.numerics.recurrent."""

    def shapes(self, node: Node) -> list[Shape]:
        x, r = shape_of(node, 0), shape_of(node, 1)
        state = (x[1], r[1])
        return [(*x[:2], r[1]), state, state][: len(node.outputs)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, w, bias, peepholes, h, c, lengths = (*inputs, *[None] * 5)[:7]
        cell, reverse = attribute(node, "cell"), attribute(node, "reverse")
        results = recurrence(x, w, cell, bias, peepholes, h, c, lengths, reverse)
        return list(results)[: len(node.outputs)]

    def flops(self, node: Node) -> int:
        x, r = node.inputs[:2]
        rows = elements(x.type) // max(int(shape_of(node, 0)[2]), 1)  # type: ignore[union-attr]
        return 2 * rows * elements(r.type)  # type: ignore[union-attr]
