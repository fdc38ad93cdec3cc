"""What finishing does to mattes whose truth is known.

``python -m bench.finish.quality`` prints a table. Scenes are drawn here; a network is stood in for
by the true matte, reduced to its size and enlarged again, which is the best that one could give.
For the steps that mend mattes, what they mend is added first.
"""

from __future__ import annotations

import argparse

import numpy as np
from PIL import Image, ImageFilter

from bench.finish.scenes import Scene, scenes
from pyhades.segmentation import Finish
from pyhades.segmentation.finish.contour import choke

SIZE = (1500, 2000)
SIDES = (320, 1024)
SIGMA = 1.4
"""Of the Gaussian below the gradients."""
BAND = 10
"""Pixels to either side of the contour that count for the boundary error."""

STEPS = {
    "as it comes": Finish(),
    "refine": Finish(refine=True),
    "threshold 0.5": Finish(threshold=0.5),
    "feather 1": Finish(feather=1),
    "feather 3": Finish(feather=3),
    "choke 1": Finish(choke=1),
    "choke -1": Finish(choke=-1),
    "largest": Finish(largest=True),
    "specks 0.1%": Finish(specks="0.1%"),
    "fill holes 0.5%": Finish(fill_holes="0.5%"),
    "fill holes": Finish(fill_holes=True),
    "refine, threshold 0.5": Finish(refine=True, threshold=0.5),
}
MENDING = {"largest": "spots", "specks 0.1%": "spots", "fill holes 0.5%": "holes"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, metavar=("HEIGHT", "WIDTH"))
    size = tuple(parser.parse_args().size)
    drawn = scenes(size)
    names = [scene.name for scene in drawn]
    for side in SIDES:
        print(f"\nMattes made at {side} pixels, pictures of {size[1]} x {size[0]}:\n")
        print(f"| | {' | '.join(names)} |\n|{'---|' * (1 + len(names))}")
        for step, finish in STEPS.items():
            cells = [
                told(measured(scene, scene.seen_by_network(side), finish, side)) for scene in drawn
            ]
            print(f"| {step} | {' | '.join(cells)} |", flush=True)
    print(f"\nSpots and holes added to mattes made at {SIDES[-1]} pixels, before and after:\n")
    print(f"| | {' | '.join(names)} |\n|{'---|' * (1 + len(names))}")
    for step, fault in MENDING.items():
        cells = []
        for scene in drawn:
            alpha = faulty(scene.seen_by_network(SIDES[-1]), fault)
            before, after = (
                measured(scene, alpha, how, SIDES[-1]) for how in (Finish(), STEPS[step])
            )
            cells.append(f"{before[0]:.2f} → {after[0]:.2f}")
        print(f"| {fault}, {step} | {' | '.join(cells)} |")


def measured(
    scene: Scene, alpha: np.ndarray, finish: Finish, made_at: int
) -> tuple[float, float, float]:
    """MAE, gradient and boundary error, in thousandths."""
    result = finish.matte(scene.rgb, alpha, made_at=made_at)
    difference = np.abs(result.astype(np.int16) - scene.alpha) / 255
    gradient = np.abs(slope(result) - slope(scene.alpha))
    return tuple(1000 * float(x) for x in (
        difference.mean(), gradient.mean(), difference[boundary(scene.alpha)].mean(),
    ))  # fmt: skip


def told(errors: tuple[float, ...]) -> str:
    return " / ".join(f"{error:.2f}" if error < 10 else f"{error:.1f}" for error in errors)


def slope(alpha: np.ndarray) -> np.ndarray:
    """Length of the gradient of a matte of 0..1, softened."""
    soft = Image.fromarray(alpha).filter(ImageFilter.GaussianBlur(SIGMA))
    return np.hypot(*np.gradient(np.asarray(soft, np.float32) / 255))


def boundary(alpha: np.ndarray) -> np.ndarray:
    inside = (alpha >= 128).view(np.uint8)
    return choke(inside, BAND) != choke(inside, -BAND)


def faulty(alpha: np.ndarray, fault: str) -> np.ndarray:
    """With spots in the background, or holes in the foreground, as weak networks leave them."""
    rng = np.random.default_rng(5)
    height, width = alpha.shape
    y, x = np.mgrid[:height, :width]
    result = alpha.copy()
    places = np.argwhere(alpha == (0 if fault == "spots" else 255))
    for top, left in places[rng.integers(0, len(places), 12)]:
        radius = height * rng.uniform(0.003, 0.012)
        spot = (np.clip(radius - np.hypot(y - top, x - left), 0, 1) * 255).astype(np.uint8)
        result = np.maximum(result, spot) if fault == "spots" else np.minimum(result, 255 - spot)
    return result


if __name__ == "__main__":
    main()
