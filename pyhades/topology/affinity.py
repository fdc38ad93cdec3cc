"""Threads and memory put in their place, where the system allows it.

First touch by a pinned thread is what places memory; the policies here only make sure of it. None
of this ever fails: what was not done is told.
"""

from __future__ import annotations

import errno
import functools
import mmap
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pyhades.arguments import check_count
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.topology import calls
from pyhades.topology.files import format_cpus, read_cpus

Status = Literal["applied", "denied", "unsupported", "single node"]
PAGE = mmap.PAGESIZE


@dataclass(frozen=True)
class Placed:
    """What became of a wish; prints as a line for reports.

    Attributes
    ----------
    what
        ``"policy"`` of memory or ``"pinning"`` of a thread.
    status
        ``"denied"`` where the system forbids it, as containers do; ``"unsupported"`` where it
        cannot be done; ``"single node"`` where it was done and there is no other choice.
    reason
        Of what was not done; empty otherwise.
    """

    what: Literal["policy", "pinning"]
    status: Status
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.status}" + (f" ({self.reason})" if self.reason else "")


def pin_current_thread(cpus: Iterable[int]) -> Placed:
    """Let the calling thread, and threads that it starts later, run on these CPUs alone.

    Raises
    ------
    ArgumentError
        There is no CPU among them, or this is the main thread: its affinity is the program's, and
        every thread and process started later would inherit it.
    """
    chosen = sorted(set(cpus))
    if not chosen:
        raise ArgumentError("cpus is empty: a thread must run somewhere")
    if threading.current_thread() is threading.main_thread():
        raise ArgumentError("cpus cannot be set for the main thread; call this in one of yours")
    try:
        os.sched_setaffinity(0, chosen)
    except OSError as error:
        denied = error.errno in (errno.EPERM, errno.EACCES)
        reason = f"CPUs {format_cpus(chosen)}: {error.strerror}"
        return Placed("pinning", "denied" if denied else "unsupported", reason)
    return Placed("pinning", "applied")


def prefer_node(node: int | None) -> Placed:
    """Take memory that the calling thread touches first from a node; None ends that."""
    if node is not None:
        check_count("node", node, 0)
    return _told("set_mempolicy", calls.set_mempolicy(node), node)


def bind_memory(buffer: Any, node: int) -> Placed:
    """Keep the pages that lie wholly in a buffer on a node, as long as it has room.

    Parameters
    ----------
    buffer
        Anything with writable memory in one piece: an array, a mapping, a bytearray.
    node
        Number of the node.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        It has no such memory, or the number is below 0.
    """
    check_count("node", node, 0)
    address, length = _range(buffer)
    begin = -(-address // PAGE) * PAGE
    length = (address + length) // PAGE * PAGE - begin
    if length <= 0:
        return Placed("policy", "unsupported", "the buffer holds no whole page")
    return _told("mbind", calls.mbind(begin, length, node), node)


@dataclass(frozen=True)
class PageNodes:
    """Where the pages of a buffer are.

    Attributes
    ----------
    counts
        Pages by node.
    untouched
        Pages that have no memory yet.
    problem
        Why nothing is known; empty where it is.
    """

    counts: dict[int, int]
    untouched: int = 0
    problem: str = ""


def page_nodes(buffer: Any) -> PageNodes:
    """Ask where the pages of a buffer are; pages that nobody touched may be read for it.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        The buffer is not writable memory in one piece.
    """
    address, length = _range(buffer)
    pages = range(address // PAGE * PAGE, address + length, PAGE)
    failed, nodes = calls.nodes_of(pages)
    if failed:  # containers forbid this one more often
        answers = [calls.node_of(page) for page in pages]
        failed = next((code for code, _ in answers if code), 0)
        nodes = [node for _, node in answers]
    if failed:
        return PageNodes({}, problem=f"get_mempolicy: {os.strerror(failed)}")
    there = [node for node in nodes if node >= 0]
    counts = {node: there.count(node) for node in sorted(set(there))}
    return PageNodes(counts, untouched=len(nodes) - len(there))


def memory_policy() -> Placed:
    """What policies of memory come to in this process, tried on a page."""
    with mmap.mmap(-1, PAGE) as page:
        return bind_memory(page, _memory_nodes()[0])


@functools.cache
def _memory_nodes() -> tuple[int, ...]:
    return read_cpus(Path("/sys/devices/system/node/has_memory")) or (0,)


def _told(name: str, failed: int, node: int | None) -> Placed:
    if not failed:
        return Placed("policy", "applied" if len(_memory_nodes()) > 1 else "single node")
    reason = f"{name}: {os.strerror(failed)}"
    if failed in (errno.EPERM, errno.EACCES):
        return Placed("policy", "denied", reason)
    if failed == errno.EINVAL:
        reason = f"{name}: there is no node {node} for this process"
    return Placed("policy", "unsupported", reason)


def _range(buffer: Any) -> tuple[int, int]:
    """Address and length of writable memory in one piece."""
    try:
        view = memoryview(buffer)
    except TypeError:
        raise ArgumentTypeError(f"buffer of type {type(buffer).__name__} has no memory") from None
    if view.readonly or not view.contiguous or not view.nbytes:
        raise ArgumentError("buffer must be writable memory in one piece, of at least a byte")
    # Fortran order is in one piece too, which a cast would refuse.
    flat = np.asarray(view)
    return int(flat.ctypes.data), view.nbytes
