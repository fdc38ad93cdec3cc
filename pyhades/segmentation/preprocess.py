"""Image to network input, as a manifest describes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades import kernels
from pyhades.segmentation.image.colour import is_srgb, to_srgb
from pyhades.segmentation.image.loaded import LoadedImage
from pyhades.segmentation.manifest import ModelManifest

LONGEST = 8
"""Of an input whose short side is given: how long the other side may be, in short sides. Longer
pictures are made smaller as a whole, so that the memory of the network has a bound."""
_EXACT_PIXELS = 1 << 20
"""Up to here colours are converted before a picture is made smaller; above, a conversion of all
would take longer than everything else, and differs from one afterwards by less than it rounds."""


@dataclass(frozen=True)
class Placement:
    """Where the picture lies inside the network's input, in pixels."""

    input_size: tuple[int, int]
    """``(height, width)`` of the network's input."""
    top: int
    left: int
    size: tuple[int, int]
    """``(height, width)`` of the picture inside it."""

    @property
    def fills_input(self) -> bool:
        """Whether there is no padding."""
        return self.size == self.input_size


def place(image_size: tuple[int, int], manifest: ModelManifest) -> Placement:
    """Decide how an image of ``image_size`` (height, width) is fitted into the network's input."""
    height, width = manifest.input_size
    if manifest.policy == "stretch":
        return Placement(manifest.input_size, 0, 0, manifest.input_size)
    if manifest.policy == "short-side":
        size = _with_short_side(image_size, min(manifest.input_size), manifest.multiple_of)
        return Placement(size, 0, 0, size)
    factor = min(height / image_size[0], width / image_size[1])
    size = (max(1, round(image_size[0] * factor)), max(1, round(image_size[1] * factor)))
    if manifest.policy == "letterbox-topleft":
        return Placement(manifest.input_size, 0, 0, size)
    return Placement(manifest.input_size, (height - size[0]) // 2, (width - size[1]) // 2, size)


def _with_short_side(image_size: tuple[int, int], short: int, step: int) -> tuple[int, int]:
    """The aspect ratio as well as multiples of ``step`` and a bound on the area let it be."""
    most = LONGEST * short * short
    factor = min(short / min(image_size), math.sqrt(most / math.prod(image_size)))
    height, width = (max(step, round(side * factor / step) * step) for side in image_size)
    longest = max(step, most // min(height, width) // step * step)
    return min(height, longest), min(width, longest)


def network_input(
    image: LoadedImage,
    manifest: ModelManifest,
    placement: Placement,
    *,
    out: NDArray[np.float32] | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> NDArray[np.float32]:
    """A picture as the network wants it: in sRGB, on white where it is transparent, normalised.

    See :func:`preprocess`.
    """
    options: dict[str, Any] = {"threads": threads, "isa": isa}
    rgb = image.rgb
    if image.alpha is not None:
        # Transparent pixels may hide anything; show the network what is seen on white.
        rgb = kernels.composite(rgb, image.alpha, (255, 255, 255), **options)
    if not is_srgb(image.icc_profile):
        pixels = math.prod(image.size)
        if pixels > max(_EXACT_PIXELS, math.prod(placement.size)):
            rgb = _resized(rgb, manifest, placement, options)
        rgb = to_srgb(rgb, image.icc_profile)
    return preprocess(rgb, manifest, placement, out=out, **options)


def preprocess(
    rgb: NDArray[np.uint8],
    manifest: ModelManifest,
    placement: Placement,
    *,
    out: NDArray[np.float32] | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> NDArray[np.float32]:
    """Resize, scale and normalise ``rgb`` (uint8 ``[h, w, 3]``) to float32 ``[1, 3, H, W]``.

    ``out``, of the size of the picture inside the network's input, is written to on the way, and is
    the result where nothing follows.
    """
    options: dict[str, Any] = {"threads": threads, "isa": isa}
    if manifest.resample == "lanczos-8bit":
        size = placement.size[::-1]
        rgb = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))
    by_largest = manifest.scale == "1/max"
    mean, std = np.array(manifest.mean), np.array(manifest.std)
    if manifest.channel_order == "bgr":
        # The kernel works in RGB; the planes are swapped below.
        mean, std = mean[::-1], std[::-1]
    planes = kernels.normalize_image(
        rgb,
        placement.size,
        (0.0, 0.0, 0.0) if by_largest else tuple(mean),
        (1.0, 1.0, 1.0) if by_largest else tuple(std),
        manifest.antialias,
        scale=1.0 if by_largest else 1 / 255,
        # What Pillow has resized has its size already.
        resample="lanczos" if manifest.resample == "lanczos-8bit" else manifest.resample,
        out=out,
        **options,
    )
    if by_largest:
        # The largest value is that of the resized picture, known only now. Black stays black.
        factor = (1.0 / (max(float(planes.max()), 1.0) * std)).astype(np.float32)
        planes *= factor[:, None, None]
        planes -= (mean / std).astype(np.float32)[:, None, None]
    if manifest.channel_order == "bgr":
        planes = planes[:, ::-1]
    if not placement.fills_input:
        planes = _letterbox(planes, placement)
    return np.ascontiguousarray(planes)


def _resized(
    rgb: NDArray[np.uint8], manifest: ModelManifest, placement: Placement, options: dict[str, Any]
) -> NDArray[np.uint8]:
    if manifest.resample == "lanczos-8bit":
        size = placement.size[::-1]
        return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))
    planes = kernels.normalize_image(
        rgb, placement.size, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), manifest.antialias,
        scale=1.0, resample=manifest.resample, **options,
    )  # fmt: skip
    levels: NDArray[np.uint8] = np.rint(np.clip(planes[0], 0, 255)).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0))


def _letterbox(planes: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
    padded = np.zeros((1, 3, *placement.input_size), np.float32)
    (height, width), top, left = placement.size, placement.top, placement.left
    padded[:, :, top : top + height, left : left + width] = planes
    return padded
