"""``pyhades remove``."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from pyhades.cli.model import PreparedModel, model_options
from pyhades.cli.options import together
from pyhades.cli.targets import Job, check_apart, plan_jobs, write_atomically
from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.overlap import overlap
from pyhades.segmentation.compose import Background
from pyhades.segmentation.cutout import Cutout
from pyhades.segmentation.image_input import load_image
from pyhades.segmentation.png import Compression
from pyhades.segmentation.remover import Remover

STANDARD = "-"


MODEL = "ONNX file, or a name of 'pyhades models list'; default: the embedded demonstration model."

remover_options = together(
    click.option("--model", metavar="MODEL", help=MODEL),
    click.option("--download", is_flag=True, help="Fetch a named model that is not here."),
    click.option("--offline", is_flag=True, help="Fetch nothing, whatever else is said."),
    click.option(
        "--check/--no-check", default=None,
        help="Try a model on pictures that ship here and warn if its masks are none; "
        "default: where its meaning was guessed.",
    ),
    click.option(
        "--calibration", type=click.Path(exists=True, file_okay=False), metavar="DIR",
        help="Pictures that --precision int8 and auto look at; default: some that ship.",
    ),
    click.option(
        "--budget", metavar="LIMITS",
        help="What masks of int8 may differ by, such as mae=.002,iou=.997: auto keeps to it.",
    ),
    model_options,
)  # fmt: skip
"""Of every command that cuts out pictures."""


def make_remover(
    model: str | None, prepared: PreparedModel, *, download: bool, offline: bool, **others: Any
) -> Remover:
    """Build the remover that the options of :func:`remover_options` describe."""
    if download and offline:
        raise click.UsageError("--download fetches and --offline forbids it")
    for name in ("calibration", "budget"):
        if others.get(name) is not None and prepared.options.precision not in ("int8", "auto"):
            raise click.UsageError(f"--{name} is for --precision int8 and auto")
    return Remover(model, options=prepared.options, download=download, **others, **prepared.how)


@click.command("remove")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("-o", "--out", required=True, help="File, folder, or - for standard output.")
@remover_options
@click.option("--only-mask", is_flag=True, help="Write the matte in grey.")
@click.option("--background", help="Colour, image file or 'blur' to put the foreground on.")
@click.option(
    "--recursive/--no-recursive", default=True, help="Sub-folders of an input folder too."
)
@click.option("--overwrite", is_flag=True, help="Replace results that exist.")
@click.option(
    "--format",
    "suffix",
    default="png",
    show_default=True,
    type=click.Choice(["png", "webp", "tif", "jpg"]),
    help="Of files in an output folder.",
)
@click.option(
    "--png",
    default="fast",
    show_default=True,
    type=click.Choice(["fast", "balanced", "small"]),
    help="Speed against size.",
)
@click.option(
    "--foreground/--no-foreground",
    "estimate_foreground",
    default=True,
    help="Free soft edges of the background's colour (default).",
)
@click.option("--keep-hidden", is_flag=True, help="Keep the colour of fully transparent pixels.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
@click.pass_context
def command(
    ctx: click.Context, /, inputs: tuple[str, ...], out: str, only_mask: bool,
    background: str | None, recursive: bool, overwrite: bool, suffix: str, png: Compression,
    quiet: bool, **model: Any,
) -> None:  # fmt: skip
    """Remove the background of images: files, folders, or - for standard input.

    A folder's tree is mirrored under OUT. Results appear all at once or not at all, and an existing
    one is left alone without --overwrite. A file that fails is reported by name and does not stop
    the others.
    """
    if only_mask and background is not None:
        raise click.UsageError("--only-mask has no colours to put on a --background")
    if suffix == "jpg" and not only_mask and background is None:
        raise click.UsageError("--format jpg has no transparency; add --background or --only-mask")
    streams = STANDARD in inputs or out == STANDARD
    if streams and len(inputs) > 1:
        raise click.UsageError("standard input and output take a single image")
    jobs = [] if streams else _plan(inputs, out, recursive, suffix)
    targets: list[str | Path] = [out, *(job.target for job in jobs)]
    for target in targets:
        check_apart(target, background, model.get("model"))
    encode = functools.partial(
        Cutout.encode,
        output="mask" if only_mask else "rgba",
        background=None if background is None else Background(background),
        png=png,
    )
    with make_remover(**model) as remover:
        if streams:
            _check_stream_target(out, overwrite)
            ok = _remove_stream(remover, inputs[0], out, suffix, encode)
        else:
            ok = _remove_files(remover, jobs, encode, overwrite=overwrite, quiet=quiet)
    ctx.exit(0 if ok else 1)


def _plan(inputs: tuple[str, ...], out: str, recursive: bool, suffix: str) -> list[Job]:
    paths = [Path(name) for name in inputs]
    return plan_jobs(paths, Path(out), recursive=recursive, suffix=f".{suffix}")


def _remove_files(
    remover: Remover, jobs: list[Job], encode: Callable[..., bytes], *, overwrite: bool, quiet: bool
) -> bool:
    """Process all jobs; whether all went well."""

    def load(job: Job) -> tuple[Job, Any]:
        if job.target.exists() and not overwrite:
            raise ArgumentError(f"{job.target} exists; pass --overwrite to replace it")
        return job, load_image(job.source)

    def predict(loaded: tuple[Job, Any]) -> tuple[Job, Cutout]:
        job, image = loaded
        return job, remover.cut(image)

    def finish(predicted: tuple[Job, Cutout]) -> None:
        job, cutout = predicted
        write_atomically(job.target, encode(cutout, suffix=job.target.suffix))

    failures = 0
    hidden = True if quiet else None
    with tqdm(total=len(jobs), unit="image", disable=hidden, file=sys.stderr) as progress:
        for job, result in overlap(jobs, load, predict, finish):
            progress.update()
            if isinstance(result, Exception):
                failures += 1
                progress.write(_described(job, result), file=sys.stderr)
    if len(jobs) > 1 or failures:
        click.echo(f"{len(jobs) - failures} of {len(jobs)} images done", err=True)
    return failures == 0


def _described(job: Job, error: Exception) -> str:
    text = str(error) or type(error).__name__
    return f"error: {text}" if str(job.source) in text else f"error: {job.source}: {text}"


def _check_stream_target(out: str, overwrite: bool) -> None:
    if out != STANDARD and Path(out).is_dir():
        raise ArgumentError(f"{out} is a folder; name a file for the result of standard input")
    if out != STANDARD and os.path.lexists(out) and not overwrite:
        raise ArgumentError(f"{out} exists; pass --overwrite to replace it")


def _remove_stream(
    remover: Remover, source: str, out: str, suffix: str, encode: Callable[..., bytes]
) -> bool:
    data = sys.stdin.buffer.read() if source == STANDARD else Path(source)
    name = "standard input" if source == STANDARD else None
    try:
        cutout = remover.cut(load_image(data, name=name))
        if out == STANDARD:
            sys.stdout.buffer.write(encode(cutout, suffix=f".{suffix}"))
            sys.stdout.buffer.flush()
        else:
            write_atomically(Path(out), encode(cutout, suffix=Path(out).suffix or f".{suffix}"))
    except Exception as error:
        click.echo(f"error: {error}", err=True)
        return False
    return True
