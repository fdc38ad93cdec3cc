"""What int8 or bf16 costs of the mask, over a hundred pictures and more.

``python bench/fidelity.py [MODEL ...]`` quantises each model (by default the embedded one), or
takes a file of ``--quantised``; with ``--bf16`` every product that can multiplies bfloat16, whether
it gains by that or not. It prints a table: soft IoU, mean absolute error, the same in a band along
the boundary, with the twentieth that is worst and the worst picture. The pictures are scenes of the
training code, none of which calibration has seen, and the photographs that matplotlib and
scikit-image ship, where they are installed. What int8 computes is the same on every machine.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import numpy as np

import pyhades
from pyhades.passes import bfloat
from pyhades.segmentation.quantize import Score
from training.scenes import compose

FIRST_SEED = 7_000_000
"""Far from the seeds that the embedded model was trained with."""
SIZE = (320, 320)


def photographs() -> list[Path]:
    """Those that other packages ship."""
    found: list[Path] = []
    for package, folder in (("matplotlib", "mpl-data/sample_data"), ("skimage", "data")):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            root = Path(spec.origin).parent / folder
            found += sorted(p for p in root.glob("*") if p.suffix in (".jpg", ".jpeg"))
    return found


def scores_of(wanted: pyhades.Remover, found: pyhades.Remover, scenes: int) -> list[Score]:
    """Of every picture."""
    scores = []
    for index in range(scenes):
        picture = compose(FIRST_SEED + index, SIZE).image
        scores.append(Score.of(f"scene {index}", found.predict(picture), wanted.predict(picture)))
    for path in photographs():
        scores.append(Score.of(path.name, found.predict(path), wanted.predict(path)))
    return scores


def table(scores: list[Score]) -> str:
    """A line per measure."""
    lines = []
    for measure, percentile in (("iou", 5), ("mae", 95), ("band", 95)):
        values = np.array([getattr(score, measure) for score in scores])
        worst = scores[int(values.argmin() if measure == "iou" else values.argmax())]
        lines.append(
            f"{measure:<5} mean {values.mean():.5f}  median {np.median(values):.5f}  "
            f"p{percentile:<2} {np.percentile(values, percentile):.5f}  "
            f"worst {getattr(worst, measure):.5f} ({worst.picture})"
        )
    return "\n".join(lines)


def main() -> None:
    """Print a table per model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=[None], help="float ONNX files, or names")
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--budget", default="mae=.004")
    parser.add_argument("--bf16", action="store_true", help="instead of int8")
    parser.add_argument("--quantised", help="of the one model, a file that is there already")
    given = parser.parse_args()
    for model in given.models:
        with pyhades.Remover(model, check=False) as wanted:
            if given.quantised:
                found = pyhades.Remover(given.quantised, check=False)
            elif given.bf16:
                bfloat.gains = lambda node: True
                found = pyhades.Remover(model, check=False, precision="bf16", isa=wanted.isa)
            else:
                small = pyhades.quantize(model, budget=given.budget, force=True)
                print(repr(small))
                found = small.remover()
            with found:
                scores = scores_of(wanted, found, given.scenes)
        print(f"{model or 'the embedded model'}, {len(scores)} pictures\n{table(scores)}\n")


if __name__ == "__main__":
    main()
