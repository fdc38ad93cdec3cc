"""Draw the photograph of the front page: before, cut out, and on a colour.

``python docs/figures/photograph.py --model u2netp.onnx`` writes ``photograph.webp`` beside this
script. The photograph is the portrait of Grace Hopper that comes with matplotlib's samples, taken
for the US Navy and therefore in the public domain; ``--photo`` takes another.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from pyhades import Remover

TARGET = Path(__file__).with_name("photograph.webp")
PANEL = (384, 450)
GAP = 12
RADIUS = 14
SQUARE = 12
SHADES = ((255, 255, 255), (226, 229, 233))
COLOUR = "#8fb9ad"
SMOOTH = 3
"""Corners are drawn so many times as large and reduced."""


def main() -> None:
    """Cut out, lay side by side, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="ONNX file; the demonstration model if left out")
    parser.add_argument("--photo", type=Path, help="another photograph")
    parser.add_argument("-o", "--out", type=Path, default=TARGET)
    options = parser.parse_args()
    photo = sample() if options.photo is None else options.photo
    with Remover(options.model) as remover:
        side_by_side(photo, remover).save(options.out, quality=88, method=6)


def sample() -> Path:
    """Where matplotlib keeps the portrait."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"


def side_by_side(photo: Path, remover: Remover) -> Image.Image:
    """The photograph, its cut-out on a chequerboard, and on a colour."""
    cutout = remover(photo)
    behind = chequerboard(cutout.size)
    behind.alpha_composite(cutout)
    with Image.open(photo) as before:
        pictures = [before.convert("RGB"), behind, remover(photo, background=COLOUR)]
    width = len(pictures) * (PANEL[0] + GAP) - GAP
    strip = Image.new("RGBA", (width, PANEL[1]))
    for index, picture in enumerate(pictures):
        panel = ImageOps.fit(picture.convert("RGB"), PANEL, Image.Resampling.LANCZOS)
        strip.paste(panel, (index * (PANEL[0] + GAP), 0), rounded(PANEL))
    return strip


def chequerboard(size: tuple[int, int]) -> Image.Image:
    """What editors show where nothing is."""
    y, x = np.indices(size[::-1]) // SQUARE
    shades = np.array(SHADES, np.uint8)
    return Image.fromarray(shades[(x + y) % 2]).convert("RGBA")


def rounded(size: tuple[int, int]) -> Image.Image:
    """A mask with round corners."""
    width, height = (SMOOTH * side for side in size)
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width - 1, height - 1), SMOOTH * RADIUS, fill=255)
    return mask.resize(size, Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
