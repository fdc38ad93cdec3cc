"""Pictures that code makes, like photographs to a codec: any number and size, all different."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades.arguments import check_count
from pyhades.errors import ArgumentError

SUFFIXES = (".jpg", ".png")
QUALITY = 90
"""Of JPEG."""
SHAPES = (3, 8)
"""Least and most in a picture."""
GRAIN = 5.0
"""Of the sensor, in levels: what keeps a sky from costing a codec nothing."""
OCTAVES = 8
FALL = 0.6
"""Of a texture: how many sizes of noise, and how strong each is beside the one before."""
PER_FOLDER = 1000
"""Files of one folder, where there are more."""

Planes = NDArray[np.float32]


def scene(number: int, size: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    """A picture, uint8 ``[height, width, 3]``: a graded background, textures, soft shapes, grain.

    Parameters
    ----------
    number
        Which one; no two are alike.
    size
        ``(width, height)`` in pixels.
    seed
        Of the whole set.

    Examples
    --------
    >>> one, other = scene(0, (60, 40)), scene(1, (60, 40))
    >>> one.shape, bool((one == other).all())
    ((40, 60, 3), False)
    """
    width, height = size
    random = np.random.default_rng((seed, number))
    picture = _gradient(random, width, height) + _clouds(random, width, height, strength=30)
    for _ in range(random.integers(*SHAPES, endpoint=True)):
        _paint_shape(random, picture)
    picture += GRAIN * random.standard_normal((height, width, 1), np.float32)
    pixels: NDArray[np.uint8] = np.clip(picture, 0, 255).astype(np.uint8)
    return pixels


def make_pictures(
    folder: Path,
    count: int,
    size: tuple[int, int],
    *,
    seed: int = 0,
    suffix: str = ".jpg",
    processes: int | None = None,
    report: Callable[[Path], object] = lambda path: None,
) -> list[Path]:
    """Write ``count`` pictures, in parallel; the same arguments make the same pictures.

    Raises
    ------
    ArgumentError
        Files of that kind are not made, or a number is below 1.
    """
    check_count("count", count)
    if suffix not in SUFFIXES:
        raise ArgumentError(f"suffix={suffix!r}: expected one of {', '.join(SUFFIXES)}")
    if len(size) != 2:
        raise ArgumentError(f"size={size!r}: expected width and height")
    for side in size:
        check_count("size", side)
    paths = [_path(folder, number, count, suffix) for number in range(count)]
    for parent in {path.parent for path in paths}:
        parent.mkdir(parents=True, exist_ok=True)
    write = partial(_write, size=size, seed=seed)
    # A fork of a process with threads may hang.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for path in pool.map(write, range(count), paths, chunksize=4):
            report(path)
    return paths


def _path(folder: Path, number: int, count: int, suffix: str) -> Path:
    name = f"{number:0{max(4, len(str(count - 1)))}d}{suffix}"
    return folder / (f"{number // PER_FOLDER:03d}/{name}" if count > PER_FOLDER else name)


def _write(number: int, path: Path, size: tuple[int, int], seed: int) -> Path:
    how: dict[str, Any] = {"quality": QUALITY} if path.suffix == ".jpg" else {"compress_level": 1}
    Image.fromarray(scene(number, size, seed)).save(path, **how)
    return path


def _colour(random: np.random.Generator) -> Planes:
    return random.uniform(20, 235, 3).astype(np.float32)


def _gradient(random: np.random.Generator, width: int, height: int) -> Planes:
    """From one colour to another, in a direction."""
    angle = random.uniform(0, 2 * np.pi)
    across = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :, None]
    down = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None, None]
    share = 0.5 + np.float32(np.cos(angle)) * across + np.float32(np.sin(angle)) * down
    first, second = _colour(random), _colour(random)
    graded: Planes = first + np.clip(share, 0, 1) * (second - first)
    return graded


def _clouds(random: np.random.Generator, width: int, height: int, strength: float) -> Planes:
    """Noise of several sizes, coarse ones strong: the statistics of what is out of doors."""
    summed = np.zeros((height, width, 1), np.float32)
    for octave in range(OCTAVES):
        cells = 3 * 2**octave
        shape = (max(2, cells * height // max(width, height)), max(2, cells))
        coarse = Image.fromarray(random.standard_normal(shape).astype(np.float32))
        fine = coarse.resize((width, height), Image.Resampling.BICUBIC)
        summed += (strength * FALL**octave) * np.asarray(fine)[..., None]
    return summed


def _paint_shape(random: np.random.Generator, picture: Planes) -> None:
    """A blob with lobes, a texture of its own and an edge that is more or less in focus."""
    height, width = picture.shape[:2]
    centre = random.uniform(0.15, 0.85, 2) * (height, width)
    radius = random.uniform(0.06, 0.28) * min(height, width) + 1
    reach = int(radius * 1.7) + 2
    top, left = (max(0, int(at) - reach) for at in centre)
    bottom, right = (min(m, int(at) + reach) for at, m in zip(centre, (height, width), strict=True))
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
    y, x = y - np.float32(centre[0]), x - np.float32(centre[1])
    lobes, depth, turn = random.integers(0, 7), random.uniform(0, 0.35), random.uniform(0, 6)
    outline = 1 + depth * np.sin(lobes * np.arctan2(y, x) + turn)
    softness = radius * random.choice([0.01, 0.04, 0.15]) + 0.7
    cover = np.clip((radius * outline - np.hypot(x, y)) / softness + 0.5, 0, 1)[..., None]
    lit = (x / radius * 25)[..., None]
    texture = _clouds(random, right - left, bottom - top, random.uniform(3, 25))
    patch = picture[top:bottom, left:right]
    patch += cover.astype(np.float32) * (_colour(random) + lit + texture - patch)
