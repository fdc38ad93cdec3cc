"""Image to network input, as a manifest describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades import kernels
from pyhades.segmentation.manifest import ModelManifest


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
        factor = min(manifest.input_size) / min(image_size)
        step = manifest.multiple_of
        rounded = tuple(max(step, round(side * factor / step) * step) for side in image_size)
        size = (rounded[0], rounded[1])
        return Placement(size, 0, 0, size)
    factor = min(height / image_size[0], width / image_size[1])
    size = (max(1, round(image_size[0] * factor)), max(1, round(image_size[1] * factor)))
    if manifest.policy == "letterbox-topleft":
        return Placement(manifest.input_size, 0, 0, size)
    return Placement(manifest.input_size, (height - size[0]) // 2, (width - size[1]) // 2, size)


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


def _letterbox(planes: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
    padded = np.zeros((1, 3, *placement.input_size), np.float32)
    (height, width), top, left = placement.size, placement.top, placement.left
    padded[:, :, top : top + height, left : left + width] = planes
    return padded
