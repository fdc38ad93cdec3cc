"""What runs in the virtual machine, as its first process: checks where memory comes to lie.

On the machine that builds the virtual one it is run with ``--list`` too: it does the same as far as
it can, and prints the files that modules were read from.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import pyhades
from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Graph, TensorType, Value
from pyhades.topology import (
    Machine,
    bind_memory,
    page_nodes,
    pin_current_thread,
    plan_workers,
    prefer_node,
    read_limits,
    read_machine,
    survey,
)

SIDE, LAYERS = 1152, 2
"""Weights of 5 MiB each."""
BYTES = 2 << 20
POWER_OFF = 0x4321FEDC


def in_thread(cpus: tuple[int, ...], function: Callable[[], Any]) -> Any:
    """What a function returns in a thread that is pinned to these CPUs."""
    results = []

    def run() -> None:
        placed = pin_current_thread(cpus)
        assert placed.status == "applied", placed
        results.append(function())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return results[0]


def touched(count: int = BYTES) -> mmap.mmap:
    """Memory that the calling thread has touched first."""
    memory = mmap.mmap(-1, count)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    memory[:] = b"x" * count
    return memory


def weights(node: int) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    """Matrices that differ from node to node: programs of one process share equal ones."""
    numbers = np.arange(SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE) % 251 / 251
    return [numbers + node + layer / LAYERS for layer in range(LAYERS)]


def network(node: int) -> Graph:
    """Products whose weights are packed when they are compiled."""
    build = GraphBuilder()
    first = x = Value("x", TensorType(np.dtype(np.float32), (16, SIDE)))
    for matrix in weights(node):
        # What stands between them keeps the compiler from making one matrix of all.
        x = build.one("Relu", build.one("MatMul", x, build.constant(matrix, np.float32)))
    return Graph([first], [x], build.nodes, "products")


def pages_by_node() -> dict[int, int]:
    """Anonymous pages of this process, by node."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # as compiling does: what is free already must not count
    counts: dict[int, int] = {}
    for line in Path("/proc/self/numa_maps").read_text(encoding="ascii").splitlines():
        if " file=" not in line:
            for word in line.split():
                name, _, count = word.partition("=")
                if name[:1] == "N" and name[1:].isdecimal():
                    counts[int(name[1:])] = counts.get(int(name[1:]), 0) + int(count)
    return counts


def check_first_touch(machine: Machine) -> None:
    """Memory is on the node of the thread that touched it first, wherever that is."""
    for node in machine.nodes:
        if node.cpus:
            found = page_nodes(in_thread(node.cpus, touched))
            assert found.counts == {node.number: BYTES // mmap.PAGESIZE}, found
            print(f"first touch: node {node.number}: {found.counts}", flush=True)


def check_policies(machine: Machine) -> None:
    """Preferences move memory away from the node that touches it, where the caller asks for it."""
    first = machine.nodes[0]
    for node in machine.nodes[1:]:
        moved = in_thread(first.cpus, touched)
        placed = bind_memory(moved, node.number)
        assert str(placed) == "policy: applied" and list(page_nodes(moved).counts) == [node.number]

        def preferred(number: int = node.number) -> mmap.mmap:
            assert prefer_node(number).status == "applied"
            return touched()

        found = page_nodes(in_thread(first.cpus, preferred))
        assert list(found.counts) == [node.number], found
        print(f"policies: node {node.number}: {found.counts}", flush=True)


def check_weights(machine: Machine) -> None:
    """A network that a pinned thread compiles has its packed weights on the node of the thread."""
    x = np.ones((16, SIDE), np.float32)
    programs = []
    limits = read_limits(machine, environment={})  # the variable is for teams, not for the plan
    for process in plan_workers(machine, limits, processes="node").processes:
        (node,) = process.nodes
        cpus = process.workers[0].cpus
        before = pages_by_node()
        programs.append(
            in_thread(cpus, lambda node=node: pyhades.compile(network(node), threads=1))
        )
        after = pages_by_node()
        grown = {n: after[n] - before.get(n, 0) for n in after if after[n] > before.get(n, 0)}
        packed = LAYERS * SIDE * SIDE * 4 // mmap.PAGESIZE
        print(f"weights: node {node}: pages {grown}, packed {packed}", flush=True)
        assert grown.get(node, 0) >= 0.9 * packed or len(machine.nodes) == 1
        assert all(count < 0.1 * packed for n, count in grown.items() if n != node)
        result = in_thread(cpus, lambda: programs[-1](x))
        np.testing.assert_allclose(result, np.linalg.multi_dot([x, *weights(node)]), rtol=1e-4)


def check() -> None:
    """All of it."""
    print(survey(), flush=True)
    machine = read_machine()
    asked = [word for word in Path("/proc/cmdline").read_text().split() if "pyhades.nodes=" in word]
    for word in asked:
        assert len(machine.nodes) == int(word.split("=")[1]), machine
    mask = os.sched_getaffinity(0)
    check_first_touch(machine)
    check_policies(machine)
    check_weights(machine)
    assert os.sched_getaffinity(0) == mask


def needed() -> list[str]:
    """Files that this process has read modules from."""
    files = [getattr(module, "__file__", None) for module in [*sys.modules.values()]]
    return sorted({path for path in files if path and Path(path).is_file()})


def main() -> None:
    """Check, and switch the machine off."""
    if "--list" in sys.argv:
        check()
        print("\n".join(f"needs {path}" for path in needed()))
        return
    library = ctypes.CDLL(None)
    for name, kind in (("/proc", b"proc"), ("/sys", b"sysfs")):
        Path(name).mkdir(exist_ok=True)
        library.mount(kind, name.encode(), kind, 0, None)
    try:
        check()
        print("RESULT: passed", flush=True)
    except BaseException as error:
        import traceback

        traceback.print_exc()
        print(f"RESULT: failed: {error}", flush=True)
    library.reboot(POWER_OFF)


if __name__ == "__main__":
    main()
