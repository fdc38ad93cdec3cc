"""Masks that somebody should look at."""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades.segmentation.bulk.picture import Outcome, Picture
from pyhades.segmentation.bulk.sinks.files import FileSink
from pyhades.segmentation.finish.components import Components
from pyhades.segmentation.image.reading import load_image

NEARLY_EMPTY = 0.005
"""Of the picture that is foreground; less is doubtful."""
NEARLY_FULL = 0.995
"""More is doubtful."""
MANY_COMPONENTS = 12
"""Parts of the foreground of at least :data:`SPECK` of the picture; more are doubtful."""
SPECK = 0.0005
SOFT = 0.5
"""Of what is not background: a larger share that is neither opaque nor transparent is doubtful."""
SIDE = 160
"""Longer side in pixels at which a matte is looked at."""
PREVIEW = 512
"""Height of previews in pixels."""
FILE_NAME = "review.jsonl"


def doubt_about(alpha: NDArray[np.uint8]) -> str:
    """What is doubtful about a matte; nothing where it looks like one.

    Examples
    --------
    >>> doubt_about(np.zeros((8, 8), np.uint8))
    'nearly empty: 0.00 % of it is foreground'
    """
    small = _reduced(alpha)
    share = float((small > 0.5).mean())
    if share < NEARLY_EMPTY:
        return f"nearly empty: {share:.2%} of it is foreground".replace("%", " %")
    if share > NEARLY_FULL:
        return f"nearly full: {share:.2%} of it is foreground".replace("%", " %")
    touched = small > 0.02
    soft = float((touched & (small > 0.1) & (small < 0.9)).sum() / touched.sum())
    if soft > SOFT:
        return f"soft everywhere: {soft:.0%} of what is seen is half transparent".replace("%", " %")
    parts = int((Components.of(small > 0.5).areas >= int(SPECK * small.size)).sum())
    if parts > MANY_COMPONENTS:
        return f"many components: {parts}"
    return ""


def _reduced(alpha: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A matte in 0..1 of at most :data:`SIDE` pixels."""
    rows, columns = (max(1, side // SIDE) for side in alpha.shape)
    height, width = alpha.shape[0] // rows, alpha.shape[1] // columns
    blocks = alpha[: height * rows, : width * columns].reshape(height, rows, width, columns)
    small: NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32) / np.float32(255)
    return small


@dataclass
class Review:
    """A folder of previews, with a line of JSON for each that says why it is there.

    Parameters
    ----------
    folder
        Where they go.
    """

    folder: Path
    _sink: FileSink = field(init=False)

    def __post_init__(self) -> None:
        self._sink = FileSink(self.folder, "none")

    def add(self, picture: Picture, outcome: Outcome, result: bytes) -> None:
        """Show a picture beside its result."""
        name = f"{outcome.input}.jpg"
        self._sink.write(name, [preview(picture.read(), result)], replace=True)
        line: dict[str, Any] = {
            "input": outcome.input, "shown": outcome.shown, "why": outcome.doubt,
            "foreground": outcome.foreground, "output": outcome.output, "preview": name,
        }  # fmt: skip
        descriptor = os.open(self.folder / FILE_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(descriptor, json.dumps(line).encode() + b"\n")
        finally:
            os.close(descriptor)


def preview(source: bytes, result: bytes) -> bytes:
    """A JPEG of a picture, its result on grey, and its matte where the result has one."""
    before = Image.fromarray(load_image(source).rgb)
    after = Image.open(io.BytesIO(result))
    after.load()
    shown = [before, _on_grey(after)]
    if after.mode == "RGBA":
        shown.append(after.getchannel("A").convert("RGB"))
    for image in shown:
        image.thumbnail((2 * PREVIEW, PREVIEW))
    sheet = Image.new("RGB", (sum(i.width for i in shown), max(i.height for i in shown)))
    left = 0
    for image in shown:
        sheet.paste(image, (left, 0))
        left += image.width
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _on_grey(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image.convert("RGB")
    behind = Image.new("RGBA", image.size, (128, 128, 128, 255))
    return Image.alpha_composite(behind, image).convert("RGB")
