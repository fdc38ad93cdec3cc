"""What a precision costs of the mask, over a hundred pictures and more.

``python bench/fidelity.py [MODEL ...] --precision int8`` compares each model (by default the
embedded one) with itself in float32 and prints a table: soft intersection over union, mean absolute
error, the same in a band along the boundary, with the twentieth that is worst and the worst
picture. The pictures are scenes of the training code, none of which calibration has seen, and the
photographs and drawings that matplotlib and scikit-image ship, where they are installed.

Soft IoU is the sum of the smaller over the sum of the larger values of two masks. Where the float
network finds next to nothing it compares noise with noise: the line "iou, found" leaves out
pictures whose float mask covers less than a thousandth. "iou" is of all pictures.

int8 is quantised once per model and kept in ``--work``; an interrupted run goes on there, and what
it computes is the same on every machine. With bf16 every product that can multiplies bfloat16,
whether it gains by that or not.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import pyhades
from pyhades.passes import bfloat
from pyhades.segmentation.quantize import Score
from pyhades.segmentation.quantize.face import DEFAULT_BUDGET
from pyhades.segmentation.quantize.judging import FOUND
from pyhades.segmentation.quantize.pictures import MADE, made_picture
from training.scenes import compose

FIRST_SEED = 7_000_000
"""Far from the seeds that the embedded model was trained with."""
SIZE = (320, 320)
SMALLEST = 64
"""Side of pictures of other packages; what is smaller is no picture."""

Masks = list[tuple[str, NDArray[np.float32]]]


def photographs() -> list[Path]:
    """Those that other packages ship."""
    found: list[Path] = []
    for package, folder in (("matplotlib", "mpl-data/sample_data"), ("skimage", "data")):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            root = Path(spec.origin).parent / folder
            paths = sorted(p for p in root.glob("*") if p.suffix in (".jpg", ".jpeg", ".png"))
            found += [p for p in paths if min(Image.open(p).size) >= SMALLEST]
    return found


def pictures(scenes: int, others: int | None) -> Iterator[tuple[str, Any]]:
    """Names and pictures: so many scenes, and so many of other packages (None: all)."""
    for index in range(scenes):
        yield f"scene {index}", compose(FIRST_SEED + index, SIZE).image
    for path in photographs()[:others]:
        yield path.name, path


def masks_of(remover: pyhades.Remover, given: Callable[[], Iterator[tuple[str, Any]]]) -> Masks:
    """What a network predicts."""
    found: Masks = []
    for name, picture in given():
        found.append((name, remover.predict(picture)))
        print(f"\r{len(found)} pictures", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def in_int8(model: str | None, given: argparse.Namespace) -> pyhades.Remover:
    """The model of 8-bit integers, from the work folder where it is there."""
    if given.quantised:
        return pyhades.Remover(given.quantised, check=False)
    target = given.work / f"{Path(model or 'embedded').stem}.int8.onnx"
    if not target.is_file():
        given.work.mkdir(parents=True, exist_ok=True)
        images = None if given.images == MADE else [made_picture(i) for i in range(given.images)]
        small = pyhades.quantize(
            model, images, target, budget=given.budget, threads=given.threads, force=True,
            step=lambda what, done, total: print(
                f"\r{what} {done}/{total}   ", end="", file=sys.stderr, flush=True
            ),
        )  # fmt: skip
        print(small)
    return pyhades.Remover(target, check=False, threads=given.threads)


def in_bf16(model: str | None, given: argparse.Namespace, isa: str) -> pyhades.Remover:
    """The model with products of bfloat16, on a tier that may have to compute them in floats."""
    bfloat.gains = lambda *_: True
    return pyhades.Remover(model, precision="bf16", isa=isa, check=False, threads=given.threads)


def table(scores: list[Score], found: NDArray[np.bool_]) -> str:
    """A line per measure."""
    every = np.ones(len(scores), bool)
    rows = [("iou", "iou", 5, every), ("iou, found", "iou", 5, found)]
    rows += [("mae", "mae", 95, every), ("band", "band", 95, every)]
    lines = []
    for title, measure, percentile, which in rows:
        chosen = [score for score, take in zip(scores, which, strict=True) if take]
        values = np.array([getattr(score, measure) for score in chosen])
        worst = chosen[int(values.argmin() if measure == "iou" else values.argmax())]
        lines.append(
            f"{title:<10} of {len(chosen):>3}  mean {values.mean():.5f}  "
            f"median {np.median(values):.5f}  p{percentile:<2} "
            f"{np.percentile(values, percentile):.5f}  "
            f"worst {getattr(worst, measure):.5f} ({worst.picture})"
        )
    return "\n".join(lines)


def compare(model: str | None, given: argparse.Namespace) -> None:
    """Print a table per precision."""

    def shown() -> Iterator[tuple[str, Any]]:
        return pictures(given.scenes, given.others)

    with pyhades.Remover(model, check=False, threads=given.threads) as remover:
        wanted = masks_of(remover, shown)
    found = np.array([mask.mean() >= FOUND for _, mask in wanted])
    for precision in given.precision.split(","):
        is_int8 = precision == "int8"
        with in_int8(model, given) if is_int8 else in_bf16(model, given, remover.isa) as other:
            ours = masks_of(other, shown)
        scores = [
            Score.of(name, mask, reference)
            for (name, reference), (_, mask) in zip(wanted, ours, strict=True)
        ]
        for title, begin, end in (
            ("all pictures", 0, None), ("scenes", 0, given.scenes), ("others", given.scenes, None),
        ):  # fmt: skip
            if scores[begin:end]:
                print(f"{model or 'the embedded model'}, {precision}, {title}")
                print(table(scores[begin:end], found[begin:end]) + "\n", flush=True)


def main() -> None:
    """Compare the models that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=[None], help="float ONNX files, or names")
    parser.add_argument("--precision", default="int8", help="int8, bf16, or both with a comma")
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--others", type=int, help="photographs of other packages; default: all")
    parser.add_argument("--images", type=int, default=MADE, help="made for calibration")
    parser.add_argument("--budget", default=DEFAULT_BUDGET)
    parser.add_argument("--work", type=Path, default=Path("fidelity"), help="folder for int8 files")
    parser.add_argument("--quantised", help="of the one model, a file that is there already")
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    if not set(given.precision.split(",")) <= {"int8", "bf16"}:
        parser.error(f"--precision {given.precision}: expected int8, bf16 or int8,bf16")
    for model in given.models:
        compare(model, given)


if __name__ == "__main__":
    main()
