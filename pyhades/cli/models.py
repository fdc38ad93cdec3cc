"""``pyhades models``."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from tqdm import tqdm

from pyhades.cli.groups import CommandGroup
from pyhades.errors import ArgumentError
from pyhades.segmentation.catalogue import ENTRIES, Entry, find_entry
from pyhades.segmentation.store import Found, cache_folder, locate, missing, places, pull
from pyhades.segmentation.store.models import licence_text
from pyhades.tables import as_table


@click.group("models", cls=CommandGroup)
def command() -> None:
    """Models by name: list, fetch, find and check them.

    Files that rembg or the Hugging Face hub have fetched are used where they lie. Nothing is
    fetched but by 'pull'.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def list_models(as_json: bool) -> None:
    """List the models of the catalogue, and where they are."""
    entries = [_described(entry, locate(entry.name)) for entry in ENTRIES.values()]
    if as_json:
        click.echo(json.dumps(entries, indent=2))
        return
    rows = [["name", "here", "MB", "input", "licence", "for"]]
    for each in entries:
        size = "" if each["bytes"] is None else f"{each['bytes'] / 1e6:.0f}"
        height, width = each["input_size"]
        here = each["owner"] or ("no" if each["url"] else "nowhere")
        rows.append(
            [each["name"], here, size, f"{width} x {height}", each["licence_text"], each["about"]]
        )
    click.echo(as_table(rows, (2,)))
    click.echo(f"\nfetched files go to {cache_folder()}")


def _described(entry: Entry, found: Found | None) -> dict[str, Any]:
    file = next((f for f in entry.files if f.url is not None), None)
    file = file or (entry.files[0] if entry.files else None)
    return {
        "name": entry.name,
        "about": entry.about,
        "path": None if found is None else str(found.path),
        "owner": None if found is None else found.owner,
        "url": None if file is None else file.url,
        "bytes": None if file is None else file.size,
        "sha256": None if file is None else file.sha256,
        "md5": None if file is None else file.md5,
        "input_size": list(entry.manifest.input_size),
        "licence": entry.manifest.licence,
        "commercial_use": entry.manifest.commercial_use,
        "licence_text": licence_text(entry),
        "profiles": list(entry.profiles),
        "source": entry.manifest.source,
    }


@command.command("pull")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Fetch it although it is here.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def pull_models(names: tuple[str, ...], force: bool, quiet: bool) -> None:
    """Fetch models into the folder of pyhades.

    What an interrupted call has left is continued. A file appears under its name only after its
    checksum was compared with that of its publisher.
    """
    for name in names:
        find_entry(name)
    for name in names:
        entry = find_entry(name)
        click.echo(f"{name}: licence {licence_text(entry)}; {entry.manifest.source}", err=True)

        def shown(file: str, size: int | None) -> Any:
            return tqdm(
                total=size, desc=file, unit="B", unit_scale=True, file=sys.stderr,
                disable=True if quiet else None,
            )  # fmt: skip

        click.echo(pull(name, force=force, progress=shown).path)


@command.command("path")
@click.argument("name")
def path_of_model(name: str) -> None:
    """Print where the file of a model lies; an error where it is not on this machine."""
    found = locate(name)
    if found is None:
        raise ArgumentError(missing(find_entry(name)))
    click.echo(found.path)


@command.command("verify")
@click.argument("names", metavar="[NAME...]", nargs=-1)
@click.pass_context
def verify_models(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Compare the files that are here with the checksums of their publishers.

    All of them where no name is given. Exit code 1 where a file is another one.
    """
    are_right = True
    for name in names or tuple(ENTRIES):
        entry = find_entry(name)
        paths = [(path, file) for file in entry.files for path, _ in places(entry, file)]
        present = [(path, file) for path, file in paths if path.is_file()]
        if names and not present:
            raise ArgumentError(missing(entry))
        for path, file in present:
            is_right = file.is_in(path)
            are_right &= is_right
            algorithm = "" if file.checksum is None else file.checksum[0]
            click.echo(f"{name}: {path}: {algorithm} {'is right' if is_right else 'DIFFERS'}")
    ctx.exit(0 if are_right else 1)
