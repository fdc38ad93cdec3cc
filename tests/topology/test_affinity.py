"""Threads and memory are put in their place, or it is said why not; nothing fails for it."""

from __future__ import annotations

import errno
import json
import mmap
import os
import platform
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.topology import (
    PageNodes,
    Placed,
    bind_memory,
    calls,
    memory_policy,
    page_nodes,
    pin_current_thread,
    plan_workers,
    prefer_node,
    read_machine,
)

ROOT = Path(__file__).parents[2]
POLICIES = ["mbind", "set_mempolicy", "move_pages"]
NO_NODE = 1000
DONE = ("applied", "single node")

x86 = pytest.mark.skipif(not calls.supported(), reason="numbers of calls are those of x86-64")


@pytest.fixture
def in_thread():
    """Run a function in a thread of its own, whose affinity and policy end with it."""

    def run(function):
        results = []
        thread = threading.Thread(target=lambda: results.append(function()))
        thread.start()
        thread.join()
        return results[0]

    return run


@pytest.fixture(scope="module")
def used():
    """What came of a plan that a process of its own put to use, with calls denied to it."""

    def run(*denied):
        done = subprocess.run(
            [sys.executable, "-m", "tests.topology.placed_work", *denied],
            cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def refused_here():
    """Whether this very process may not set policies, as in a container."""
    return memory_policy().status == "denied"


def test_only_the_thread_itself_is_pinned(in_thread):
    before = os.sched_getaffinity(0)
    one = min(before)
    placed, mask = in_thread(lambda: (pin_current_thread([one]), os.sched_getaffinity(0)))
    assert placed == Placed("pinning", "applied") and mask == {one}
    assert os.sched_getaffinity(0) == before


def test_cpus_that_are_not_there_are_told(in_thread):
    placed = in_thread(lambda: pin_current_thread([max(read_machine().online) + 1]))
    assert placed.status == "unsupported" and "Invalid argument" in str(placed)


def test_the_main_thread_is_never_pinned():
    """Whatever a test runner calls the thread that it runs tests in."""
    code = (
        "import os; from pyhades.topology import pin_current_thread\n"
        "before = os.sched_getaffinity(0)\n"
        "try: pin_current_thread([min(before)])\n"
        "except ValueError as error: print(error)\n"
        "assert os.sched_getaffinity(0) == before"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and "main thread" in done.stdout


def test_no_cpus_are_refused(in_thread):
    def refused():
        with pytest.raises(ArgumentError, match="cpus is empty"):
            pin_current_thread([])
        return True

    assert in_thread(refused)


@x86
def test_real_calls_succeed_on_a_node_that_there_is(in_thread):
    node = read_machine().nodes[0].number
    memory = mmap.mmap(-1, 8 * mmap.PAGESIZE)
    memory[:] = b"x" * len(memory)
    address = np.frombuffer(memory, np.uint8).ctypes.data
    if refused_here():
        pytest.skip("policies are denied to this process")
    assert calls.mbind(address, len(memory), node) == 0
    assert calls.node_of(address) == (0, node)
    assert in_thread(lambda: (calls.set_mempolicy(node), calls.get_mempolicy())) == (
        0,
        (0, calls.PREFERRED),
    )
    failed, nodes = calls.nodes_of([address, address + mmap.PAGESIZE])
    assert failed == errno.EPERM or (failed, nodes) == (0, [node, node])


@x86
def test_real_calls_refuse_a_node_that_there_is_not():
    memory = np.ones(8 * mmap.PAGESIZE, np.uint8)
    page = -(-memory.ctypes.data // mmap.PAGESIZE) * mmap.PAGESIZE
    missing = max(node.number for node in read_machine().nodes) + 1
    expected = errno.EPERM if refused_here() else errno.EINVAL
    assert calls.mbind(page, mmap.PAGESIZE, missing) == expected
    assert calls.set_mempolicy(missing) == expected


@pytest.mark.parametrize("node", [NO_NODE, 1 << 20])
def test_a_node_that_there_is_not_is_told(in_thread, node):
    memory = np.ones(8 * mmap.PAGESIZE, np.uint8)
    for placed in (bind_memory(memory, node), in_thread(lambda: prefer_node(node))):
        assert placed.status == "unsupported" or refused_here()
        assert str(placed).startswith("policy: ")
        assert f"no node {node}" in placed.reason or refused_here() or not calls.supported()
    assert memory.all()


def test_memory_and_threads_prefer_a_node(in_thread):
    memory = np.ones((64, mmap.PAGESIZE), np.uint8)
    node = read_machine().nodes[0].number
    here = memory_policy().status
    assert bind_memory(memory, node).status == bind_memory(memory.T, node).status == here
    assert in_thread(lambda: (prefer_node(node).status, prefer_node(None).status)) == (here, here)
    assert memory.all()
    assert here != "applied" or len(read_machine().nodes) > 1


@x86
def test_pages_are_where_they_were_touched():
    memory = mmap.mmap(-1, 16 * mmap.PAGESIZE)
    memory[: 4 * mmap.PAGESIZE] = b"x" * (4 * mmap.PAGESIZE)
    found = page_nodes(memory)
    if found.problem:
        assert refused_here()
        return
    assert set(found.counts) <= {node.number for node in read_machine().nodes}
    assert sum(found.counts.values()) + found.untouched == 16 and sum(found.counts.values()) >= 4
    may_ask = calls.nodes_of([np.frombuffer(memory, np.uint8).ctypes.data])[0] == 0
    assert found.untouched == 12 or not may_ask  # asked one by one, pages are read for it


def test_a_buffer_within_a_page_has_none_to_place():
    assert "no whole page" in bind_memory(bytearray(100), 0).reason


@pytest.mark.parametrize(
    ("buffer", "error", "message"),
    [
        (b"constant", ArgumentError, "writable"),
        (np.ones((8, 8))[:, ::2], ArgumentError, "one piece"),
        (bytearray(), ArgumentError, "at least a byte"),
        ("text", ArgumentTypeError, "str has no memory"),
    ],
)
def test_buffers_without_memory_are_refused(buffer, error, message):
    for function in (lambda: bind_memory(buffer, 0), lambda: page_nodes(buffer)):
        with pytest.raises(error, match=message):
            function()


def test_nodes_below_zero_are_refused():
    with pytest.raises(ArgumentError, match="node=-1"):
        bind_memory(bytearray(1 << 16), -1)
    with pytest.raises(ArgumentError, match="node=-1"):
        prefer_node(-1)


def test_other_machines_are_unsupported(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    memory = np.ones(1 << 16, np.uint8)
    assert bind_memory(memory, 0).status == "unsupported"
    assert memory_policy().status == prefer_node(0).status == "unsupported"
    assert page_nodes(memory) == PageNodes({}, problem="get_mempolicy: Function not implemented")


@pytest.mark.slow
def test_a_plan_leaves_the_main_thread_as_it_was(used):
    found = used()
    assert found["same_mask"] and len(found["workers"]) == len(plan_workers().workers)
    assert all(worker["mask"] for worker in found["workers"])


@x86
@pytest.mark.slow
def test_a_process_that_may_not_place_memory_gives_the_same(used):
    free, denied = used(), used(*POLICIES)
    assert [w["output"] for w in denied["workers"]] == [w["output"] for w in free["workers"]]
    for worker in denied["workers"]:
        assert worker["policy"] == "policy: denied (mbind: Operation not permitted)"
        assert worker["preferred"] == "denied" and worker["pinned"] == "applied"
        assert worker["pages"] > 0 and not worker["problem"]  # asked one by one
    if not refused_here():
        assert {w["policy"] for w in free["workers"]} <= {f"policy: {status}" for status in DONE}


@x86
@pytest.mark.slow
def test_a_process_that_may_not_even_ask_is_told_so(used):
    pinning = "203"  # sched_setaffinity
    found = used(*POLICIES, "get_mempolicy", pinning)
    for worker in found["workers"]:
        assert worker["problem"] == "get_mempolicy: Operation not permitted"
        assert worker["pinned"] == "denied" and worker["pages"] == 0
