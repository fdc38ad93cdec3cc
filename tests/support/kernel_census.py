"""Which registered kernels a session has run: a registered kernel is a tested and benchmarked one.

Every kernel call of a test or a benchmark is recorded by the name of the kernel that ran. A whole
run of the folder ends in failure if a kernel that this machine can run is missing in the record.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyhades import _native

PROPERTY = "kernels run"


@pytest.fixture
def kernels_run(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Names of the kernels that this test has run so far, singly or in a Program."""
    ran: set[str] = set()
    original = _native.call

    def recording_call(*args: Any, **kwargs: Any) -> str:
        kernel = str(original(*args, **kwargs))
        ran.add(kernel)
        return kernel

    class RecordingContext(_native.Context):  # type: ignore[misc]
        def run(self, bindings: Any = None, first: int = 0, last: int = -1) -> None:
            super().run(bindings, first, last)
            instructions = self.program.instructions
            ran.update(
                i.kernel for i in instructions[first : len(instructions) if last < 0 else last]
            )

    monkeypatch.setattr(_native, "call", recording_call)
    monkeypatch.setattr(_native, "Context", RecordingContext)
    yield ran


@pytest.fixture
def count_kernels(request: pytest.FixtureRequest, kernels_run: set[str]) -> Iterator[None]:
    """All that this test runs counts."""
    yield
    record(request.node, kernels_run)


def record(item: pytest.Item, kernels: set[str]) -> None:
    """Note in the report of a test the kernels that it answers for."""
    item.user_properties.append((PROPERTY, sorted(kernels)))


class KernelCensus:
    """A plugin: fails a session that ran all ``modules`` of a folder, but not every kernel.

    Reports and reasons cross the processes of pytest-xdist, whose controller collects nothing.
    """

    def __init__(self, folder: Path, modules: set[Path], debt: str) -> None:
        self._folder, self._modules, self._debt = folder, modules, debt
        self._prefix = folder.relative_to(Path(__file__).parents[2]).as_posix() + "/"
        self._seen: set[str] = set()
        self._incomplete: set[str] = set()
        self._missing: list[str] = []

    def _holds(self, item: pytest.Item) -> bool:
        return item.path in self._modules

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Look which modules were asked for; runs before anything is deselected."""
        absent = self._modules - {item.path for item in items}
        if absent:
            self._incomplete.add(f"without {min(absent).name}")

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """A part of the folder does not run."""
        if any(self._holds(item) for item in items):
            self._incomplete.add("some are deselected")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather what the tests have run."""
        if report.when == "teardown" and report.nodeid.startswith(self._prefix):
            for name, value in report.user_properties:
                if name == PROPERTY:
                    self._seen.update(value)  # type: ignore[arg-type]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker of pytest-xdist says whether it has collected everything."""
        output = getattr(node, "workeroutput", {})
        self._incomplete |= set(output.get(f"incomplete {self._debt}", ["a worker has died"]))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Compare, where everything ran and passed."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[f"incomplete {self._debt}"] = sorted(self._incomplete)
            return
        usable = {i.name for i in _native.implementations() if i.is_supported}
        self._missing = sorted(usable - self._seen)
        if session.exitstatus != pytest.ExitCode.OK:
            self._incomplete.add("tests have failed")
        if self._missing and not self._incomplete:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Name the kernels that are missing, or why nobody looked for them."""
        write = terminalreporter.write_line
        if self._missing and not self._incomplete:
            write(f"{len(self._missing)} registered kernels ran in no {self._debt}:", red=True)
            write("  " + ", ".join(self._missing), red=True)
        elif self._missing and self._seen:
            ran = f"{len(self._missing)} registered kernels ran in no {self._debt}"
            write(f"{ran}, which is no failure here: {min(self._incomplete)}")
