"""The graph door: an ONNX graph or one built from code, compiled for fixed shapes."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from pyhades.arguments import one_of
from pyhades.compiler.build import Built, build, names_in_file, release_sources
from pyhades.compiler.executable import Executable, Kept
from pyhades.compiler.instruction import Lowered
from pyhades.compiler.memory import MemoryPlan, plan_memory
from pyhades.compiler.placement import lower
from pyhades.compiler.trace import Trace
from pyhades.compiler.view import Array, View
from pyhades.errors import ArgumentError, ArgumentTypeError, ShapeError
from pyhades.ir.graph import Graph, TensorType
from pyhades.options import EngineOptions, engine_options
from pyhades.passes import optimise

Precision = Literal["fp32"]
"""Of the weights and the arithmetic of a network."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

Feeds = Mapping[str, Array] | Array


def compile(
    graph: Graph,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    *,
    threads: int | None = None,
    isa: str | None = None,
    precision: Precision | None = None,
    options: EngineOptions | None = None,
    keep_all: bool = False,
) -> Program:
    """Compile a graph for one set of input shapes.

    Parameters
    ----------
    graph
        What :func:`pyhades.load_onnx` returns. It is not changed.
    input_shapes
        Shape per input name; needed for inputs with symbolic extents.
    threads
        Number of threads; by default what :func:`pyhades.show_config` says.
    isa
        Tier of the kernels, e.g. ``"avx2"``; by default the best of this CPU.
    precision
        Only ``"fp32"`` so far, which is the default.
    options
        The three above in one; those that are given themselves win.
    keep_all
        Keep every intermediate value, for :meth:`Program.dump`. Costs memory.

    Returns
    -------
    Program
        Ready to run, from any number of threads.

    Raises
    ------
    ShapeError
        Shapes do not fit the graph, or symbolic extents are left.
    UnsupportedOperatorError
        A node has no native kernel; the message names it.
    ArgumentError, ConfigurationError
        An argument has a value that is not allowed or not available here.

    Examples
    --------
    >>> import numpy as np, pyhades
    >>> from pyhades.networks import u2net
    >>> program = pyhades.compile(u2net(64, small=True), threads=1)
    >>> masks = program(np.zeros(program.inputs["input"].shape, np.float32))
    >>> masks[0].shape
    (1, 1, 64, 64)
    """
    chosen = engine_options(options, threads=threads, isa=isa, precision=precision)
    one_of("precision", chosen.precision or "fp32", Precision)
    optimised = optimise(graph, input_shapes)
    lowered = lower(optimised)
    plan = plan_memory(lowered, keep_all)
    built = build(lowered, plan, graph.source or graph.name, chosen.isa, names_in_file(graph))
    del optimised
    release_sources(lowered, graph)
    arguments = {
        "input_shapes": None if input_shapes is None else dict(input_shapes),
        "options": chosen,
        "keep_all": keep_all,
    }
    return Program(graph, lowered, plan, built, chosen.threads_used, arguments)


def compile_file(path: str, arguments: dict[str, Any]) -> Program:
    """Load and compile; what a pickled Program is unpickled by."""
    from pyhades.onnx import load_onnx

    return compile(load_onnx(path), **arguments)


class Program(Executable):
    """A network compiled for fixed shapes; made by :func:`pyhades.compile`.

    Calls may come from any thread. Pickling stores the path of the model and the arguments of
    ``compile``. Close it, or use it in a ``with`` block, to free its memory early.

    Attributes
    ----------
    name
        Of the graph.
    source
        Path of the model file, or None.
    inputs
        TensorType per name.
    outputs
        TensorType per name.
    threads
        Number of threads.
    isa
        The tier that kernels were chosen for.
    lines
        The listing: one :class:`~pyhades.compiler.listing.Line` per instruction.
    """

    def __init__(
        self,
        graph: Graph,
        lowered: Lowered,
        plan: MemoryPlan,
        built: Built,
        threads: int,
        arguments: dict[str, Any],
    ) -> None:
        super().__init__(graph.name, lowered, built, threads)
        self.source = graph.source
        self._arguments = arguments
        self._keeps_all = bool(arguments["keep_all"])
        names = [value.name for value in graph.outputs]
        self._inputs = {name: (built.slots[v.buffer], v) for name, v in lowered.inputs.items()}
        self._outputs = [
            (name, built.slots[view.buffer], view)
            for name, view in zip(names, lowered.outputs, strict=True)
        ]
        self._values = _kept(lowered, plan) if self._keeps_all else {}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the network.

        Parameters
        ----------
        feeds
            An array per input name, with the dtype and shape of ``inputs``.

        Returns
        -------
        dict
            Every graph output by name, as arrays that belong to the caller.

        Raises
        ------
        ArgumentError
            An input is missing or unknown.
        ArgumentTypeError, ShapeError
            An array has the wrong dtype or shape.
        """
        bindings, results = self._bind(feeds)
        self._run(bindings)
        return results

    def __call__(self, *arrays: Array) -> Array | tuple[Array, ...]:
        """Run on positional inputs; the output, or a tuple where there are several."""
        results = tuple(self.run(self._named(arrays)).values())
        return results[0] if len(results) == 1 else results

    def trace(self, feeds: Feeds) -> Trace:
        """Run once and time every instruction."""
        bindings, _ = self._bind(self._named((feeds,)) if isinstance(feeds, np.ndarray) else feeds)
        return self._trace(bindings, warm_up=True)

    def dump(self, feeds: Feeds, pattern: str = "*") -> dict[str, Array]:
        """Run, and return the intermediate values whose names match ``pattern``.

        Values that a fusion has absorbed do not exist any more and are not found.

        Raises
        ------
        ArgumentError
            The program was compiled without ``keep_all=True``.
        """
        if not self._keeps_all:
            raise ArgumentError("compile the graph with keep_all=True to look at its values")
        bindings, _ = self._bind(self._named((feeds,)) if isinstance(feeds, np.ndarray) else feeds)
        chosen = {n: v for n, v in self._values.items() if fnmatch.fnmatchcase(n, pattern)}
        return self._read(chosen, bindings)

    @property
    def inputs(self) -> dict[str, TensorType]:
        """Shape and dtype of each input."""
        return {name: TensorType(v.dtype, v.shape) for name, (_, v) in self._inputs.items()}

    @property
    def outputs(self) -> dict[str, TensorType]:
        """Shape and dtype of each output."""
        return {name: TensorType(v.dtype, v.shape) for name, _, v in self._outputs}

    def __reduce__(self) -> tuple[Any, ...]:
        if self.source is None:
            raise ArgumentTypeError(
                f"{self.name} was not loaded from a file, and programs are pickled by path; "
                "save the graph with pyhades.onnx.save_onnx and load it from there"
            )
        return compile_file, (self.source, self._arguments)

    def _named(self, arrays: Sequence[Array]) -> dict[str, Array]:
        if len(arrays) != len(self._inputs):
            raise ArgumentError(
                f"{self.name} has {len(self._inputs)} inputs ({', '.join(self._inputs)}), "
                f"{len(arrays)} were given"
            )
        return dict(zip(self._inputs, arrays, strict=True))

    def _bind(self, feeds: Mapping[str, Array]) -> tuple[dict[int, Array], dict[str, Array]]:
        for name in feeds:
            if name not in self._inputs:
                known = ", ".join(self._inputs)
                raise ArgumentError(f"{self.name} has no input {name!r}; its inputs are {known}")
        bindings: dict[int, Array] = {}
        for name, (slot, view) in self._inputs.items():
            if name not in feeds:
                raise ArgumentError(f"{self.name} needs input {name!r} ({view})")
            bindings[slot] = _checked(name, np.asarray(feeds[name]), view)
        results: dict[str, Array] = {}
        for name, slot, view in self._outputs:
            results[name] = bindings[slot] = np.empty(view.shape, view.dtype)
        return bindings, results


def _checked(name: str, array: Array, view: View) -> Array:
    if array.dtype != view.dtype:
        raise ArgumentTypeError(
            f"input {name!r} has dtype {array.dtype.name}, the program takes {view}; convert it "
            f"with .astype({view.dtype.name!r})"
        )
    if array.shape != view.shape:
        raise ShapeError(
            f"input {name!r} has shape {array.shape}, the program was compiled for {view.shape}; "
            f"compile again with input_shapes={{{name!r}: {array.shape}}}"
        )
    return np.require(array, requirements=["C", "A"])


def _kept(lowered: Lowered, plan: MemoryPlan) -> dict[str, Kept]:
    """Intermediate values by name."""
    return {
        name: Kept.at(view, plan, shape)
        for name, (view, shape) in lowered.values.items()
        if view.buffer.kind == "arena" and view.buffer in plan.offsets
    }
