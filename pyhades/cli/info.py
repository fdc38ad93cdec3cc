"""``pyhades info``."""

from __future__ import annotations

import click

import pyhades


@click.command("info")
def command() -> None:
    """Show CPU, instruction set tier, threads and why, memory."""
    click.echo(str(pyhades.show_config()))
