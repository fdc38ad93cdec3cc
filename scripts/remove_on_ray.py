"""Remove backgrounds on a Ray cluster: ``python scripts/remove_on_ray.py PICTURES CUTOUTS``.

Without ``--address`` the cluster is this machine. CUTOUTS, LOG and STATE have to be seen by all
machines: URLs, or folders that they share.
"""

from __future__ import annotations

import click
import ray
from ray.data.checkpoint import CheckpointConfig

import pyhades.ray
from pyhades.ray.options import same_everywhere


@click.command()
@click.argument("pictures")
@click.argument("cutouts")
@click.option("--log", required=True, help="Folder or URL for a table of what became of each.")
@click.option("--state", help="Folder or URL for what is done, so that the command can go on.")
@click.option("--model", help="By default the small one that ships with pyhades.")
@click.option("--address", default="local", show_default=True, help="Of a cluster, or 'auto'.")
@click.option("--cpus", type=float, default=1, show_default=True, help="And threads of each actor.")
@click.option("--batch", type=int, default=16, show_default=True, help="Pictures at a time.")
@click.option("--rows", type=int, default=64, show_default=True, help="Of a file of the log.")
def main(
    pictures: str, cutouts: str, log: str, state: str | None, model: str | None, address: str,
    cpus: float, batch: int, rows: int,
) -> None:  # fmt: skip
    """Cut out PICTURES, a folder or a URL, to files below CUTOUTS."""
    ray.init(address=address, log_to_driver=False)
    if state is not None:
        context = ray.data.DataContext.get_current()
        # Ray takes no path that begins where the command does.
        context.checkpoint_config = CheckpointConfig("path", same_everywhere(state))
    found = pyhades.ray.list_pictures(pictures, batch_size=batch)
    done = pyhades.ray.remove_backgrounds(
        found, model, destination=cutouts, num_cpus=cpus, batch_size=batch
    )
    # Writing some lines needs no CPU of its own, which the actors then lack.
    done.write_parquet(log, min_rows_per_file=rows, ray_remote_args={"num_cpus": 0}, concurrency=1)
    ray.shutdown()


if __name__ == "__main__":
    main()
