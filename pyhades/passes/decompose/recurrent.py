"""LSTM, GRU and RNN: one matrix product for all steps, then a recurrence per direction."""

from __future__ import annotations

from collections.abc import Sequence

from pyhades.ir.graph import Node, Value
from pyhades.ir.ops.recurrent import cells, directions
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.numerics.recurrent import GATES, Cell
from pyhades.passes.decompose.rule import Builder, rule, source


@rule("LSTM", "GRU", "RNN")
def _recurrent(build: Builder, node: Node) -> None:
    batch_first = bool(attribute(node, "layout"))
    x = source(node)
    if batch_first:
        x = build.transpose(x, (1, 0, 2))
    parts = []
    for index, (cell, reverse) in enumerate(zip(cells(node), directions(node), strict=True)):
        parts.append(_Direction(build, node, index, cell, batch_first).run(x, reverse))
    for number, (output, *values) in enumerate(zip(node.outputs, *parts, strict=False)):
        build.rewrite.substitute(output, _joined(build, values, number, batch_first))


def _joined(build: Builder, parts: Sequence[Value], number: int, batch_first: bool) -> Value:
    """Directions side by side: [t, d, b, h] or [d, b, h], or with the batch in front."""
    apart = []
    for index, part in enumerate(parts):
        *outer, batch, hidden = shape(part)
        apart.append(build.reshape(part, (*outer, 1, batch, hidden), f"apart{number}.{index}"))
    whole = apart[0]
    if len(apart) > 1:
        whole = build.apply("Concat", *apart, suffix=f"joined{number}", axis=-3)
    if not batch_first:
        return whole
    return build.transpose(whole, (2, 0, 1, 3) if len(shape(whole)) == 4 else (1, 0, 2))


class _Direction:
    """The operands of one direction."""

    def __init__(
        self, build: Builder, node: Node, index: int, cell: Cell, batch_first: bool
    ) -> None:
        self.build, self.node, self.index, self.cell = build, node, index, cell
        self.state_axis = 1 if batch_first else 0
        self.hidden = shape(source(node, 2))[2]

    def run(self, x: Value, reverse: bool) -> list[Value]:
        """Outputs and last states."""
        build = self.build
        weight = build.transpose(self._required(1), (1, 0))
        gates = build.apply("MatMul", x, weight, suffix=f"projected{self.index}")
        added, apart = self._biases()
        if added is not None:
            gates = build.apply("Add", gates, added, suffix=f"gates{self.index}")
        states = [self._part(number, self.state_axis) for number in (5, 6)]
        operands = [gates, self._required(2), apart, self._part(7), *states, self.node.input(4)]
        count = 3 if self.cell.kind == "lstm" else 2
        names = [f"recurrence{self.index}.{output}" for output in range(count)]
        attributes = {"cell": self.cell, "reverse": reverse}
        return build.apply_all("Recurrence", operands, names, **attributes)

    def _part(self, number: int, axis: int = 0) -> Value | None:
        """An input without its axis of directions."""
        value = self.node.input(number)
        if value is None:
            return None
        suffix = f"direction{self.index}.{number}"
        part = self.build.slice(value, axis, self.index, self.index + 1, suffix)
        extents = [e for i, e in enumerate(shape(value)) if i != axis]
        return self.build.reshape(part, extents, f"{suffix}.part")

    def _required(self, number: int) -> Value:
        value = self._part(number)
        assert value is not None
        return value

    def _biases(self) -> tuple[Value | None, Value | None]:
        """See pyhades.ir.ops.recurrent.split_bias."""
        both, width = self._part(3), GATES[self.cell.kind] * self.hidden
        if both is None:
            return None, None
        label = f"bias{self.index}"
        of_input = self.build.slice(both, 0, 0, width, f"{label}.input")
        of_state = self.build.slice(both, 0, width, 2 * width, f"{label}.state")
        if not (self.cell.kind == "gru" and self.cell.linear_before_reset):
            return self.build.apply("Add", of_input, of_state, suffix=label), None
        first = 2 * self.hidden
        apart = self.build.slice(of_state, 0, first, width, f"{label}.apart")
        pads = self.build.integers(f"{label}.pads", [0, self.hidden])
        gates = self.build.slice(of_state, 0, 0, first, f"{label}.gates")
        padded = self.build.apply("Pad", gates, pads, suffix=f"{label}.padded")
        return self.build.apply("Add", of_input, padded, suffix=label), apart
