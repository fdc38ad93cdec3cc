"""The count of kernels can fail, and says why where it does not judge."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pyhades import _native
from tests.support.kernel_census import PROPERTY, KernelCensus

FOLDER = Path(__file__).parent
USABLE = [kernel.name for kernel in _native.implementations() if kernel.is_supported]


def census_of(kernels, folder="tests/kernels"):
    census = KernelCensus(FOLDER, {Path(__file__)}, "test")
    nodeid = f"{folder}/test_census.py::test"
    census.pytest_runtest_logreport(
        SimpleNamespace(when="teardown", nodeid=nodeid, user_properties=[(PROPERTY, kernels)])
    )
    return census


def judged(census, modules=(__file__,)):
    """Exit status of a session of these modules, and what the summary says."""
    lines: list[str] = []
    session = SimpleNamespace(exitstatus=pytest.ExitCode.OK, config=SimpleNamespace())
    census.pytest_collection_modifyitems([SimpleNamespace(path=Path(path)) for path in modules])
    census.pytest_sessionfinish(session)
    write = SimpleNamespace(write_line=lambda line, **_: lines.append(line))
    census.pytest_terminal_summary(write)
    return session.exitstatus, "\n".join(lines)


def test_all_kernels():
    assert judged(census_of(USABLE)) == (pytest.ExitCode.OK, "")


@pytest.mark.parametrize("missing", [USABLE[0], USABLE[-1]])
def test_a_kernel_that_no_test_has_run(missing):
    status, text = judged(census_of([name for name in USABLE if name != missing]))
    assert status == pytest.ExitCode.TESTS_FAILED
    assert missing in text


def test_kernels_run_elsewhere_do_not_count():
    status, text = judged(census_of(USABLE, "tests/llm"))
    assert status == pytest.ExitCode.TESTS_FAILED
    assert f"{len(USABLE)} registered kernels" in text


def test_a_part_of_the_folder_is_not_judged():
    status, text = judged(census_of(USABLE[1:]), modules=())
    assert status == pytest.ExitCode.OK
    assert "no failure here: without test_census.py" in text


def test_a_worker_tells_what_it_left_out():
    census = census_of(USABLE[1:])
    node = SimpleNamespace(workeroutput={"incomplete test": ["some are deselected"]})
    census.pytest_testnodedown(node)
    status, text = judged(census)
    assert status == pytest.ExitCode.OK
    assert "some are deselected" in text
