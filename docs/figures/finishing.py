"""Draw what finishing does: ``python docs/figures/finishing.py`` writes ``finishing.webp``.

From the photographs and the demonstration model that ship with the package.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from photograph import GAP, chequerboard, rounded
from PIL import Image, ImageOps

from pyhades import Remover
from pyhades.segmentation import Finish, Shadow
from pyhades.segmentation.plausibility import SAMPLES

TARGET = Path(__file__).with_name("finishing.webp")
PANEL = (300, 300)
WHITE = "#f7f7f5"
SHADOW = Shadow((6, 14), blur=9, opacity=0.45)
PANELS = [
    ({}, None),
    ({"finish": Finish(largest=True, crop=True, margin="4%")}, None),
    ({"finish": Finish(largest=True, crop=True, canvas=(300, 300), shadow=SHADOW)}, WHITE),
    ({"finish": Finish(largest=True, only="trimap")}, None),
]


def main() -> None:
    """Cut out, lay side by side, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photo", type=Path, default=SAMPLES[-1], help="another photograph")
    parser.add_argument("-o", "--out", type=Path, default=TARGET)
    options = parser.parse_args()
    width = len(PANELS) * (PANEL[0] + GAP) - GAP
    strip = Image.new("RGBA", (width, PANEL[1]))
    with Remover() as remover:
        for index, (how, background) in enumerate(PANELS):
            picture = remover(options.photo, background=background, **how)
            strip.paste(shown(picture), (index * (PANEL[0] + GAP), 0), rounded(PANEL))
    strip.save(options.out, quality=88, method=6)


def shown(picture: Image.Image) -> Image.Image:
    """On a chequerboard, as large as it fits."""
    behind = chequerboard(PANEL)
    small = ImageOps.contain(picture.convert("RGBA"), PANEL, Image.Resampling.LANCZOS)
    place = ((PANEL[0] - small.width) // 2, (PANEL[1] - small.height) // 2)
    behind.alpha_composite(small, place)
    return behind.convert("RGB")


if __name__ == "__main__":
    main()
