"""A network on our own engine, specialised to each size that turns up."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.compiler import Program, compile
from pyhades.compiler.build import replica_of_constants
from pyhades.engines.feeding import InputPlan, fed_picture, first_states
from pyhades.engines.inputs import plan_inputs
from pyhades.engines.network import Network, Remembering, States
from pyhades.errors import ClosedError, ShapeError
from pyhades.ir.copying import clone
from pyhades.ir.graph import Graph
from pyhades.ir.inference import type_of
from pyhades.ir.outputs import with_outputs
from pyhades.options import EngineOptions

PROGRAMS_KEPT = 4
"""Programs specialised to an input size that a dynamic network keeps."""


class CompiledNetwork:
    """A graph on our own engine, specialised to each input size that turns up.

    Parameters
    ----------
    graph
        The network.
    output
        Index or name of the output that is wanted. What only the others need is not computed.
    plan
        How its inputs are fed; by default it has one, ``[1, 3, h, w]``.
    options, tune
        See :func:`pyhades.compile`.
    before_compiling
        Called when weights are about to be read, which happens again for every size; raises where
        they cannot be any more.
    """

    batch = 1
    """Pictures are independent: sessions beside each other are faster than batches."""

    def __init__(
        self,
        graph: Graph,
        output: int | str = 0,
        *,
        plan: InputPlan | None = None,
        options: EngineOptions | None = None,
        tune: bool = False,
        before_compiling: Callable[[], None] = lambda: None,
    ) -> None:
        self._before_compiling = before_compiling
        self._plan = plan or plan_inputs(graph)
        names = [value.name for value in graph.outputs]
        self._output = output if isinstance(output, str) else names[output]
        wanted = dict.fromkeys([self._output, *(state.output for state in self._plan.states)])
        graph = with_outputs(graph, list(wanted))
        self._graph: Graph | None = _with_constants(graph, self._plan)
        self._options = options
        self._tune = tune
        self._programs: OrderedDict[tuple[Any, ...], Program] = OrderedDict()
        self._lock = threading.Lock()
        height, width = self._plan.side
        if height is not None and width is not None:
            # What is wrong with a model should be said when it is loaded, not at the first image.
            self.program((height, width))

    def program(self, size: tuple[int, int]) -> Program:
        """The program for pictures of ``size`` (height, width), compiled first if it is new."""
        return self._program(self._shapes(size, self._first_states()))

    @property
    def arena_bytes(self) -> int:
        """Memory that a session takes while it runs: that of the largest program so far."""
        with self._lock:
            return max((program.memory.arena for program in self._programs.values()), default=0)

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        """Predict from float32 ``[1, 3, h, w]``, compiling first if this size is new.

        A recurrent network sees the picture as the first frame of a sequence.
        """
        return self._run(planes, self._first_states())[0]

    def sequence(self) -> Network:
        """A network that carries what it saw from call to call."""
        return Remembering(self._run, self._first_states)

    def session(self, threads: int, replica: str = "") -> Network:
        """The network for one caller at a time, on threads and arenas of its own.

        Sessions with the same ``replica`` share their weights; those of another have theirs, which
        are packed by the thread that needs them first.
        """
        return _Session(self, threads, replica)

    def _run(
        self,
        planes: NDArray[np.float32],
        states: States,
        own: Callable[[Program], Program] = lambda program: program,
        replica: str = "",
    ) -> tuple[NDArray[Any], States]:
        """The prediction and the states behind the frame; ``own`` gives what is run."""
        size = (planes.shape[2], planes.shape[3])
        program = own(self._program(self._shapes(size, states), replica))
        feeds = {self._plan.picture: self._fed(planes, program)}
        feeds |= {s.input: array for s, array in zip(self._plan.states, states, strict=True)}
        outputs = program.run(feeds)
        after = [outputs[state.output] for state in self._plan.states]
        prediction = outputs[self._output]
        # Of a batch that the file fixes, all pictures are the same.
        return prediction[:1] if prediction.ndim == 4 else prediction, after

    def _fed(self, planes: NDArray[np.float32], program: Program) -> NDArray[Any]:
        """The picture as the network wants it, as often as the program takes it."""
        array = fed_picture(planes, self._plan)
        batch = program.inputs[self._plan.picture].static_shape[0]
        return array if batch == 1 else np.repeat(array, batch, axis=0)

    def _first_states(self) -> States:
        if self._graph is None:
            raise ClosedError("the network was closed")
        return first_states(self._plan, self._graph)

    def _shapes(self, size: tuple[int, int], states: States) -> dict[str, tuple[int, ...]]:
        found = {self._plan.picture: self._plan.picture_shape(size)}
        found |= {s.input: array.shape for s, array in zip(self._plan.states, states, strict=True)}
        return found

    def _program(self, shapes: dict[str, tuple[int, ...]], replica: str = "") -> Program:
        key = (replica, *shapes.values())
        with self._lock:
            if self._graph is None:
                raise ClosedError("the network was closed")
            if key in self._programs:
                self._programs.move_to_end(key)
                return self._programs[key]
            with replica_of_constants(replica):
                self._programs[key] = program = self._compiled(shapes)
            kept = PROGRAMS_KEPT * len({replica for replica, *_ in self._programs})
            if len(self._programs) > kept:
                # Another thread may be running it, so it is dropped and not closed.
                self._programs.popitem(last=False)
            return program

    def _compiled(self, shapes: dict[str, tuple[int, ...]]) -> Program:
        """For one picture; for as many as the file fixes where it does not take one alone."""
        assert self._graph is not None
        try:
            return self._compiled_for(shapes)
        except ShapeError:
            batch = self._plan.extents[0] if self._plan.extents else None
            if batch in (None, 1):
                raise
            picture = self._plan.picture
            return self._compiled_for({**shapes, picture: (batch, *shapes[picture][1:])})

    def _compiled_for(self, shapes: dict[str, tuple[int, ...]]) -> Program:
        assert self._graph is not None
        self._before_compiling()
        return compile(self._graph, shapes, options=self._options, tune=self._tune)

    def close(self) -> None:
        """Close all programs."""
        with self._lock:
            programs, self._programs, self._graph = self._programs, OrderedDict(), None
        for program in programs.values():
            program.close()


class _Session:
    """A network whose programs have arenas and threads that nobody else uses.

    The arrays that it gives are good until the next call.
    """

    def __init__(self, network: CompiledNetwork, threads: int, replica: str) -> None:
        self._network = network
        self._threads = threads
        self._replica = replica
        self._programs: OrderedDict[int, tuple[Program, Program]] = OrderedDict()

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        return self._run(planes, self._network._first_states())[0]

    def sequence(self) -> Network:
        """The same network, which carries what it saw from call to call."""
        return Remembering(self._run, self._network._first_states)

    def _run(self, planes: NDArray[np.float32], states: States) -> tuple[NDArray[Any], States]:
        prediction, after = self._network._run(planes, states, self._own, self._replica)
        return prediction, [state.copy() for state in after]  # they outlive the next call

    def _own(self, program: Program) -> Program:
        """The session of a program, which is held so that its number stays its own."""
        key = id(program)
        if key not in self._programs:
            self._programs[key] = program, program.session(threads=self._threads)
            if len(self._programs) > PROGRAMS_KEPT:
                _close(*self._programs.popitem(last=False)[1])
        self._programs.move_to_end(key)
        return self._programs[key][1]

    def cancel(self) -> None:
        """Ask a run that another thread has begun to end early."""
        for _, own in list(self._programs.values()):
            own.cancel()

    def close(self) -> None:
        """Free the arenas."""
        for program, own in self._programs.values():
            _close(program, own)
        self._programs.clear()


def _close(program: Program, own: Program) -> None:
    if own is not program:
        own.close()


def _with_constants(graph: Graph, plan: InputPlan) -> Graph:
    """A copy in which inputs that are always fed the same are constants, so that they fold."""
    constants = dict(plan.constants)
    if not constants:
        return graph
    result = clone(graph)
    for value in result.inputs:
        if value.name in constants:
            value.data = constants[value.name]
            value.type = type_of(value.data)
    result.inputs = [value for value in result.inputs if value.data is None]
    return result
