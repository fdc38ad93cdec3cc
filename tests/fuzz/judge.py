"""One input: it loads and runs, or ends in an exception of ours, in bounded time and memory."""

from __future__ import annotations

import resource
import signal
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from types import FrameType
from typing import Any

import numpy as np

import pyhades
from pyhades.errors import PyhadesError
from pyhades.ir.graph import Graph
from pyhades.ir.inference import infer_types
from pyhades.ir.registry import elements
from pyhades.segmentation.manifest import ModelManifest

SECONDS = 20.0
"""Processor time that one input may take."""

BYTES_PER_BYTE = 1024
"""What reading a file may allocate, as a multiple of its size: an empty message of two bytes
becomes a record with a place for every field."""
BYTES_ANYWAY = 1 << 24
"""What reading may allocate beyond that, whatever the size of the file."""

SMALL = 1 << 20
"""Elements of the largest value of a graph that is compiled; others are right, but take long."""

OPEN_EXTENT = 4
"""What extents are that the file leaves open."""


class Verdict(Enum):
    """What became of an input that did nothing wrong."""

    REFUSED = "refused when read"
    LARGE = "read, too large to be compiled here"
    NOT_COMPILED = "read, refused when compiled"
    RAN = "ran"


class TooSlow(BaseException):
    """Not an Exception, so that nothing on the way takes it for an error of its own."""


class TooHungry(Exception):
    """Reading took more memory than a multiple of the file."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TooSlow when the processor time is used up."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"more than {seconds} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def limit_memory(gigabytes: float) -> None:
    """Let the process have no more address space than it has now and this."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        pages = int(file.read().split()[0])
    limit = pages * resource.getpagesize() + int(gigabytes * (1 << 30))
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def judge_model(data: bytes, *, measured: bool = False) -> Verdict:
    """Load, compile and run a file.

    Raises
    ------
    TooSlow, TooHungry
        It takes more than it may; memory is looked at only where ``measured``.
    Exception
        Anything that is no PyhadesError gets through.
    """
    with within(SECONDS):
        try:
            graph = _measured(data) if measured else pyhades.load_onnx(data)
        except PyhadesError:
            return Verdict.REFUSED
        try:
            return _run(graph)
        except PyhadesError:
            return Verdict.NOT_COMPILED


def _measured(data: bytes) -> Graph:
    tracemalloc.start()
    try:
        return pyhades.load_onnx(data)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        if peak > BYTES_ANYWAY + BYTES_PER_BYTE * len(data):
            raise TooHungry(f"{peak} bytes for a file of {len(data)}")


def _run(graph: Graph) -> Verdict:
    infer_types(graph)
    kinds = [value.type for value in graph.values()]
    if any(k is not None and k.is_static and elements(k) > SMALL for k in kinds):
        return Verdict.LARGE
    shapes = {}
    for value in graph.inputs:
        if value.type is not None and value.type.shape is not None:
            extents = value.type.shape
            shapes[value.name] = [d if isinstance(d, int) else OPEN_EXTENT for d in extents]
    with pyhades.compile(graph, input_shapes=shapes, threads=1) as program:
        kinds = [*program.inputs.values(), *program.outputs.values()]
        if any(not k.is_static or elements(k) > SMALL for k in kinds if k is not None):
            return Verdict.LARGE
        program.run({name: _array(kind) for name, kind in program.inputs.items()})
    return Verdict.RAN


def _array(kind: Any) -> Any:
    data = np.random.default_rng(0).normal(size=kind.static_shape)
    return (data > 0) if kind.dtype == np.bool_ else (2 * data).astype(kind.dtype)


def judge_manifest(text: str) -> Verdict:
    """Read a manifest and write it again."""
    with within(SECONDS):
        try:
            manifest = ModelManifest.from_json(text)
        except PyhadesError:
            return Verdict.REFUSED
        assert ModelManifest.from_json(manifest.to_json()) == manifest
        return Verdict.RAN
