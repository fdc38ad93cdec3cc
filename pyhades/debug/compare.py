"""Compare a compiled network with the interpreter, value by value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyhades.compiler import compile
from pyhades.compiler.stages import is_static
from pyhades.ir.graph import Graph
from pyhades.ir.interpreter import interpret
from pyhades.passes import fold_constants, optimise_folded, specialise

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` found.

    ``first`` is the name of the first value, in order of computation, whose largest error exceeds
    the tolerance; None if there is none. ``errors`` has the largest absolute error per value.
    """

    first: str | None
    errors: dict[str, float]

    def __str__(self) -> str:
        if self.first is None:
            return f"{len(self.errors)} values agree, largest error {max(self.errors.values()):.2e}"
        return f"first difference at {self.first}: {self.errors[self.first]:.2e}"


def compare(
    graph: Graph,
    feeds: Mapping[str, Array],
    *,
    isa: str | None = None,
    tolerance: float = 1e-4,
) -> Comparison:
    """Run ``graph`` compiled and interpreted, and find the first value that differs.

    Parameters
    ----------
    graph, feeds
        The network and an array per input.
    isa
        Tier of the kernels.
    tolerance
        Largest error that is allowed, relative to the largest magnitude of the value (at least 1).

    Returns
    -------
    Comparison
        The first difference and the error of every value that exists in both.

    Raises
    ------
    ShapeError
        The arrays do not fit the inputs of the graph.

    Examples
    --------
    >>> from pyhades.networks import u2net
    >>> x = np.ones((1, 3, 32, 32), np.float32)
    >>> compare(u2net(32, small=True), {"input": x}).first is None
    True
    """
    shapes = {name: np.shape(array) for name, array in feeds.items()}
    folded = fold_constants(specialise(graph, shapes), partly=True)
    # Of a network in stages, nothing is fused across a stage, and most values survive.
    expected = interpret(
        optimise_folded(folded) if is_static(folded) else folded, feeds, keep_all=True
    )
    with compile(graph, input_shapes=shapes, isa=isa, keep_all=True) as program:
        actual = program.dump(feeds)
        actual.update(program.run(feeds))
    errors: dict[str, float] = {}
    first = None
    for name, want in expected.items():
        if name not in actual:
            continue
        errors[name] = _error(actual[name], want)
        scale = 1.0
        if want.dtype.kind == "f":
            scale = max(scale, float(np.nanmax(np.abs(want), initial=0)))
        if first is None and not errors[name] <= tolerance * scale:
            first = name
    return Comparison(first, errors)


def _error(have: Array, want: Array) -> float:
    """Largest absolute difference; equal infinities and NaNs do not count."""
    if want.dtype.kind in "biu":
        return float(np.abs(have.astype(np.float64) - want.astype(np.float64)).max(initial=0))
    same = (have == want) | (np.isnan(have) & np.isnan(want))
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0, np.abs(have - want))
    return float(difference.max(initial=0))
