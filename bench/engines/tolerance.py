"""By how much mattes of two engines differ, on the photographs that ship.

``python -m bench.engines.tolerance [MODEL ...]`` prints a table for the model that ships and for
those that are named. Each photograph is cut out at its own size and at 2000 pixels; the reference
is our engine with one thread. Numbers are steps of 1/255.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

import pyhades
from bench.engines.machine import machine_line
from pyhades.bench.pictures.markdown import table
from pyhades.engines import Engine, engine_of
from pyhades.segmentation.plausibility import SAMPLES

LONG_SIDE = 2000
"""Of the enlarged photographs, in pixels: mattes are enlarged, too, and so are differences."""


def photographs() -> Iterator[Image.Image]:
    """Those that ship, as they are and enlarged."""
    for path in SAMPLES:
        with Image.open(path) as image:
            rgb = image.convert("RGB")
        yield rgb
        scale = LONG_SIDE / max(rgb.size)
        yield rgb.resize((round(rgb.width * scale), round(rgb.height * scale)))


def differences(model: str | None, engine: Engine) -> list[np.ndarray]:
    """Of all mattes, in steps of 1/255."""
    with (
        pyhades.Remover(model, threads=1) as ours,
        pyhades.Remover(model, threads=1, engine=engine) as theirs,
    ):
        return [
            np.abs(ours.cut(image).alpha.astype(int) - theirs.cut(image).alpha)
            for image in photographs()
        ]


def row(model: str | None, engine: Engine) -> list[str]:
    """A line of the table."""
    found = differences(model, engine)
    every = np.concatenate([each.ravel() for each in found])
    return [
        "the one that ships" if model is None else Path(model).stem,
        engine.label,
        str(every.max()),
        f"{every.mean():.5f}",
        f"{max(each.mean() for each in found):.5f}",
        f"{100 * (every > 0).mean():.3f} %",
        f"{100 * (every > 1).mean():.4f} %",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help="ONNX files or names")
    parser.add_argument("--engine", default="onnxruntime", help="what is compared with ours")
    given = parser.parse_args(arguments)
    engine = engine_of(given.engine)
    heading = [
        "model", "engine", "largest", "mean", "largest mean of a picture", "differ",
        "by more than 1",
    ]  # fmt: skip
    rows = [row(model, engine) for model in (None, *given.models)]
    print(table(heading, rows))
    print(f"\n{machine_line()}; {engine!r}")


if __name__ == "__main__":
    main()
