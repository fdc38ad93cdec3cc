"""Runs in processes of their own, which tests may kill; and what they are made of."""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pyhades import BulkRun
from pyhades.segmentation import ModelManifest, Remover
from pyhades.segmentation.bulk.manifest import NAME, beside
from pyhades.segmentation.bulk.passage import Passage
from pyhades.segmentation.bulk.sinks import whole

with contextlib.suppress(ImportError):
    # What tables need is there before a run begins: to import it may take longer than a run lives.
    import pyarrow.parquet

    pyarrow.array([0])  # looks for pandas, and imports it where it is

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload([__name__])


class BrightnessNetwork:
    """Bright is foreground, after a while."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds

    def __call__(self, planes: Any) -> Any:
        time.sleep(self._seconds)
        return planes.mean(axis=1, keepdims=True)

    def close(self) -> None:
        pass


def brightness(seconds: float = 0.0, **options: Any) -> Remover:
    manifest = ModelManifest("brightness", (16, 16))
    return Remover.from_network(BrightnessNetwork(seconds), manifest, threads=1, **options)


def picture(seed: int) -> np.ndarray:
    """A bright square on noise, uint8 [24, 32, 3]."""
    pixels = np.random.default_rng(seed).integers(0, 60, (24, 32, 3), np.uint8)
    pixels[6:18, 8:24] += 190
    return pixels


def encoded(seed: int, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture(seed)).save(buffer, kind)
    return buffer.getvalue()


def write_folder(root: Path, count: int) -> Path:
    """Pictures in a tree."""
    for number in range(count):
        path = root / f"d{number % 3}" / f"p{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(number))
    return root


def write_archive(path: Path, count: int, first: int = 0) -> Path:
    """Samples of a picture and a label each, as webdataset has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for number in range(first, first + count):
            for name, data in (
                (f"s{number:03d}.jpg", encoded(number, "JPEG")),
                (f"s{number:03d}.json", json.dumps({"label": number}).encode()),
            ):
                info = tarfile.TarInfo(name)
                info.size, info.mtime = len(data), 1_700_000_000 + number
                archive.addfile(info, io.BytesIO(data))
    return path


def write_table(path: Path, count: int, first: int = 0) -> Path:
    """Rows of a picture, an id and a label each, in row groups of 16."""
    import pyarrow
    from pyarrow import parquet

    numbers = range(first, first + count)
    columns = {
        "image": [encoded(number) for number in numbers],
        "id": [f"i{number}" for number in numbers],
        "label": list(numbers),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns), path, row_group_size=16)
    return path


def results(folder: Path) -> dict[str, bytes]:
    """Content of all files but the manifest."""
    found = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(NAME)]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(found)}


def lines(folder: Path) -> list[dict[str, Any]]:
    """Of the manifest, those of pictures and archives."""
    path = beside(folder)
    if not path.exists():
        return []
    parsed = [json.loads(text) for text in path.read_bytes().splitlines(keepends=True)
              if text.endswith(b"\n")]  # fmt: skip
    return [line for line in parsed if "input" in line]


def work(inputs: list[str], out: str, log: str, seconds: float, options: dict[str, Any]) -> None:
    """Do a run, and note every picture that is read."""
    plain = Passage._read

    def noting(run: Passage, item: Any) -> bytes:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, f"{item.key}\n".encode())
        os.close(descriptor)
        return plain(run, item)

    fill = whole._fill

    def slowly(descriptor: int, pieces: Any, sync: bool) -> None:
        fill(descriptor, _in_pieces(b"".join(pieces)), sync)

    if options.pop("needs_parts", False):
        whole._unnamed = lambda folder: None  # a file system that has no files without a name
    Passage._read = noting  # type: ignore[method-assign]
    whole._fill = slowly
    with brightness(seconds) as remover:
        run = BulkRun(inputs, out, remover=remover, workers=2, sync="none", **options)
        os._exit(0 if run.run().ok else 1)


def _in_pieces(data: bytes) -> Iterator[bytes]:
    """Slowly, so that a kill meets a file that is being written."""
    for start in range(0, len(data), 200):
        yield data[start : start + 200]
        time.sleep(0.0003)


def begin(inputs: list[Path], out: Path, log: Path, *, seconds: float = 0.002, **options: Any):
    """A process that does a run."""
    arguments = ([str(path) for path in inputs], str(out), str(log), seconds, options)
    process = SERVER.Process(target=work, args=arguments)
    process.start()
    return process
