"""A run with checkpoints, for a test to kill: ``python resumed.py ADDRESS PICTURES OUT STATE``."""

from __future__ import annotations

import sys

import ray
from ray.data.checkpoint import CheckpointConfig

import pyhades.ray


def main(address: str, pictures: str, out: str, state: str) -> None:
    ray.init(address=address, log_to_driver=False)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.checkpoint_config = CheckpointConfig("path", state)
    found = pyhades.ray.list_pictures(pictures, batch_size=2)
    cut = pyhades.ray.remove_backgrounds(found, batch_size=2)
    cut.write_parquet(out, ray_remote_args={"num_cpus": 0}, concurrency=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
