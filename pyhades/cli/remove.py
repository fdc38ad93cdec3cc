"""``pyhades remove``."""

from __future__ import annotations

import os
from typing import Any

import click
from click.core import ParameterSource

from pyhades.cli.model import PreparedModel, model_options
from pyhades.cli.options import together
from pyhades.cli.remove_bulk import remove_many
from pyhades.cli.remove_finish import finish_options
from pyhades.cli.remove_one import One, is_one, remove_one
from pyhades.cli.remove_options import Request, bulk_options, result_options
from pyhades.cli.remove_out import check_out
from pyhades.cli.remove_video import is_clip, remove_clip
from pyhades.cli.signals import ending
from pyhades.engines import Pyhades, engine_of
from pyhades.segmentation.image.limits import MAX_PIXELS
from pyhades.segmentation.remover import Remover

MODEL = "ONNX file, or a name of 'pyhades models list'; default: the embedded demonstration model."

remover_options = together(
    click.option("--model", metavar="MODEL", help=MODEL),
    click.option(
        "--engine", "engines", multiple=True, metavar="NAME[:PROVIDER]",
        help="pyhades (default), onnxruntime, onnxruntime:cuda; several, repeated or with commas, "
        "share the pictures, the fastest first.",
    ),
    click.option(
        "--engine-batch", type=click.IntRange(min=1), metavar="N",
        help="Pictures that onnxruntime takes at once; default: 1 on a CPU, else 8.",
    ),
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
    click.option(
        "--max-pixels", type=click.IntRange(min=1), default=MAX_PIXELS, metavar="N",
        help="Of a picture; a larger one fails before it is decoded. Default: 250 million.",
    ),
    model_options,
)  # fmt: skip
"""Of every command that cuts out pictures."""


def make_remover(
    model: str | None, prepared: PreparedModel, *, download: bool, offline: bool,
    engines: tuple[str, ...], engine_batch: int | None, **others: Any,
) -> Remover:  # fmt: skip
    """Build the remover that the options of :func:`remover_options` describe."""
    if download and offline:
        raise click.UsageError("--download fetches and --offline forbids it")
    for name in ("calibration", "budget"):
        if others.get(name) is not None and prepared.options.precision not in ("int8", "auto"):
            raise click.UsageError(f"--{name} is for --precision int8 and auto")
    engine = engine_of(",".join(engines) or None, batch=engine_batch)
    if engine_batch is not None and isinstance(engine, Pyhades):
        raise click.UsageError("--engine-batch is for --engine onnxruntime")
    return Remover(
        model, options=prepared.options, engine=engine, download=download, **others, **prepared.how
    )


class Repeated(click.Command):
    """Remembers what it was called with, for processes that do a part of it each."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments."""
        ctx.meta["pyhades.arguments"] = list(args)
        return super().parse_args(ctx, args)


@click.command("remove", cls=Repeated)
@click.argument("inputs", metavar="[INPUT]...", nargs=-1)
@click.option("-o", "--out", required=True, help="File, folder, URL, or - for standard output.")
@remover_options
@result_options
@finish_options
@bulk_options
@click.pass_context
def command(ctx: click.Context, /, inputs: tuple[str, ...], out: str, **given: Any) -> None:
    """Remove the background of images: files, folders, or - for standard input.

    A folder's tree is mirrored under OUT. Results appear all at once or not at all, and an existing
    one is left alone without --overwrite. A file that fails is reported by name and does not stop
    the others. What was stopped, or killed, goes on with --resume.

    A clip becomes a .webm, a .mov or a folder of PNG files, and needs pyhades[video].
    """
    _refuse_empty(ctx)
    request = Request.of(inputs, out, given)
    request.check(model=given.get("model"))
    if is_clip(request):
        ctx.exit(remove_clip(request, lambda: make_remover(**given)))
    is_single = is_one(request)
    named = ctx.get_parameter_source("suffix") is ParameterSource.COMMANDLINE
    check_out(
        request.out, is_single=is_single, why_many=request.why_many(),
        suffix=request.suffix if named else None,
    )  # fmt: skip
    one = One.of(request) if is_single else None
    if one is None:
        request.check_writing()
    if request.cpus is not None:  # before threads are made
        os.sched_setaffinity(0, {int(cpu) for cpu in request.cpus.split(",")})
    with ending(), make_remover(**given) as remover:
        if one is not None:
            code = remove_one(remover, request, one)
        else:
            code = remove_many(remover, request, ctx.meta["pyhades.arguments"])
    ctx.exit(code)


def _refuse_empty(ctx: click.Context) -> None:
    """An empty text is a variable that is not set, and never means the current folder."""
    for parameter in ctx.command.params:
        value = ctx.params.get(parameter.name or "")
        if value == "" or (isinstance(value, tuple) and "" in value):
            name = parameter.opts[-1] if isinstance(parameter, click.Option) else "an INPUT"
            raise click.UsageError(f"{name} is empty; is a variable not set?")
