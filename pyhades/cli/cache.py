"""``pyhades cache``."""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import asdict
from pathlib import Path

import click
from tqdm import tqdm

from pyhades.cli.groups import CommandGroup
from pyhades.llm.cache.disk.inspection import Stored, clear, model_folders, stored, verify
from pyhades.llm.cache.disk.models import NAME
from pyhades.tables import as_table

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
SHOWN = 60
"""Characters of a fact."""

folder_argument = click.argument("folder", metavar="DIR", type=FOLDER)


@click.group("cache", cls=CommandGroup)
def command() -> None:
    """What language models keep on disk of texts that were read: show, clear and check it.

    DIR is the folder that was given as --cache-dir or cache_dir, or that of one model below it.
    """


@command.command("stats")
@folder_argument
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def stats(folder: Path, as_json: bool) -> None:
    """Show what is kept in DIR, model by model."""
    found = [stored(each) for each in model_folders(folder)]
    if as_json:
        click.echo(json.dumps([asdict(each) | {"folder": str(each.folder)} for each in found]))
    elif not found:
        click.echo(f"nothing is kept in {folder}")
    else:
        rows = [["model", "folder", "records", "tokens", "MB", "last used", "to", "in use"]]
        rows += [_row(each) for each in found]
        click.echo(as_table(rows, (2, 3, 4)))
        for each in found:
            _tell_facts(each)


@command.command("clear")
@folder_argument
@click.option("--older-than", metavar="AGE", help="Only files unused for so long: 30d, 12h, 30min.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def clear_folders(ctx: click.Context, folder: Path, older_than: str | None, yes: bool) -> None:
    """Remove what is kept in DIR.

    With --older-than a file goes when nothing in it was used for so long. Folders that another
    process has open are left as they are, and told; the exit code is 1 then.
    """
    before = None if older_than is None else time.time() - _seconds(older_than)
    folders = model_folders(folder)
    if not folders:
        click.echo(f"nothing is kept in {folder}")
        return
    which = "everything" if older_than is None else f"what was not used for {older_than}"
    if not yes:
        click.confirm(f"remove {which} of {len(folders)} models in {folder}?", abort=True)
    are_free = True
    for each in folders:
        done = clear(each, before)
        are_free &= not done.in_use
        told = f"removed {done.segments} files, {done.bytes / 1e6:.1f} MB"
        click.echo(f"{each}: {'in use by a process, left as it is' if done.in_use else told}")
    ctx.exit(0 if are_free else 1)


@command.command("verify")
@folder_argument
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
@click.pass_context
def verify_folders(ctx: click.Context, folder: Path, quiet: bool) -> None:
    """Read everything that is kept in DIR, and compare all checksums.

    Exit code 1 where something is damaged. What a kill has cut short at the end of a file is told,
    and is no damage; records of texts whose beginning is not kept are counted.
    """
    folders = model_folders(folder)
    are_right = True
    for each in folders:
        with tqdm(
            total=stored(each).bytes, desc=each.name, unit="B", unit_scale=True, leave=False,
            disable=True if quiet else None, file=sys.stderr,
        ) as bar:  # fmt: skip
            found = verify(each, bar.update)
        are_right &= not found.damaged
        for mark, places in (("DAMAGED ", found.damaged), ("torn: ", found.torn)):
            for place in places:
                click.echo(mark + place)
        click.echo(
            f"{each}: {found.records} records are right, {len(found.damaged)} damaged; "
            f"{found.unreachable} cannot be reached, as the beginning of their text is not kept"
        )
    if not folders:
        click.echo(f"nothing is kept in {folder}")
    ctx.exit(0 if are_right else 1)


def _row(found: Stored) -> list[str]:
    ages = [_age(found.oldest), _age(found.newest)]
    size = f"{found.bytes / 1e6:.1f}"
    name = Path(found.facts.get(NAME, "")).name or "unknown"
    counts = [str(found.records), str(found.tokens), size]
    return [name, found.folder.name, *counts, *ages, "yes" if found.is_open else "no"]


def _tell_facts(found: Stored) -> None:
    click.echo(f"\n{found.folder.name}")
    for name, value in found.facts.items():
        click.echo(f"  {name}: {value if len(value) <= SHOWN else value[: SHOWN - 3] + '...'}")
    if found.unread:
        click.echo(f"  {found.unread} files are not of this version, or damaged")


def _age(when: float | None) -> str:
    """How long ago that was, in the largest unit of which it is at least two."""
    if when is None:
        return "never"
    seconds = max(time.time() - when, 0.0)
    unit = next((unit for unit in ("d", "h", "min") if seconds >= 2 * SECONDS[unit]), "s")
    return f"{seconds / SECONDS[unit]:.0f} {unit} ago"


def _seconds(age: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)", age.strip())
    if match is None:
        raise click.BadParameter(
            f"{age!r} is not an age like 30d, 12h, 30min or 10s", param_hint="--older-than"
        )
    return float(match[1]) * SECONDS[match[2]]
