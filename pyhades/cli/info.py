"""``pyhades info``."""

from __future__ import annotations

import dataclasses
import json

import click

import pyhades
from pyhades.topology import survey


@click.command("info")
@click.option(
    "--topology",
    "with_topology",
    is_flag=True,
    help="Also nodes, caches and cores, what limits their use, and the plan of workers.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(with_topology: bool, as_json: bool) -> None:
    """Show CPU, instruction set tier, threads and why, memory."""
    config = pyhades.show_config()
    topology = survey() if with_topology else None
    if as_json:
        found = dataclasses.asdict(config)
        if topology is not None:
            found["topology"] = topology.to_dict()
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(str(config) if topology is None else f"{config}\n\n{topology}")
