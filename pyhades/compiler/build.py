"""From lowered instructions and a memory plan to a native program."""

from __future__ import annotations

import ctypes
import hashlib
import mmap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyhades import _native
from pyhades.compiler.instruction import Lowered
from pyhades.compiler.memory import MemoryPlan
from pyhades.compiler.view import Buffer, View, root_of
from pyhades.errors import ArgumentError, ShapeError, UnsupportedOperatorError
from pyhades.ir.graph import Graph, Value

Array = np.ndarray[Any, Any]

_replica: ContextVar[str] = ContextVar("replica", default="")
_WORTH_NAMING = 1 << 16
"""Bytes; less is looked at each time."""


@contextmanager
def replica_of_constants(name: str) -> Iterator[None]:
    """What is built inside has packed constants of its own, shared with what has the same name.

    For a node of a machine with several: whoever builds there, on a thread that is pinned, touches
    the memory first. The empty name is that of everybody else.
    """
    token = _replica.set(name)
    try:
        yield
    finally:
        _replica.reset(token)


@dataclass(frozen=True)
class Built:
    """A native program and the slot of each io buffer."""

    native: _native.Program
    slots: dict[Buffer, int]


def build(
    lowered: Lowered,
    plan: MemoryPlan,
    origin: str,
    isa: str | None,
    names: Mapping[int, str] | None = None,
) -> Built:
    """Bind every instruction to a kernel and pack the constants.

    ``origin`` is what errors name: the file of the model, or what it is called. ``names`` are
    those of :func:`names_in_file`; other constants are known by a digest of their content.
    """
    builder = _native.ProgramBuilder(isa)
    slots: dict[Buffer, int] = {}
    for buffer in lowered.buffers():
        if buffer.kind == "io":
            slots[buffer] = builder.io(buffer.name, buffer.nbytes)
        elif buffer.kind == "constant":
            assert buffer.data is not None
            key = buffer.name if buffer.is_resident else _identity(buffer.data, names or {})
            key += _replica.get() and f" for {_replica.get()}"
            slots[buffer] = builder.constant(buffer.data, key, _source(buffer))
        else:
            slots[buffer] = builder.ARENA

    def operand(view: View | None) -> tuple[Any, ...] | None:
        if view is None:
            return None
        size = view.dtype.itemsize
        base = plan.offsets[view.buffer] if view.buffer.kind == "arena" else 0
        offset = base + view.offset * size
        return slots[view.buffer], offset, view.dtype.name, view.shape, view.strides

    for instruction in lowered.instructions:
        inputs = [operand(view) for view in instruction.inputs]
        outputs = [operand(view) for view in instruction.outputs]
        try:
            builder.emit(instruction.op, inputs, outputs, instruction.attributes, instruction.label)
        except ArgumentError as error:
            raise UnsupportedOperatorError(
                f"{origin}: {error}; replace the node in the model, or run the "
                "graph with pyhades.ir.interpreter.interpret"
            ) from error
        except MemoryError:
            raise ShapeError(
                f"{origin}: {instruction.op} '{instruction.label}' needs more "
                "memory than there is; make the input smaller"
            ) from None
    native = builder.build(plan.arena_bytes)
    return Built(native, {b: slot for b, slot in slots.items() if b.kind == "io"})


def release_sources(lowered: Lowered, graph: Graph) -> None:
    """Give the memory that constants were packed from back: what was folded, and the file's pages.

    Folded data lies between live objects, where the allocator would keep it. Pages of the file come
    again when somebody reads them.
    """
    for buffer in lowered.buffers():
        buffer.data = None
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    files = {_file_of(root) for value in graph.values() if (root := _root(value)) is not None}
    for file in files:
        if file is not None:
            file.madvise(mmap.MADV_DONTNEED)


def names_in_file(graph: Graph) -> dict[int, str]:
    """What identifies the constants that lie in the file of a graph, by the id of their data.

    Programs compiled for other image sizes share constants of one name.
    """
    if graph.source is None:
        return {}
    try:
        status = Path(graph.source).stat()
    except OSError:
        return {}
    file = f"{Path(graph.source).resolve()} {status.st_mtime_ns} {status.st_size}"
    names: dict[int, str] = {}
    for value in graph.all_values():
        root = _root(value)
        mapped = None if root is None else _file_of(root)
        if root is not None and mapped is not None:
            # Graphs within graphs may call different constants alike.
            place = _address(root) - _address(np.frombuffer(mapped, np.uint8))
            names[id(root)] = f"{file} {value.name} {place}+{root.nbytes}"
    return names


def names_of_content(graph: Graph) -> dict[int, str]:
    """What identifies the large constants of a graph that lie in memory, by the id of their data.

    For graphs that are compiled again and again: each constant is looked at once.
    """
    roots = {id(root): root for v in graph.all_values() if (root := _root(v)) is not None}
    return {
        key: _identity(root, {})
        for key, root in roots.items()
        if root.nbytes >= _WORTH_NAMING and not _is_in_file(root)
    }


def _root(value: Value) -> Array | None:
    return None if value.stored is None else root_of(value.stored)


def _identity(data: Array, names: Mapping[int, str]) -> str:
    """Equal for equal content: the name in a file, or a digest."""
    name = names.get(id(data))
    if name is not None:
        return name
    digest = hashlib.blake2b(data.reshape(-1).view(np.uint8).data, digest_size=16)
    return f"{data.dtype} {data.shape} {digest.hexdigest()}"


def _source(buffer: Buffer) -> str:
    assert buffer.data is not None
    if buffer.is_resident:
        return "resident"
    return "file" if _is_in_file(buffer.data) else "memory"


def _address(data: Array) -> int:
    return int(data.__array_interface__["data"][0])


def _is_in_file(data: Array) -> bool:
    return _file_of(data) is not None


def _file_of(data: Array) -> mmap.mmap | None:
    """The mapped file that an array is a view of."""
    base = data.base
    file = base.obj if isinstance(base, memoryview) else None
    return file if isinstance(file, mmap.mmap) else None
