"""Options of every command that runs a segmentation model, and the model that they describe."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pyhades.cli.options import NAMES, Command, engine_options, together
from pyhades.errors import ArgumentError
from pyhades.options import EngineOptions
from pyhades.segmentation.catalogue import PROFILES
from pyhades.segmentation.manifest import ModelManifest
from pyhades.segmentation.network import NETWORK_PRECISIONS


@dataclass(frozen=True)
class PreparedModel:
    """What the options say of a model, beside which it is."""

    options: EngineOptions
    how: dict[str, Any]
    """Profile and single fields of the manifest."""


model_argument = click.argument("model", metavar="MODEL")


def model_options(command: Command, engine: Sequence[str] = NAMES) -> Callable[..., Any]:
    """``--manifest``, ``--set``, ``--profile`` and those of an engine as one argument.

    ``engine`` names the options of the engine that the command has.
    """

    @functools.wraps(command)
    def with_model(
        *arguments: Any, manifest: str | None, fields: tuple[str, ...], profile: str,
        options: EngineOptions, **given: Any,
    ) -> Any:  # fmt: skip
        how = {"profile": profile, **read_manifest(manifest), **read_fields(fields)}
        return command(*arguments, prepared=PreparedModel(options, how), **given)

    return together(
        click.option("--manifest", metavar="JSON", help="What the model wants; else recognised."),
        click.option(
            "--set", "fields", metavar="FIELD=VALUE", multiple=True,
            help="A field of the manifest, such as foreground=15; repeatable.",
        ),
        click.option(
            "--profile", type=click.Choice(PROFILES), default="reference", show_default=True,
            help="Of a known model: prepare as its authors do, or as rembg does.",
        ),
        engine_options(NETWORK_PRECISIONS, names=engine),
    )(with_model)  # fmt: skip


def read_manifest(path: str | None) -> dict[str, Any]:
    """The fields of a manifest file."""
    if path is None:
        return {}
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise ArgumentError(f"--manifest {path}: {error.strerror}") from error
    return dict(vars(ModelManifest.from_json(text, path)))


def read_fields(given: tuple[str, ...]) -> dict[str, Any]:
    """``("foreground=[1,2]", "activation=none")`` as fields: JSON, or a plain word."""
    fields = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise click.BadParameter(f"--set {text}: expected FIELD=VALUE")
        try:
            fields[name] = json.loads(value)
        except ValueError:
            fields[name] = value
    return fields
