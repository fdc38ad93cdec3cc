"""Grey profiles at sixteen bits, which is more than the colour engine of Pillow takes.

A grey profile is a curve from numbers to light. That of sRGB leads from there to its numbers.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades.segmentation.image.arrays import to_eight_bit
from pyhades.segmentation.image.colour import image_to_srgb

_PARAMETERS = {0: "g", 1: "gab", 2: "gabc", 3: "gabcd", 4: "gabcdef"}


def grey_to_srgb(
    samples: NDArray[np.uint16], profile: bytes
) -> tuple[NDArray[np.uint8], NDArray[np.uint16] | None]:
    """Grey samples ``[h, w]`` as sRGB ``[h, w, 3]`` of 8 bits, and of 16 if there is a curve."""
    curve = grey_curve(profile)
    if curve is None:
        eight = Image.fromarray(to_eight_bit(samples))
        return np.array(image_to_srgb(eight, profile)), None
    deep = np.repeat(curve[samples][..., None], 3, axis=2)
    return to_eight_bit(deep), deep


def grey_curve(profile: bytes) -> NDArray[np.uint16] | None:
    """For each of 65536 numbers that of sRGB; None where the profile has no curve."""
    try:
        light = _light(_tag(profile, b"kTRC"))
    except (struct.error, KeyError, ValueError, IndexError):
        return None
    light = np.clip(light, 0, 1)
    encoded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    table: NDArray[np.uint16] = np.rint(encoded * 65535).astype(np.uint16)
    return table


def _tag(profile: bytes, name: bytes) -> bytes:
    (count,) = struct.unpack_from(">I", profile, 128)
    for at in range(132, 132 + 12 * min(count, 100), 12):
        signature, offset, size = struct.unpack_from(">4sII", profile, at)
        if signature == name:
            return profile[offset : offset + size]
    raise KeyError(name)


def _light(tag: bytes) -> NDArray[np.float64]:
    """What a curve of a profile says of 65536 numbers from 0 to 1."""
    x = np.linspace(0, 1, 65536)
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        values = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
        if count == 0:
            return x
        light: NDArray[np.float64] = np.power(x, values[0] / 256)
        return light if count == 1 else np.interp(x, np.linspace(0, 1, count), values / 65535)
    if tag[:4] != b"para":
        raise ValueError("no curve")
    return _parametric(x, tag)


def _parametric(x: NDArray[np.float64], tag: bytes) -> NDArray[np.float64]:
    (kind,) = struct.unpack_from(">H", tag, 8)
    names = _PARAMETERS[kind]
    fixed = struct.unpack_from(f">{len(names)}i", tag, 12)
    p = dict.fromkeys("abcdef", 0.0) | {"a": 1.0}
    p |= {name: value / 65536 for name, value in zip(names, fixed, strict=True)}
    with np.errstate(invalid="ignore"):
        power: NDArray[np.float64] = np.power(np.maximum(p["a"] * x + p["b"], 0), p["g"])
    line: NDArray[np.float64] = p["c"] * x + p["f"]
    curves: dict[int, NDArray[np.float64]] = {
        0: power,
        1: power,
        2: power + p["c"],
        3: np.where(x >= p["d"], power, line),
        4: np.where(x >= p["d"], power + p["e"], line),
    }
    return curves[kind]
