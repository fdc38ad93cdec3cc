"""``pyhades bench segmentation``: networks alone, or pictures from a file to a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pyhades.bench import segmentation as networks
from pyhades.bench.pictures import measuring
from pyhades.cli.bench_networks import measure_networks
from pyhades.cli.bench_pictures import measure_pictures
from pyhades.cli.options import POSITIVE, Decorator, engine_options, parse_counts, together
from pyhades.cli.targets import check_apart
from pyhades.options import EngineOptions

DISTURB = click.option(
    "--disturb", is_flag=True, help="Once more beside a busy process pinned to one core."
)
RIVALS = tuple(dict.fromkeys([*networks.RIVALS, *measuring.RIVALS]))
SIZES = "640x480,1155x866,4000x3000"
"""Of pictures that are made: 0.3, 1 and 12 megapixels."""


def parse_sizes(
    context: click.Context, option: click.Parameter, text: str
) -> list[tuple[int, int]]:
    """Read ``"640x480,4000x3000"`` as pairs of width and height."""
    found = [re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", part.strip()) for part in text.split(",")]
    sizes = [(int(one[1]), int(one[2])) for one in found if one is not None]
    if len(sizes) != len(found):
        raise click.BadParameter(f"{text!r} is not a list of sizes like 640x480,4000x3000")
    return sizes


def parse_rivals(
    context: click.Context, option: click.Parameter, texts: Sequence[str]
) -> tuple[str, ...]:
    """Read ``"onnxruntime,rembg"``, given once or more, as a list of known names."""
    names = [name.strip() for text in texts for name in text.split(",")]
    for name in names:
        if name not in RIVALS:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(RIVALS)}")
    return tuple(dict.fromkeys(names))


OF_NETWORKS: tuple[Decorator[Any], ...] = (
    click.option("--runs", type=click.IntRange(min=1), default=15, show_default=True,
                 help="Of networks alone."),
    click.option("--tune", is_flag=True, help="Ours measures which algorithms are fastest before."),
    DISTURB,
)  # fmt: skip
OF_PICTURES: tuple[Decorator[Any], ...] = (
    click.option("--images", type=click.IntRange(min=1), metavar="N",
                 help="Pictures that are made, of each size, instead of DIR."),
    click.option("--size", "sizes", callback=parse_sizes, default=SIZES, show_default=True,
                 metavar="LIST", help="Of pictures that are made."),
    click.option("--seed", type=int, default=0, show_default=True, help="Of these pictures."),
    click.option("--workers", callback=parse_counts, default="1", show_default=True,
                 metavar="LIST", help="How many pictures at once."),
    click.option("--threads-per-worker", type=click.IntRange(min=1), default=1,
                 show_default=True),
    click.option("--seconds", type=POSITIVE, default=5.0,
                 show_default=True, help="Of a stretch."),
    click.option("--stretches", type=click.IntRange(min=1), default=3, show_default=True,
                 help="Of each engine, in turn."),
    click.option("--cold", is_flag=True, help="Once more with files that are not in memory."),
    click.option("--price", type=POSITIVE, metavar="USD",
                 help="Of this machine for an hour."),
    click.option("--output", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
                 help="Where results are written; by default a temporary folder."),
    click.option("--markdown", "markdown_file", metavar="FILE", help="Write all tables there."),
    click.option("--plot", "plot_file", metavar="FILE", help="Draw speed and stages there."),
)  # fmt: skip


@click.command("segmentation")
@click.argument("folders", nargs=-1, metavar="[DIR]...", type=click.Path(path_type=Path))
@click.option("--model", "models", multiple=True, help="ONNX file; repeatable without pictures.")
@engine_options(
    networks.PRECISIONS, several=["threads", "precision"], threads="1", precision="fp32"
)
@click.option(
    "--rival", "rivals", multiple=True, callback=parse_rivals, metavar="LIST",
    help=f"Run in turn with us: {', '.join(RIVALS)}.",
)  # fmt: skip
@together(*OF_NETWORKS, *OF_PICTURES)
@click.option("--json", "json_file", metavar="FILE", help="Write the results there.")
def command(
    folders: tuple[Path, ...],
    models: tuple[str, ...],
    options: EngineOptions,
    images: int | None,
    **given: Any,
) -> None:
    """Time networks alone; or, with pictures, everything from a file to a PNG file.

    Pictures are those of each DIR, or made: --images. Each engine runs in a process of its own, and
    they take turns. Pictures are done by --workers, whole ones each; what more cores would do is
    predicted from what was measured, with all that went into it.

    Without pictures, every engine reads in int8 the file that its own quantiser made of MODEL.onnx,
    beside it: MODEL.pyhades-int8.onnx, MODEL.onnxruntime-int8.onnx, MODEL.openvino-int8.xml. What
    an engine refuses, bf16 on a CPU without AVX512_BF16 say, is printed with the reason.
    """
    for name in ("json_file", "markdown_file", "plot_file"):
        check_apart(given[name], *models)
    if folders and images is not None:
        raise click.UsageError("pictures are those of DIR, or made by --images: not both")
    if folders or images is not None:
        _refuse_given("with pictures", ("threads", "runs", "tune", "disturb"))
        measure_pictures(folders, models, options, images, **given)
        return
    of_pictures = ("sizes", "seed", "workers", "threads_per_worker", "seconds", "stretches", "cold",
                   "price", "output", "markdown_file", "plot_file")  # fmt: skip
    _refuse_given("without pictures (DIR or --images)", of_pictures)
    measure_networks(models, options, **given)


def _refuse_given(when: str, names: Sequence[str]) -> None:
    """Options that would do nothing are no options."""
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in names and source is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} means nothing {when}")
