"""Two nodes of Ray on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

ROWS = 16
"""Of a block: what an actor takes at a time."""


class Cluster:
    """Two nodes of one CPU each."""

    def __enter__(self) -> Cluster:
        os.environ.update(RAY_AUTH_MODE="disabled", RAY_USAGE_STATS_ENABLED="0")
        import ray
        from ray import cluster_utils

        node = {"num_cpus": 1, "object_store_memory": 400 << 20}
        self._cluster = cluster_utils.Cluster(
            initialize_head=True, head_node_args={**node, "include_dashboard": False}
        )
        self._second = self._cluster.add_node(**node)
        ray.init(address=self._cluster.address, log_to_driver=False, logging_level="error")
        self._ray = ray
        ray.data.DataContext.get_current().enable_progress_bars = False
        return self

    def cut(self, folder: Path, model: str | None, results: str) -> Any:
        """A dataset of what becomes of pictures, an actor on each node."""
        import pyhades.ray

        pool = self._ray.data.ActorPoolStrategy(size=2)
        found = pyhades.ray.list_pictures(folder, batch_size=ROWS)
        return pyhades.ray.remove_backgrounds(
            found, model, batch_size=ROWS, compute=pool, destination=results
        )

    def lose_a_node(self) -> None:
        """The one without the driver."""
        self._cluster.remove_node(self._second, allow_graceful=False)

    def __exit__(self, *exception: object) -> None:
        self._ray.shutdown()
        self._cluster.shutdown()
