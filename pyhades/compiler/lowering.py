"""From graph to native instructions: what the operator rules in ``compiler/lower`` build on.

Every value gets a view. Rules ask for the views of their inputs, demand a layout where a kernel
needs one (a copy is emitted only if the strides do not do), and ask where to store their output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from pyhades.compiler.instruction import Instruction, Lowered
from pyhades.compiler.iteration import coalesced
from pyhades.compiler.view import Array, Buffer, View, constant_view, dense_strides, root_of
from pyhades.errors import UnsupportedOperatorError
from pyhades.ir.graph import Graph, Node, Value
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import UnknownShape
from pyhades.ir.shapes import shape as shape_of
from pyhades.passes import is_decomposed

CHANNELS_LAST = (0, 2, 3, 1)

Rule = Callable[["Lowering", Node], None]
RULES: dict[str, Rule] = {}


def lowers(*ops: str) -> Callable[[Rule], Rule]:
    """Decorator: the function lowers these IR operators."""

    def register(rule: Rule) -> Rule:
        for op in ops:
            if op in RULES:
                raise ValueError(f"{op} is lowered twice")
            RULES[op] = rule
        return rule

    return register


SPELLED_OUT = ("FakeQuantize",)
"""Operators for which a pass of their own finds others that have kernels."""


def has_kernel(op: str) -> bool:
    """Whether nodes of ``op`` can be compiled: lowered, or taken apart into others that are."""
    import pyhades.compiler.lower  # noqa: F401  (fills the table of rules)

    return op in RULES or is_decomposed(op) or op in SPELLED_OUT


@dataclass(frozen=True)
class Placement:
    """Where a value is stored: inside the result of a Concat.

    ``views`` are the Reshape and Transpose nodes, last first, between the value and the part of
    ``extent`` from ``start`` along ``axis`` that it becomes.
    """

    parent: Value
    axis: int
    start: int
    extent: int
    views: tuple[Node, ...] = ()

    def inside(self, whole: View) -> View | None:
        """The part of ``whole`` in the shape of the value; None where strides cannot say it."""
        part: View | None = whole.slice(self.axis, self.start, self.extent)
        for node in self.views:
            source = node.inputs[0]
            assert source is not None and part is not None
            if node.op == "Transpose":
                perm = attribute(node, "perm") or range(part.rank)[::-1]
                part = part.transpose([list(perm).index(axis) for axis in range(part.rank)])
            else:
                part = part.reshape(shape_of(source))
            if part is None:
                return None
        return part


class Lowering:
    """State of one lowering.

    Parameters
    ----------
    graph
        After the passes: static shapes.
    placements
        Values to be stored in slices of Concat results.
    orders
        Axis order of those Concat results.
    """

    def __init__(
        self,
        graph: Graph,
        placements: dict[Value, Placement] | None = None,
        orders: dict[Value, tuple[int, ...]] | None = None,
    ) -> None:
        self.graph = graph
        self.instructions: list[Instruction] = []
        self.placements = placements or {}
        self.orders = orders or {}
        self.stored: dict[Value, View] = {}
        self.rigid: set[Value] = set()
        self._views: dict[Value, View] = {}
        self._reshaped: dict[Value, View] = {}
        self._copies: dict[tuple[View, tuple[int, ...]], View] = {}
        self._constants: dict[int, tuple[Buffer, Array]] = {}
        self._numbered: dict[str, int] = {}
        self._node: Node | None = None
        self._io = self._output_buffers()

    def run(self) -> Lowered:
        """Lower every node."""
        inputs = {}
        for value in self.graph.inputs:
            if not value.is_constant:
                buffer = Buffer("io", value.name, self._nbytes(value))
                inputs[value.name] = self._views[value] = self._dense(buffer, value)
        for node in self.graph.nodes:
            rule = RULES.get(node.op)
            self._node = node
            if rule is None:
                self.refuse(node, "no native kernel implements it")
                continue
            try:
                rule(self, node)
            except UnknownShape:
                self.refuse(node, "an input that has to be constant is computed by the network")
        outputs = [self._finish_output(index, v) for index, v in enumerate(self.graph.outputs)]
        places = {**self._views, **self._reshaped}
        values = {v.name: (view, shape_of(v)) for v, view in places.items() if not v.is_constant}
        return Lowered(self.instructions, inputs, outputs, values)

    def refuse(self, node: Node, reason: str) -> NoReturn:
        """Raise UnsupportedOperatorError naming ``node``."""
        kinds = ", ".join("_" if value is None else repr(value) for value in node.inputs)
        name = node.name or node.outputs[0].name
        raise UnsupportedOperatorError(
            f"{self.graph.source or self.graph.name}: {node.op} '{name}' ({kinds}) cannot be "
            f"compiled: {reason}. Replace it in the model before exporting, or run the graph with "
            "pyhades.ir.interpreter.interpret"
        )

    # Inputs

    def view(self, value: Value) -> View:
        """Where ``value`` lies, in its logical shape."""
        if value in self._reshaped:
            source = self._reshaped.pop(value)
            copied = self.dense(source)
            viewed = copied.reshape(shape_of(value))
            assert viewed is not None
            self._views[value] = viewed
        if value not in self._views:
            data = value.data
            assert data is not None, f"{value!r} is read before it is made"
            self._views[value] = self.constant(data, value.name)
        return self._views[value]

    def unmerged(self, value: Value) -> View:
        """Like :meth:`view`, but a Reshape that would cost a copy is left undone.

        The elements are those of ``value`` in row-major order, in whatever shape strides can say.
        """
        return self._reshaped[value] if value in self._reshaped else self.view(value)

    def viewed(self, value: Value) -> View | None:
        """Where ``value`` lies, if it does without a copy."""
        return self._views.get(value)

    def input(self, node: Node, index: int) -> View:
        """The view of a required input."""
        value = node.inputs[index]
        assert value is not None
        return self.view(value)

    def optional(self, node: Node, index: int) -> View | None:
        """The view of an input, or None where it was omitted."""
        value = node.input(index)
        return None if value is None else self.view(value)

    def constant(self, array: Array, name: str) -> View:
        """A view of constant data; windows of one array share its buffer."""
        root = root_of(array)
        if not root.flags.c_contiguous or not _is_worth_sharing(array, root):
            array = root = np.ascontiguousarray(array)
        if id(root) not in self._constants:
            self._constants[id(root)] = (Buffer("constant", name, root.nbytes, root), root)
        buffer, root = self._constants[id(root)]
        return constant_view(buffer, array, root)

    # Layout

    def dense(self, view: View, order: Sequence[int] | None = None) -> View:
        """``view`` if it has no gaps in that axis order, else a copy that has none."""
        if view.is_dense(order):
            return view
        axes = tuple(range(view.rank)) if order is None else tuple(order)
        key = (view, axes)
        if key not in self._copies:
            fresh = self.temporary(view.shape, view.dtype, axes)
            self.copy(view, fresh)
            self._copies[key] = fresh
        return self._copies[key]

    def channels_last(self, view: View) -> View:
        """``view`` [n, c, h, w] if kernels can read it as channels-last, else a copy."""
        return view if is_channels_last(view) else self.dense(view, CHANNELS_LAST)

    def rows(self, view: View, trailing: int = 1) -> View:
        """A matrix: the last ``trailing`` axes merged, with stride 1, and all others merged."""
        split = view.rank - trailing
        count = int(np.prod(view.shape[:split], dtype=np.int64))
        length = int(np.prod(view.shape[split:], dtype=np.int64))
        merged = view.reshape((count, length))
        if merged is None or (length > 1 and merged.strides[1] != 1):
            merged = self.dense(view).reshape((count, length))
        assert merged is not None
        return merged

    def copy(self, source: View, target: View) -> None:
        """Emit a copy, over as few axes as the strides allow."""
        if 0 in source.shape:
            return
        (source,), (target,) = coalesced([source], [target])
        self.emit("copy", [source], [target])

    # Outputs

    def temporary(
        self, shape: Sequence[int], dtype: Any, order: Sequence[int] | None = None, name: str = ""
    ) -> View:
        """Arena memory without gaps."""
        kind = np.dtype(dtype)
        label = name or (self._node.outputs[0].name if self._node else "temporary")
        nbytes = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        buffer = Buffer("arena", self._unique(label), nbytes)
        return View(buffer, kind, tuple(shape), dense_strides(shape, order))

    def output(self, value: Value, order: Sequence[int] | None = None, rigid: bool = False) -> View:
        """Where to store ``value``: a slice of a Concat, the caller's array, or the arena.

        ``rigid`` says that the kernel cannot leave gaps, so a Concat must not place it.
        """
        if rigid:
            self.rigid.add(value)
        if value not in self.stored:
            self.stored[value] = self._place(value, order)
        self._views[value] = self.stored[value]
        return self.stored[value]

    def is_output(self, value: Value) -> bool:
        """Whether the caller gets ``value`` as an array of its own."""
        return value in self._io

    def alias(self, value: Value, view: View) -> None:
        """Declare that ``value`` is ``view``."""
        assert view.shape == shape_of(value), f"{value!r} is not {view}"
        self._views[value] = view

    def alias_reshaped(self, value: Value, view: View) -> None:
        """Declare that ``value`` has the elements of ``view`` in row-major order."""
        reshaped = view.reshape(shape_of(value))
        if reshaped is None:
            self._reshaped[value] = view
        else:
            self._views[value] = reshaped

    def emit(
        self,
        op: str,
        inputs: Sequence[View | None],
        outputs: Sequence[View | None],
        in_place: tuple[int, ...] = (),
        **attributes: Any,
    ) -> None:
        """Append an instruction, labelled by the node that is being lowered."""
        label = ""
        if self._node is not None:
            label = self._node.outputs[0].name
        self.instructions.append(
            Instruction(op, list(inputs), list(outputs), attributes, label, in_place)
        )

    def _place(self, value: Value, order: Sequence[int] | None) -> View:
        placement = self.placements.get(value)
        extents = shape_of(value)
        if placement is not None:
            parent = placement.parent
            if parent not in self.stored:
                self.stored[parent] = self._place(parent, self.orders[parent])
            part = placement.inside(self.stored[parent])
            if part is not None:  # it may be, where the parent has got gaps of its own
                return part
        order = self.orders.get(value, order)
        assert value.type is not None
        buffer = self._io.get(value)
        if buffer is not None:
            view = self._dense(buffer, value)
            if order is None or view.is_dense(order):
                return view
        return self.temporary(extents, value.type.dtype, order, value.name)

    def _output_buffers(self) -> dict[Value, Buffer]:
        """One buffer per graph output; a value that is an output twice is copied to the second."""
        buffers: dict[Value, Buffer] = {}
        for index, value in enumerate(self.graph.outputs):
            buffers.setdefault(value, Buffer("io", f"output{index}", self._nbytes(value)))
        return buffers

    def _finish_output(self, index: int, value: Value) -> View:
        first = self.graph.outputs.index(value) == index
        buffer = self._io[value] if first else Buffer("io", f"output{index}", self._nbytes(value))
        target = self._dense(buffer, value)
        self._node = value.producer
        source = self.unmerged(value)
        if source.buffer is not buffer:
            viewed = target.reshape(source.shape)
            assert viewed is not None
            self.copy(source, viewed)
        return target

    def _unique(self, name: str) -> str:
        count = self._numbered[name] = self._numbered.get(name, 0) + 1
        return name if count == 1 else f"{name}.{count}"

    @staticmethod
    def _nbytes(value: Value) -> int:
        assert value.type is not None
        return int(np.prod(shape_of(value), dtype=np.int64)) * value.type.dtype.itemsize

    @staticmethod
    def _dense(buffer: Buffer, value: Value) -> View:
        assert value.type is not None
        extents = shape_of(value)
        return View(buffer, value.type.dtype, extents, dense_strides(extents))


def is_channels_last(view: View) -> bool:
    """Whether strides are those of docs/reference/native_operators.md for [n, c, h, w]."""
    _, c, h, w = view.shape
    _, c_stride, h_stride, w_stride = view.strides
    pixel = w_stride if w > 1 else h_stride if h > 1 else c
    if c > 1 and c_stride != 1:
        return False
    return pixel >= c and (h == 1 or h_stride == w * pixel)


def is_planar(view: View) -> bool:
    """Whether rows of [n, c, h, w] are contiguous, and are not pixels of one channel as well."""
    _, c, _, w = view.shape
    return c > 1 and w > 1 and view.strides[3] == 1


def _is_worth_sharing(array: Array, root: Array) -> bool:
    """A small window must not keep a large array alive."""
    return bool(array.nbytes * 4 >= root.nbytes)
