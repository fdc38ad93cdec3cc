"""GIF: 255 colours for each frame, and pixels that are there or not."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from pyhades.segmentation.image.png import Pixels

COLOURS = 255
"""Of a frame; one more stands for what is transparent."""
OPAQUE = 128
"""Opacity from which on a pixel is there."""
_CLEARED = 2  # what becomes of a frame before the next one comes


def write_gif(frames: Sequence[Image.Image], **animation: Any) -> list[bytes]:
    """The content of a file.

    Parameters
    ----------
    frames
        What :func:`gif_frame` gives.
    **animation
        What Pillow is told about them: ``duration``, ``loop``.
    """
    first, *others = frames
    saving: dict[str, Any] = {"optimize": False}
    if "transparency" in first.info:
        saving |= {"transparency": COLOURS, "disposal": _CLEARED}
    if others:
        saving |= {"save_all": True, "append_images": others, **animation}
    buffer = io.BytesIO()
    first.save(buffer, "GIF", **saving)
    return [buffer.getvalue()]


def gif_frame(pixels: Pixels) -> Image.Image:
    """A picture with a palette, whose entry 255 is transparent.

    Parameters
    ----------
    pixels
        uint8 ``[h, w]``, ``[h, w, 3]`` or ``[h, w, 4]`` (straight alpha).

    Examples
    --------
    >>> gif_frame(np.zeros((2, 2, 4), np.uint8)).getpixel((0, 0))
    255
    """
    if pixels.ndim == 2:
        return Image.fromarray(pixels)
    seen = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    frame = seen.quantize(COLOURS, Image.Quantize.MEDIANCUT)
    if pixels.shape[2] == 4:
        hidden = Image.fromarray((pixels[..., 3] < OPAQUE).view(np.uint8) * np.uint8(255))
        frame.paste(COLOURS, mask=hidden)
        frame.info["transparency"] = COLOURS
    return frame
