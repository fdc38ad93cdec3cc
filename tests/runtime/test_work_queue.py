"""The queue of bulk runs: its face, its C++ under stress, and what threads may do with it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from pyhades._native import WorkQueue
from pyhades.errors import ArgumentError, CancelledError, ClosedError

ROOT = Path(__file__).parents[2]
SOURCES = Path(__file__).parent / "queue"
COMPILER = os.environ.get("CXX", "g++").split()
RELACY = Path("/usr/include/relacy/relacy.hpp")


def test_tickets_come_in_their_order():
    queue = WorkQueue(8)
    for ticket in (3, 1, 2):
        assert queue.push(ticket, nbytes=10)
    assert len(queue) == 3 and queue.nbytes == 30
    assert [queue.pop() for _ in range(3)] == [3, 1, 2]
    assert len(queue) == 0 and queue.nbytes == 30
    queue.give_back(30)
    queue.close()
    assert queue.pop() is None and queue.nbytes == 0


def test_it_is_bounded_by_tickets_and_by_bytes():
    queue = WorkQueue(3, most_bytes=100)
    assert queue.push(0, nbytes=1000)  # alone, however large
    assert not queue.push(1, nbytes=1, timeout=0.01)
    queue.pop()
    assert not queue.push(1, nbytes=1, timeout=0.01)  # its worker has not given them back
    queue.give_back(1000)
    assert queue.push(1, nbytes=60) and queue.push(2, nbytes=40)
    assert not queue.push(3, nbytes=1, timeout=0.01)
    queue.give_back(50)
    assert queue.push(3, nbytes=1)
    assert not queue.push(4, timeout=0.01)


def test_a_worker_takes_from_the_nearest_ring():
    queue = WorkQueue(8, distances=[[10, 30, 20], [30, 10, 20], [20, 20, 10]])
    for ticket in range(6):
        queue.push(ticket, node=ticket % 3)
    assert [queue.pop(node=0) for _ in range(6)] == [0, 3, 2, 5, 1, 4]


def test_closed_and_cancelled():
    queue = WorkQueue(4)
    queue.push(1)
    queue.close()
    with pytest.raises(ClosedError):
        queue.push(2)
    assert queue.pop() == 1 and queue.pop() is None
    queue = WorkQueue(4)
    queue.push(1)
    queue.push(2)
    queue.cancel()
    with pytest.raises(CancelledError):
        queue.push(3)
    with pytest.raises(CancelledError):
        queue.pop()
    assert queue.drain() == [1, 2] and len(queue) == 0


@pytest.mark.parametrize("end", ["close", "cancel"])
def test_whoever_waits_hears_of_the_end(end):
    empty, full = WorkQueue(1), WorkQueue(1)
    full.push(0)
    heard = []

    def pop():
        try:
            heard.append(empty.pop())
        except CancelledError:
            heard.append(None)

    def push():
        try:
            full.push(1)
        except (ClosedError, CancelledError):
            heard.append(None)

    threads = [threading.Thread(target=work) for work in (pop, pop, push, push)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    getattr(empty, end)()
    getattr(full, end)()
    for thread in threads:
        thread.join(timeout=60)
    assert heard == [None] * 4


def test_timeouts_and_signals():
    queue = WorkQueue(1)
    with pytest.raises(TimeoutError):
        queue.pop(timeout=0.01)

    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            queue.pop()
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: WorkQueue(0),
        lambda: WorkQueue(1 << 40),
        lambda: WorkQueue(1, most_bytes=-1),
        lambda: WorkQueue(1, distances=[]),
        lambda: WorkQueue(1, distances=[[10, 20]]),
        lambda: WorkQueue(1).push(0, node=1),
        lambda: WorkQueue(1).push(0, nbytes=-1),
        lambda: WorkQueue(1).pop(node=-1),
        lambda: WorkQueue(1).give_back(1),
    ],
    ids=range(9),
)
def test_wrong_arguments(wrong):
    with pytest.raises(ArgumentError):
        wrong()


def compiled(folder: Path, source: str, *flags: str, headers: Path = ROOT / "csrc") -> Path:
    program = folder / source
    command = [*COMPILER, "-std=c++17", f"-I{headers}", *flags, str(SOURCES / f"{source}.cpp")]
    done = subprocess.run([*command, "-o", str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return program


def run(program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def stress(folder: Path, *flags: str) -> Path:
    queue = str(ROOT / "csrc" / "runtime" / "work_queue.cpp")
    return compiled(folder, "stress", "-pthread", *flags, queue)


@pytest.mark.slow
def test_hundreds_of_workers_and_a_million_tickets(tmp_path):
    program = stress(tmp_path, "-O2")
    for arguments in [(384, 1, 1_000_000, 8, 50), (384, 4, 200_000, 8, 50, "cancel")]:
        done = run(program, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_under_thread_sanitizer(tmp_path):
    program = stress(tmp_path, "-O1", "-g", "-fsanitize=thread", "-Wno-tsan")
    for arguments in [(4, 3, 30_000, 2, 0), (8, 2, 10_000, 3, 100), (4, 3, 30_000, 2, 0, "cancel")]:
        done = run(program, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]


MODEL = ("-O2", "-w", "-fno-sized-deallocation", "-faligned-new=64", "-DCAPACITY=2")
needs_relacy = pytest.mark.skipif(not RELACY.exists(), reason="relacy (apt relacy-dev) is missing")


@needs_relacy
@pytest.mark.slow
def test_no_interleaving_loses_a_ticket(tmp_path):
    program = compiled(tmp_path, "model", *MODEL, "-DSTORE_ORDER=rl::mo_release")
    done = run(program, 100_000)
    assert done.returncode == 0, done.stdout[-3000:]
    assert done.stdout.count(": right, 100000 interleavings") == 4


@needs_relacy
@pytest.mark.slow
@pytest.mark.parametrize(
    ("order", "file", "text", "instead", "found"),
    [
        ("rl::mo_relaxed", "ring.h", "", "", "DATA RACE"),
        ("rl::mo_release", "work_queue.h", "        work_.notify_one();", "", "DEADLOCK"),
        ("rl::mo_release", "work_queue.h", "room_.notify_one();", "", "DEADLOCK"),
        (
            "rl::mo_release",
            "work_queue.h",
            "== kClosed) work_.notify_all();",
            "== 9) {}",
            "DEADLOCK",
        ),
        ("rl::mo_release", "work_queue.h", "&& tickets() == 0", "", "ASSERT"),
        ("rl::mo_release", "ring.h", "position + mask_ + 1);", "position + mask_);", ""),
    ],
    ids=["no release", "no work", "no room", "no last wake-up", "closed too early", "wrong turn"],
)
def test_the_search_finds_what_is_wrong(tmp_path, order, file, text, instead, found):
    shutil.copytree(ROOT / "csrc" / "runtime", tmp_path / "csrc" / "runtime")
    header = tmp_path / "csrc" / "runtime" / file
    before = header.read_text(encoding="utf-8")
    assert not text or before.count(text) == 1
    header.write_text(before.replace(text, instead) if text else before, encoding="utf-8")
    program = compiled(
        tmp_path, "model", *MODEL, f"-DSTORE_ORDER={order}", headers=tmp_path / "csrc"
    )
    done = run(program, 20_000)
    assert done.returncode != 0 and found in done.stdout
