"""All sixteen bits of colours, of which Pillow shows the upper eight.

Its decoders can be told to read samples in the other order of bytes. Then what they take for the
upper byte is the lower one, so that a second pass over a file gives what the first has dropped.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades.errors import ImageError
from pyhades.segmentation.image.opening import load_pixels

Deep = tuple[NDArray[np.uint16], NDArray[np.uint16] | None]

_BITS, _PHOTOMETRIC, _PLANES, _EXTRA = 258, 262, 284, 338
_RGB = 2
_OPPOSITE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}


def raw_mode(image: Image.Image) -> str:
    """How the samples lie in the file, by Pillow's name; empty where that is not known."""
    tiles = getattr(image, "tile", None) or ()
    found = tiles[0][3] if tiles else ""
    if isinstance(found, tuple) and found:
        found = found[0]
    return found if isinstance(found, str) else ""


def refuse_planes(image: Image.Image, name: str) -> None:
    """ImageError for TIFF files with planes of colours of which Pillow makes others in silence."""
    tags = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or not tags or tags.get(_PLANES) != 2:
        return
    bits = tags.get(_BITS, (8,))
    unnamed = len(bits) == 4 and _EXTRA not in tags and tags.get(_PHOTOMETRIC) == _RGB
    if len(bits) > 1 and (max(bits) > 8 or len(bits) == 2 or unnamed):
        raise ImageError(
            f"{name}: a TIFF with {len(bits)} planes of {max(bits)} bits; "
            "save it with interleaved colours (PlanarConfiguration 1)"
        )


def deep_colours(
    image: Image.Image, raw: str, again: Callable[[], Image.Image], name: str
) -> Deep | None:
    """Colours ``[h, w, 3]`` and alpha ``[h, w]`` with 16 bits; None where the file has fewer.

    Parameters
    ----------
    image
        Decoded.
    raw
        Its :func:`raw_mode`, from before it was decoded.
    again
        Opens the same file once more.
    """
    if raw == "LA;16B":  # four bytes a pixel, as RGBA has
        grey_alpha = _decoded(again(), "RGBA", name).view(">u2").astype(np.uint16)
        return np.repeat(grey_alpha[..., :1], 3, axis=2), grey_alpha[..., 1].copy()
    layout, _, order = raw.partition(";16")
    if layout not in ("RGB", "RGBX", "RGBA", "RGBa") or order not in _OPPOSITE:
        return None
    plain = layout.upper()  # as Pillow divides the bytes of RGBa by alpha, which is for us to do
    high = np.asarray(image)
    if plain != layout:
        high = _decoded(again(), f"{plain};16{order}", name)
    low = _decoded(again(), f"{plain};16{_OPPOSITE[order]}", name)
    both = high.astype(np.uint16) << 8 | low
    colours = np.ascontiguousarray(both[..., :3])
    if both.shape[2] < 4:
        return colours, None
    alpha = np.ascontiguousarray(both[..., 3])
    return (_divided(colours, alpha) if plain != layout else colours), alpha


def _decoded(image: Image.Image, raw: str, name: str) -> NDArray[np.uint8]:
    """The pixels of an opened image, read as if its file had them in another way."""
    image.tile = [_as_raw(tile, raw) for tile in image.tile]  # type: ignore[attr-defined]
    if raw == "RGBA":
        image._mode = "RGBA"
    load_pixels(image, name)
    return np.array(image)


def _as_raw(tile: Any, raw: str) -> Any:
    codec, box, offset, arguments = tile
    changed = (raw, *arguments[1:]) if isinstance(arguments, tuple) else raw
    parts = codec, box, offset, changed
    return parts if type(tile) is tuple else type(tile)(*parts)  # named since Pillow 11


def _divided(colours: NDArray[np.uint16], alpha: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Straight colours of premultiplied ones."""
    weight = np.maximum(alpha, 1)[..., None].astype(np.uint64)
    straight = (colours.astype(np.uint64) * 65535 + weight // 2) // weight
    clipped: NDArray[np.uint16] = np.minimum(straight, 65535).astype(np.uint16)
    return clipped
