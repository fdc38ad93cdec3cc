"""A checkpoint becomes a packed file, which loads by mapping it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from pyhades.errors import ArgumentError, ConfigurationError
from pyhades.formats import SafetensorsWriter
from pyhades.llm.checkpoint.locating import hides
from pyhades.llm.models import Checkpoint, open_checkpoint
from pyhades.llm.models.packed import TOKENIZER_JSON, VOCABULARY, metadata_of
from pyhades.llm.precision.loading import packed_shapes, progress_bar, recipe_for
from pyhades.llm.precision.packing import make, nbytes, plan
from pyhades.llm.text.tokenizer_files import tokenizer_contents


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    precision: str | None = None,
    *,
    error_budget: float | None = None,
    calibration: Sequence[int] | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Path:
    """Pack a checkpoint into one file that loads by mapping it, on any CPU.

    The file appears under its name only when it is complete.

    Parameters
    ----------
    source
        Any checkpoint that :func:`~pyhades.llm.models.open_checkpoint` opens.
    target
        The file to write, ``NAME.safetensors`` say.
    precision, error_budget, calibration
        As in :func:`~pyhades.llm.precision.loading.load_weights`; ``"auto"`` packs the model in
        memory first.
    overwrite
        Replace a file that exists.
    progress
        Show a bar, where standard error is a terminal.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ArgumentError
        The target exists, is a folder or would replace the source, the source is packed already,
        or there is no such precision.
    ConfigurationError
        There is too little room on the disk.
    ModelError
        The source is damaged or of an architecture that is not known.
    """
    path = Path(target).expanduser()
    if path.is_dir():
        raise ArgumentError(f"{path} is a folder; name the file to write")
    if path.exists() and not overwrite:
        raise ArgumentError(f"{path} exists; choose another name, or ask to overwrite it")
    checkpoint = open_checkpoint(source)
    _check_apart(checkpoint, path)
    if checkpoint.packed is not None:
        raise ArgumentError(f"{checkpoint.source} is packed already; name the original checkpoint")
    recipe = recipe_for(checkpoint, precision, error_budget, calibration, progress=progress)
    items = plan(checkpoint, recipe)
    texts = _tokenizer_texts(checkpoint)
    types = {name: described for item in items for name, described in item.types.items()}
    types |= {name: ("U8", (len(text),)) for name, text in texts.items()}
    total = sum(map(nbytes, items)) + sum(map(len, texts.values()))
    metadata = metadata_of(
        checkpoint.config,
        recipe.precision,
        recipe.activations,
        packed_shapes(items),
        None if recipe.report is None else recipe.report.to_json(),
    )
    with _appearing(path, total) as file, progress_bar("converting", total, progress) as bar:
        writer = SafetensorsWriter(file, types, metadata)
        for item, arrays in make(checkpoint, items):
            for name, array in arrays.items():
                writer.write(name, array)
            bar.update(nbytes(item))
        for name, text in texts.items():
            writer.write(name, np.frombuffer(text, np.uint8))
        writer.finish()
    return path


def _check_apart(checkpoint: Checkpoint, target: Path) -> None:
    """ArgumentError where the packed file would take the place of a file that it is made from.

    Two names may be one file. In the folder of the source, a new file may be one that is read in
    place of the others from then on.
    """
    files = [file.path for file in checkpoint.files]
    if isinstance(checkpoint.tokenizer_json, Path):
        files.append(checkpoint.tokenizer_json)
    folders = {file.parent for file in files}
    files += [path for folder in folders for path in folder.glob("*.json")]
    for file in files:
        if target.exists() and target.samefile(file):
            raise ArgumentError(
                f"{target} is {file}, a file of the source, which the result would replace; "
                "choose another target"
            )
    is_folder = checkpoint.source.is_dir()
    if is_folder and hides(target.parent.resolve() / target.name, {f.resolve() for f in folders}):
        raise ArgumentError(
            f"{target} lies in the folder of the source, which would not be read as before; "
            "choose a target outside of it"
        )


def _tokenizer_texts(checkpoint: Checkpoint) -> dict[str, bytes]:
    """What the packed file keeps of the tokenizer."""
    source = checkpoint.tokenizer_json
    if source is not None:
        whole = source if isinstance(source, bytes) else tokenizer_contents(source)
        return {TOKENIZER_JSON: whole}
    if checkpoint.vocabulary is not None:
        return {VOCABULARY: json.dumps(checkpoint.vocabulary, default=_as_list).encode()}
    return {}


def _as_list(value: Any) -> Any:
    return value.tolist()


@contextmanager
def _appearing(path: Path, nbytes: int) -> Iterator[IO[bytes]]:
    """A file beside ``path`` that takes its name when the block ends well, and else goes away."""
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if free < nbytes:
        raise ConfigurationError(
            f"{path.parent} has room for {free / 1e9:.1f} GB, the packed model needs "
            f"{nbytes / 1e9:.1f} GB"
        )
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
