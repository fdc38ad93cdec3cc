"""What a compiled network looks like to its users, however it is run."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyhades.compiler.runnable import Runnable
from pyhades.compiler.trace import Trace
from pyhades.compiler.view import Array
from pyhades.dtypes import widened
from pyhades.errors import ArgumentError, ArgumentTypeError, ShapeError
from pyhades.ir.graph import TensorType

Feeds = Mapping[str, Array] | Array


class Program(Runnable):
    """A network compiled for fixed shapes of its inputs; made by :func:`pyhades.compile`.

    Where sizes inside the network depend on data, it runs in stages: see
    :class:`~pyhades.compiler.stages.StagedProgram`. Calls may come from any thread. Pickling
    stores the path of the model and the arguments of ``compile``. Close it, or use it in a
    ``with`` block, to free its memory early.

    Attributes
    ----------
    name
        Of the graph.
    source
        Path of the model file, or None.
    inputs
        TensorType per name.
    outputs
        TensorType per name; an extent that depends on data is a name.
    threads
        Number of threads.
    isa
        The tier that kernels were chosen for.
    lines
        The listing: one :class:`~pyhades.compiler.listing.Line` per instruction.
    """

    source: str | None
    _arguments: Mapping[str, Any]

    @property
    @abstractmethod
    def inputs(self) -> dict[str, TensorType]:
        """Shape and dtype of each input."""

    @property
    @abstractmethod
    def outputs(self) -> dict[str, TensorType]:
        """Shape and dtype of each output."""

    @abstractmethod
    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run the network.

        Parameters
        ----------
        feeds
            An array per input name, with the dtype and shape of ``inputs``. What a file calls
            bfloat16 is float32; arrays of the package ml_dtypes are taken for it, too.

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
        CancelledError
            :meth:`cancel` was called meanwhile.
        """

    def __call__(self, *arrays: Array) -> Array | tuple[Array, ...]:
        """Run on positional inputs; the output, or a tuple where there are several."""
        results = tuple(self.run(self._named(arrays)).values())
        return results[0] if len(results) == 1 else results

    @abstractmethod
    def trace(self, feeds: Feeds) -> Trace:
        """Run once and time every instruction."""

    @abstractmethod
    def dump(self, feeds: Feeds, pattern: str = "*") -> dict[str, Array]:
        """Run, and return the intermediate values whose names match ``pattern``.

        Values that a fusion has absorbed do not exist any more and are not found.

        Raises
        ------
        ArgumentError
            The program was compiled without ``keep_all=True``.
        """

    def session(self, *, threads: int | None = None) -> Program:
        """The same program for one caller of many, who waits for no other.

        It has an arena and ``threads`` of its own, by default as many as the program; weights are
        shared. The arrays that a run gives are overwritten by the next one. A network whose sizes
        depend on data is the same for all callers.
        """
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        from pyhades.compiler.program import compile_file

        if self.source is None:
            raise ArgumentTypeError(
                f"{self.name} was not loaded from a file, and programs are pickled by path; "
                "save the graph with pyhades.onnx.save_onnx and load it from there"
            )
        return compile_file, (self.source, self._arguments)

    def _named(self, arrays: Sequence[Array]) -> dict[str, Array]:
        names = list(self.inputs)
        if len(arrays) != len(names):
            raise ArgumentError(
                f"{self.name} has {len(names)} inputs ({', '.join(names)}), "
                f"{len(arrays)} were given"
            )
        return dict(zip(names, arrays, strict=True))

    def _feeds(self, feeds: Feeds) -> Mapping[str, Array]:
        """A mapping as it is; the only input by its name."""
        return self._named((feeds,)) if isinstance(feeds, np.ndarray) else feeds

    def _require_kept(self) -> None:
        if not self._arguments["keep_all"]:
            raise ArgumentError("compile the graph with keep_all=True to look at its values")


def checked_feeds(
    program: str, inputs: Mapping[str, TensorType], feeds: Mapping[str, Array]
) -> dict[str, Array]:
    """``feeds`` in the order of ``inputs``, C-contiguous.

    Raises
    ------
    ArgumentError
        An input is missing or unknown.
    ArgumentTypeError, ShapeError
        These are no arrays by name, or an array has the wrong dtype or shape.
    """
    if not isinstance(feeds, Mapping):
        raise ArgumentTypeError(
            f"{program} takes a dict of arrays by name, such as {{{next(iter(inputs))!r}: x}}, not "
            f"{type(feeds).__name__}"
        )
    for name in feeds:
        if name not in inputs:
            known = ", ".join(inputs)
            raise ArgumentError(f"{program} has no input {name!r}; its inputs are {known}")
    for name, kind in inputs.items():
        if name not in feeds:
            raise ArgumentError(f"{program} needs input {name!r} ({kind})")
    return {name: _checked(name, np.asarray(feeds[name]), kind) for name, kind in inputs.items()}


def _checked(name: str, array: Array, kind: TensorType) -> Array:
    array = widened(array, kind.dtype)
    if array.dtype != kind.dtype:
        raise ArgumentTypeError(
            f"input {name!r} has dtype {array.dtype.name}, the program takes {kind}; convert it "
            f"with .astype({kind.dtype.name!r})"
        )
    if array.shape != kind.shape:
        raise ShapeError(
            f"input {name!r} has shape {array.shape}, the program was compiled for {kind.shape}; "
            f"compile again with input_shapes={{{name!r}: {array.shape}}}"
        )
    return np.require(array, requirements=["C", "A"])
