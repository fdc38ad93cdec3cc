"""A Ray cluster of two nodes on this machine, one at a time however many workers pytest has."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pyhades.segmentation.plausibility import SAMPLES

MISSING = importlib.util.find_spec("ray") is None
HEAD = {"num_cpus": 1, "object_store_memory": 100 << 20}
SECOND = HEAD | {"num_cpus": 2}
HASTY = {"health_check_period_ms": 500, "health_check_failure_threshold": 4}
"""A node that does not answer counts as gone after two seconds, not after half a minute."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever wants the cluster takes seconds, and Ray."""
    skip = pytest.mark.skip(reason="Ray is not installed: pip install 'pyhades[ray]'")
    for item in items:
        if "nodes" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
            if MISSING:
                item.add_marker(skip)


@dataclass
class Nodes:
    """The cluster of a node of one CPU, on which the driver is (this process), and one of two.

    Attributes
    ----------
    ray
        The module, connected to it.
    cluster
        Of ``ray.cluster_utils``.
    second
        The node that may go.
    """

    ray: Any
    cluster: Any
    second: Any

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def lose_second(self) -> None:
        """All that runs there dies at once."""
        self.cluster.remove_node(self.second, allow_graceful=False)

    def replace_second(self) -> None:
        self.second = self.cluster.add_node(**SECOND)


@pytest.fixture(scope="module")  # another worker of pytest waits no longer than that
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with Path(shared, "ray.lock").open("w") as lock, contextlib.ExitStack() as stack:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Sockets lie in it, whose names must be short.
        folder = tempfile.mkdtemp(prefix="ray")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield stack.enter_context(_cluster(folder))


@contextlib.contextmanager
def _cluster(folder: str) -> Iterator[Nodes]:
    told = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": folder}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setenv(name, value)
        import ray
        from ray.cluster_utils import Cluster

        head = {**HEAD, "include_dashboard": False, "_system_config": HASTY}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            second = cluster.add_node(**SECOND)
            ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
            ray.data.DataContext.get_current().enable_progress_bars = False
            yield Nodes(ray, cluster, second)
        finally:
            ray.shutdown()
            cluster.shutdown()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 photographs in two folders, one of which is none."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "below").mkdir()
    for number in range(30):
        place = folder / "below" if number % 2 else folder
        shutil.copy(SAMPLES[number % len(SAMPLES)], place / f"{number:02}.jpg")
    (folder / "12.jpg").write_bytes(b"no picture")
    return folder
