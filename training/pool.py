"""A pool of composed scenes on disk, in shards that several processes fill.

Composing a scene costs about as much as training on it, so scenes are kept and every epoch sees
them again, augmented. Shard `k` holds the scenes of seeds ``k * SHARD`` onwards; a shard appears
under its name only when it is complete, so an interrupted build continues where it was.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.scenes import compose

SHARD = 250
HELD_OUT = 1 << 40  # seeds from here on are never trained on

Pixels = NDArray[np.uint8]


def stack(seeds: range, side: int) -> Pixels:
    """Compose scenes as uint8 ``[n, side, side, 4]``: RGB and alpha."""
    scenes = (compose(seed, (side, side)) for seed in seeds)
    return np.stack([np.dstack([scene.image, scene.alpha]) for scene in scenes])


def shard_path(folder: Path, index: int, side: int) -> Path:
    """Name the file of a shard."""
    return folder / f"scenes-{side}-{index:05d}.npy"


def _write(task: tuple[Path, int, int, int]) -> Path:
    folder, index, side, scenes = task
    path = shard_path(folder, index, side)
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    with unfinished.open("wb") as file:
        np.save(file, stack(range(index * scenes, (index + 1) * scenes), side))
    unfinished.replace(path)
    return path


def fill(
    folder: Path, shards: int, side: int, workers: int = 1, scenes: int = SHARD
) -> Iterator[Path]:
    """Write the shards of `scenes` scenes that are missing; yields each path once complete."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [k for k in range(shards) if not shard_path(folder, k, side).exists()]
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) as processes:
        yield from processes.imap(_write, [(folder, index, side, scenes) for index in missing])


def load(folder: Path, shards: int, side: int) -> list[Pixels]:
    """Map the shards that exist already."""
    paths = (shard_path(folder, index, side) for index in range(shards))
    return [np.load(path, mmap_mode="r") for path in paths if path.exists()]
