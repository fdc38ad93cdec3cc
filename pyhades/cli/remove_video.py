"""A clip: its frames one after the other, with a bar."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click
from tqdm import tqdm

from pyhades.cli.remove_options import Request
from pyhades.cli.remove_progress import tell
from pyhades.cli.signals import ending
from pyhades.cli.streams import STANDARD
from pyhades.errors import ConfigurationError, PyhadesError
from pyhades.segmentation.bulk.sources.patterns import PLAIN
from pyhades.segmentation.image.write import WriteOptions
from pyhades.segmentation.remover import Remover
from pyhades.segmentation.video import VIDEO_SUFFIXES, check_target, remove_video


def is_clip(request: Request) -> bool:
    """Whether a clip is to be cut out.

    Raises
    ------
    click.UsageError
        It is not alone.
    """
    files = [Path(name) for name in request.inputs if not Path(name).is_dir()]
    if not any(path.suffix.lower() in VIDEO_SUFFIXES for path in files):
        return False
    if len(request.inputs) > 1 or request.is_bulk:
        raise click.UsageError("a clip is done alone, without options of runs through pictures")
    return True


def remove_clip(request: Request, make: Callable[[], Remover]) -> int:
    """Cut it out; the exit code.

    Parameters
    ----------
    request
        What is to be done.
    make
        Makes the remover, once it is known that the result has a place.

    Raises
    ------
    click.UsageError
        It has none.
    """
    if request.skip_existing and Path(request.out).is_file():
        tell(f"{request.out} exists, and is as it was")
        return 0
    target = _target(request)
    with ending(), make() as remover:
        return _remove(remover, request, target)


def _target(request: Request) -> Path:
    (source,) = request.inputs
    if request.out == STANDARD:
        raise click.UsageError("a clip does not go to standard output; name a file or a folder")
    if request.name_pattern != PLAIN:
        raise click.UsageError("--name-pattern is of pictures; frames have numbers")
    if (
        request.first_frame
        or request.suffix != "png"
        or request.writing != WriteOptions(request.writing.png)
    ):
        raise click.UsageError(
            "--format, --quality, --lossless, --bits, --strip and --first-frame are of pictures; a "
            "clip becomes a .webm, a .mov or a folder of PNG files"
        )
    try:
        return check_target(source, request.out, overwrite=request.overwrite)
    except ConfigurationError:
        raise
    except PyhadesError as error:
        raise click.UsageError(str(error)) from error


def _remove(remover: Remover, request: Request, target: Path) -> int:
    (source,) = request.inputs
    hidden = True if request.quiet else None  # None: where nobody looks
    with tqdm(unit="frame", disable=hidden, file=sys.stderr, dynamic_ncols=True) as bar:

        def advance(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        try:
            remove_video(
                remover, source, target, request.output, request.background,
                finish=request.finish, png=request.writing.png,
                overwrite=request.overwrite, progress=advance,
            )  # fmt: skip
        except (PyhadesError, OSError) as error:
            tell(f"error: {error}" if source in str(error) else f"error: {source}: {error}")
            return 1
    return 0
