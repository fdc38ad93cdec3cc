"""A clip in, a clip out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pyhades.errors import ArgumentError, ImageError
from pyhades.segmentation.bulk.sinks.parts import part_name, release
from pyhades.segmentation.compose import BackgroundLike
from pyhades.segmentation.cutout import Output
from pyhades.segmentation.finish import Finish
from pyhades.segmentation.image.png import Compression
from pyhades.segmentation.remover import Remover
from pyhades.segmentation.video.clip import Clip, pyav
from pyhades.segmentation.video.film import KINDS, Film, PngFolder


def remove_video(
    remover: Remover,
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    output: Output = "rgba",
    background: BackgroundLike | None = None,
    *,
    finish: Finish | None = None,
    png: Compression = "fast",
    overwrite: bool = False,
    progress: Callable[[int, int | None], object] | None = None,
) -> int:
    """Cut out every frame of a clip.

    A recurrent network carries what it saw from frame to frame, see
    :meth:`~pyhades.segmentation.remover.Remover.frames`. Frames keep their times. Sound is copied
    where the container takes it, and encoded anew elsewhere.

    Parameters
    ----------
    remover
        What cuts them out.
    source
        A file that FFmpeg reads.
    target
        ``.webm`` (VP9) or ``.mov`` (ProRes 4444); any other name is that of a new folder, for a
        PNG file per frame. It is there as a whole or not at all.
    output, background, finish
        See calling a remover. Frames of a film are all of one size: a crop needs a canvas.
    png
        Compression of PNG files.
    overwrite
        Replace a file that is there. A folder that holds something is never replaced.
    progress
        Called with the number of frames that are done, and of all, None where nobody knows.

    Returns
    -------
    int
        How many frames there were.

    Raises
    ------
    ArgumentError
        The target exists, or is the source, or has a suffix of something else.
    ConfigurationError
        PyAV is not installed: ``pip install 'pyhades[video]'``.
    ImageError
        The clip cannot be read, or has no frames.
    OSError
        The result cannot be written.

    Examples
    --------
    >>> with Remover("rvm") as remover:                                # doctest: +SKIP
    ...     remove_video(remover, "clip.mp4", "cutout.webm")
    """
    path = check_target(source, target, overwrite=overwrite)
    kind = KINDS.get(path.suffix.lower())
    count = 0
    with _as_os_error(path), Clip(Path(source)) as clip, _part_of(path) as part:
        film = PngFolder(part, clip, png) if kind is None else Film(part, kind, clip)
        with closing(film):
            for picture in remover.frames(clip.frames(), output, background, finish=finish):
                film.write(picture)
                count += 1
                if progress is not None:
                    progress(count, clip.count)
            if not count:
                raise ImageError(f"{source}: there are no frames in it")
            film.finish()
    return count


def check_target(
    source: str | os.PathLike[str], target: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """The target as a path, before any work is done; see :func:`remove_video` for what it may be.

    Raises
    ------
    ArgumentError
        It exists, or is the source, or has a suffix of something else.
    ConfigurationError
        PyAV is not installed.
    """
    pyav()
    path = Path(target)
    suffix = path.suffix.lower()
    if suffix and suffix not in KINDS and not os.fspath(target).endswith("/"):
        raise ArgumentError(
            f"{path}: clips are written as {' or '.join(KINDS)}, which have transparency, or as a "
            f"folder of PNG files; write {path}/ for one of that name"
        )
    if path.is_dir():
        if suffix in KINDS or any(path.iterdir()):
            raise ArgumentError(f"{path} is a folder that holds something; name a new one")
    elif os.path.lexists(path):
        if suffix not in KINDS:
            raise ArgumentError(f"{path} is a file; name a new folder")
        if path.exists() and Path(source).exists() and path.samefile(source):
            raise ArgumentError(f"{path} is the clip that is read; choose another name")
        if not overwrite:
            raise ArgumentError(f"{path} exists; say that it is to be replaced (overwrite)")
    return path


@contextmanager
def _as_os_error(path: Path) -> Iterator[None]:
    """What FFmpeg says while ``path`` is written; of the clip it was told before, as ImageError."""
    try:
        yield
    except pyav().FFmpegError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """A name beside ``path`` to write to, which becomes it at the end; gone after an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / part_name()
    try:
        yield part
        part.replace(path)
    finally:
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)
        release(part.name)
