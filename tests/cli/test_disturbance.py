"""The busy process of ``pyhades bench --disturb``: pinned, there when needed, always ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pyhades.bench.disturbance import Disturbance, beside, disturbed_cpu, neighbours
from pyhades.errors import PyhadesError


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the latter where it goes meanwhile
        return False
    state = stat.rsplit(")", 1)[1].split()[0]
    return state != "Z"


def wait_until_gone(pid: int) -> bool:
    deadline = time.monotonic() + 60
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid)


def test_is_pinned_and_ends():
    ours = os.sched_getaffinity(0)
    neighbour = Disturbance(disturbed_cpu())
    for _ in range(2):  # it may be entered again
        with neighbour:
            pid = neighbour.pid
            assert is_alive(pid)
            assert os.sched_getaffinity(pid) == {disturbed_cpu()}
        assert not is_alive(pid) and neighbour.pid == 0
    assert os.sched_getaffinity(0) == ours
    assert str(neighbour) == f"one busy process on CPU {disturbed_cpu()}"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_ends_with_whatever_ends_the_measurement(error):
    neighbour = Disturbance(disturbed_cpu())
    with pytest.raises(error), neighbour:
        pid = neighbour.pid
        raise error
    assert not is_alive(pid)


def test_ends_when_its_parent_is_killed():
    script = (
        "import time\nfrom pyhades.bench.disturbance import *\n"
        "with Disturbance(disturbed_cpu()) as it: print(it.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.send_signal(signal.SIGKILL)
    assert wait_until_gone(pid)


def test_a_neighbour_that_ended_early_is_told():
    with pytest.raises(PyhadesError, match="ended before"), Disturbance(disturbed_cpu()) as it:
        os.kill(it.pid, signal.SIGKILL)
        os.waitid(os.P_PID, it.pid, os.WEXITED | os.WNOWAIT)


def test_a_cpu_that_is_not_there_is_named():
    with pytest.raises(PyhadesError, match=r"CPU 100000 did not start"), Disturbance(100_000):
        pass


def test_nobody_unless_asked():
    assert neighbours(False) == (None,)
    alone, neighbour = neighbours(True)
    assert alone is None and neighbour is not None and neighbour.cpu == disturbed_cpu()
    with beside(None):
        pass
