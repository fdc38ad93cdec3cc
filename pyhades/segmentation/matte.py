"""Network output to alpha at the size of the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades import kernels
from pyhades.errors import ModelError
from pyhades.segmentation.manifest import ModelManifest
from pyhades.segmentation.preprocess import Placement

MINIMUM_CONTRAST = 0.1
"""A prediction in 0..1 that varies by less than this holds no object: stretching it shows noise."""


def prediction_plane(
    output: NDArray[Any], manifest: ModelManifest, placement: Placement
) -> NDArray[np.float32]:
    """Extract the foreground prediction: float32 ``[h, w]``, activated, padding cropped.

    ``output`` is what the network returned: ``[1, c, h, w]``, ``[1, h, w]``, ``[c, h, w]`` or
    ``[h, w]``, at the size of its input or a fraction of it.
    """
    planes = _channels_first(output, manifest)
    if manifest.activation == "softmax":
        if len(planes) < 2:
            raise ModelError(
                f"{manifest.name}: softmax needs more than one channel in {output.shape}"
            )
        exponent = np.exp(planes - planes.max(axis=0))
        plane = exponent[manifest.foreground_class] / exponent.sum(axis=0)
    else:
        plane = planes[manifest.foreground_class]
    if manifest.activation == "sigmoid":
        # exp only ever sees numbers below zero, so nothing overflows.
        decay = np.exp(-np.abs(plane))
        plane = np.where(plane >= 0, 1, decay) / (1 + decay)
    if not np.isfinite(plane).all():
        raise ModelError(f"{manifest.name}: the network returned values that are not finite")
    return _crop(plane, placement)


def normalise_range(plane: NDArray[np.float32], manifest: ModelManifest) -> NDArray[np.float32]:
    """Bring a prediction to 0..1 as the manifest says.

    ``"minmax"`` stretches only where there is contrast to stretch: a calibrated prediction that is
    flat says "nothing found" (or "all of it"), and stays as it is.
    """
    if manifest.range == "minmax":
        low, high = float(plane.min()), float(plane.max())
        calibrated = low >= 0 and high <= 1
        if high - low >= (MINIMUM_CONTRAST if calibrated else np.finfo(np.float32).tiny):
            return (plane - np.float32(low)) / np.float32(high - low)
    return np.clip(plane, 0, 1)


def upscale(
    plane: NDArray[np.float32],
    size: tuple[int, int],
    manifest: ModelManifest,
    *,
    threads: int | None = None,
    isa: str | None = None,
) -> NDArray[np.uint8]:
    """Alpha as uint8 at ``size`` (height, width) from a prediction in 0..1."""
    options: dict[str, Any] = {"threads": threads, "isa": isa}
    if manifest.upsample == "bilinear":
        return kernels.upscale_mask(np.ascontiguousarray(plane), size, **options)
    return quantize(upscale_float(plane, size, manifest, **options))


def upscale_float(
    plane: NDArray[np.float32],
    size: tuple[int, int],
    manifest: ModelManifest,
    *,
    threads: int | None = None,
    isa: str | None = None,
) -> NDArray[np.float32]:
    """Alpha as float32 in 0..1 at ``size`` (height, width) from a prediction in 0..1."""
    aligned = manifest.upsample == "bilinear-align-corners"
    resized = kernels.resize(
        np.ascontiguousarray(plane),
        size,
        mode="cubic" if manifest.upsample == "bicubic" else "linear",
        coordinates="align_corners" if aligned else "half_pixel",
        threads=threads,
        isa=isa,
    )
    return np.clip(resized, 0, 1)


def quantize(alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0..1 to 0..255, half rounded up."""
    return (alpha * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def _channels_first(output: NDArray[Any], manifest: ModelManifest) -> NDArray[np.float32]:
    planes = output[0] if output.ndim == 4 else output
    planes = planes[None] if planes.ndim == 2 else planes
    if planes.ndim != 3 or (output.ndim == 4 and output.shape[0] != 1):
        raise ModelError(
            f"{manifest.name}: output {manifest.output!r} has shape {output.shape}; "
            "expected [1, c, h, w]"
        )
    if manifest.foreground_class >= len(planes):
        raise ModelError(
            f"{manifest.name}: foreground_class={manifest.foreground_class}, "
            f"but output {manifest.output!r} has {len(planes)} channels"
        )
    return planes.astype(np.float32, copy=False)


def _crop(plane: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
    if placement.fills_input:
        return plane
    vertical = plane.shape[0] / placement.input_size[0]
    horizontal = plane.shape[1] / placement.input_size[1]
    top, left = round(placement.top * vertical), round(placement.left * horizontal)
    height = max(1, round(placement.size[0] * vertical))
    width = max(1, round(placement.size[1] * horizontal))
    return plane[top : top + height, left : left + width]
