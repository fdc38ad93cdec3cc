"""The graph door: an ONNX graph or one built from code, compiled for fixed shapes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from pyhades import _native
from pyhades.arguments import one_of
from pyhades.compiler.build import names_in_file
from pyhades.compiler.face import Program
from pyhades.compiler.native import compile_native
from pyhades.compiler.stages import StagedProgram, is_static, lacks_kernel
from pyhades.errors import ArgumentError, ArgumentTypeError, ConfigurationError
from pyhades.ir.graph import Graph
from pyhades.ir.outputs import with_outputs
from pyhades.options import EngineOptions, engine_options
from pyhades.passes import fold_constants, is_quantised, specialise

log = logging.getLogger(__name__)

Precision = Literal["fp32", "bf16", "int8"]
"""Of the weights and the arithmetic of a network."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def compile(
    graph: Graph,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    *,
    threads: int | None = None,
    isa: str | None = None,
    precision: Precision | None = None,
    options: EngineOptions | None = None,
    outputs: Sequence[str] | None = None,
    tune: bool = False,
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
        By default, what the graph says. ``"bf16"`` lets products multiply bfloat16 where that is
        faster, and keeps the values between them so; it takes a CPU with AVX512_BF16, or an ``isa``
        that is named, which computes the same without gaining by it. ``"int8"`` insists on a
        quantised graph, such as :func:`pyhades.quantize` makes.
    options
        The three above in one; those that are given themselves win.
    outputs
        Names of the outputs that are wanted, in that order; what only the others need is not
        computed. By default all.
    tune
        Measure which algorithm is fastest on this machine where there are several; what was
        measured is kept in ``tuning`` of the cache folder. Otherwise a model of the costs decides.
        Algorithms differ in the last bits of their results.
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
    ArgumentError, ArgumentTypeError, ConfigurationError
        An argument has a value that is not allowed or not available here.

    Examples
    --------
    >>> import numpy as np, pyhades
    >>> from pyhades.networks import u2net
    >>> program = pyhades.compile(u2net(64, small=True), threads=1)
    >>> masks = program(np.zeros(program.inputs["input"].static_shape, np.float32))
    >>> masks[0].shape
    (1, 1, 64, 64)
    """
    if not isinstance(graph, Graph):
        raise ArgumentTypeError(
            f"graph is {type(graph).__name__}; give what pyhades.load_onnx(...) returns"
        )
    if not isinstance(input_shapes, Mapping | None):
        raise ArgumentTypeError(
            f"input_shapes={input_shapes!r} is no dict of shapes by name, such as "
            "{'input': (1, 3, 320, 320)}"
        )
    chosen = engine_options(options, threads=threads, isa=isa, precision=precision)
    one_of("precision", chosen.precision or "fp32", Precision)
    if chosen.precision == "int8" and not is_quantised(graph):
        raise ArgumentError(
            f"precision='int8': {graph.source or graph.name} is a float network; pyhades.quantize "
            "makes it one of integers by looking at pictures, as Remover(precision='int8') does"
        )
    if chosen.precision == "bf16":
        require_bfloat16(chosen)
    arguments = {
        "input_shapes": None if input_shapes is None else dict(input_shapes),
        "options": chosen,
        "outputs": None if outputs is None else list(outputs),
        "tune": tune,
        "keep_all": keep_all,
    }
    graph = graph if outputs is None else with_outputs(graph, outputs)
    folded = fold_constants(specialise(graph, input_shapes), partly=True)
    if is_static(folded):
        return compile_native(folded, chosen, arguments, names=names_in_file(graph))
    _tell_what_numpy_runs(folded)
    return StagedProgram(graph, folded, chosen, arguments)


def multiplies_bfloat16(options: EngineOptions) -> bool:
    """Whether the tier has instructions for products of bfloat16."""
    return _native.selected("conv_bf16", options.isa).endswith("avx512_bf16")


def require_bfloat16(options: EngineOptions) -> None:
    """Refuse bfloat16 where nothing is gained by it, unless a tier is named.

    Raises
    ------
    ConfigurationError
        The tier is this machine's, and multiplies no bfloat16.
    """
    if options.isa is None and not multiplies_bfloat16(options):
        raise ConfigurationError(
            f"precision='bf16': tier {options.tier} has no products of bfloat16 (AVX512_BF16), and "
            "without them bf16 is slower than fp32; take 'fp32' or 'int8', or name the tier "
            f"(isa={options.tier!r}) to compute what CPUs that have them compute"
        )


def _tell_what_numpy_runs(graph: Graph) -> None:
    """A slow path is not taken silently: operators that no kernel computes are named."""
    ops = sorted({node.op for node in graph.nodes if lacks_kernel(node)})
    if ops:
        where = graph.source or graph.name
        log.warning("%s: no native kernel for %s; NumPy runs them", where, ", ".join(ops))


def compile_file(path: str, arguments: dict[str, Any]) -> Program:
    """Load and compile; what a pickled Program is unpickled by."""
    from pyhades.onnx import load_onnx

    return compile(load_onnx(path), **arguments)
