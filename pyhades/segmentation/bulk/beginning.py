"""What the arguments of a run mean."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pyhades.arguments import check_flag
from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.manifest import beside, read_lines
from pyhades.segmentation.bulk.rendering import Rendering
from pyhades.segmentation.bulk.rules import Sink
from pyhades.segmentation.bulk.settings import Settings
from pyhades.segmentation.bulk.sinks.files import FileSink, Sync
from pyhades.segmentation.bulk.sinks.urls import UrlSink
from pyhades.segmentation.bulk.sources.opening import InputLike
from pyhades.segmentation.bulk.sources.urls import is_url
from pyhades.segmentation.compose import Background, BackgroundLike
from pyhades.segmentation.cutout import Output, output_of
from pyhades.segmentation.finish import Finish
from pyhades.segmentation.image.write import WriteOptions, check_output


def rendering_of(
    output: Output,
    background: BackgroundLike | None,
    suffix: str,
    options: WriteOptions | None = None,
    *,
    first_frame: bool = False,
    finish: Finish | None = None,
) -> Rendering:
    """What is made of cut-outs; whatever cannot be is refused before the first."""
    output = output_of(output, background, finish)
    options = options or WriteOptions()
    check_output(suffix, output, background, options)
    behind = None if background is None else Background(background)
    first_frame = check_flag("first_frame", first_frame)
    return Rendering(output, behind, suffix, options, first_frame, finish)


def files_among(*given: object) -> list[Path]:
    """Those that are paths of files."""
    paths = [Path(value) for value in given if isinstance(value, str | os.PathLike)]
    return [path for path in paths if path.is_file()]


def listed(inputs: InputLike | Sequence[InputLike]) -> Sequence[InputLike]:
    """One or several, as several."""
    if isinstance(inputs, Sequence) and not isinstance(inputs, str):
        return inputs
    return [inputs]


def sink_of(destination: str | os.PathLike[str], sync: Sync) -> tuple[Sink, Path | None]:
    """Where results go, and the same as a folder where it is one."""
    text = os.fspath(destination)
    if not text:
        raise ArgumentError("destination is an empty text, not a path; is a variable not set?")
    if is_url(text):
        return UrlSink(text), None
    root = Path(text)
    if os.path.lexists(root) and not root.is_dir():
        raise ArgumentError(f"destination={text!r} is a file, where a folder should be")
    return FileSink(root, sync), root


def manifest_path(given: str | os.PathLike[str] | None, root: Path | None) -> Path:
    """Where the manifest lies."""
    if given is not None:
        return Path(given)
    if root is None:
        raise ArgumentError(
            "manifest is missing (--record): results that go to a URL need a file on this machine"
        )
    return beside(root)


def earlier_results(
    root: Path | None, manifest: Path, inputs: Sequence[InputLike], settings: Settings
) -> dict[str, int] | None:
    """Files among the inputs that are no pictures, as runs have made them of pictures.

    They are paths with their sizes; None where results lie elsewhere.
    """
    if root is None or not _is_among(root, inputs):
        return None
    if settings.follows or settings.shard.count > 1:
        raise ArgumentError(
            f"{root}: results would come to lie among the pictures of a folder that is "
            "followed, or shared with other processes, and be taken for pictures; choose "
            "another destination"
        )
    place = root.resolve()
    lines = read_lines(manifest) if manifest.is_file() else iter(())
    return {
        str(place / line["output"]): line["output_bytes"]
        for line in lines
        if line.get("status") == "done" and "output" in line and "output_bytes" in line
    }


def _is_among(root: Path, inputs: Sequence[InputLike]) -> bool:
    """Whether results lie where pictures are looked for: in one of the folders, or in one above.

    (A folder of results below is left out as a whole.)
    """
    folders = [Path(i).resolve() for i in inputs if isinstance(i, str | os.PathLike) if i]
    place = root.resolve()
    return any(place in (folder, *folder.parents) for folder in folders if folder.is_dir())
