"""Network output to alpha at the size of the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pyhades import kernels
from pyhades.errors import ModelError
from pyhades.segmentation.manifest import ModelManifest
from pyhades.segmentation.preprocess import Placement

Planes = NDArray[np.float32]

MINIMUM_CONTRAST = 0.1
"""A prediction in 0..1 that varies by less than this holds no object: stretching it shows noise."""


def prediction_plane(
    output: NDArray[Any], manifest: ModelManifest, placement: Placement
) -> NDArray[np.float32]:
    """Extract the foreground prediction: float32 ``[h, w]``, activated, padding cropped.

    ``output`` is what the network returned: ``[1, c, h, w]``, ``[1, h, w]``, ``[c, h, w]`` or
    ``[h, w]``, or the same with channels last as the manifest says, at the size of the network's
    input or a fraction of it.
    """
    planes = _channels_first(output, manifest)
    low, high = manifest.output_bounds
    if (low, high) != (0, 1):
        planes = (planes - np.float32(low)) / np.float32(high - low)
    plane = _foreground(_activated(planes, output, manifest), manifest)
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
    out: NDArray[np.uint8] | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> NDArray[np.uint8]:
    """Alpha as uint8 at ``size`` (height, width) from a prediction in 0..1.

    ``out`` is written to where the manifest asks for what kernels do in one go.
    """
    options: dict[str, Any] = {"threads": threads, "isa": isa}
    if manifest.upsample == "lanczos-8bit":
        return _enlarged_levels(plane, size)
    if manifest.upsample == "bilinear":
        return kernels.upscale_mask(np.ascontiguousarray(plane), size, out=out, **options)
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
    if manifest.upsample == "lanczos-8bit":
        return _enlarged_levels(plane, size).astype(np.float32) / np.float32(255)
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


def _enlarged_levels(plane: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Levels that are rounded down and then enlarged by Pillow, as rembg does."""
    levels = Image.fromarray((np.clip(plane, 0, 1) * 255).astype(np.uint8))
    return np.asarray(levels.resize(size[::-1], Image.Resampling.LANCZOS))


def quantize(alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0..1 to 0..255, half rounded up."""
    return (alpha * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def _activated(
    planes: NDArray[np.float32], output: NDArray[Any], manifest: ModelManifest
) -> NDArray[np.float32]:
    """Apply what the graph left out: one plane of probabilities per channel or class."""
    if manifest.activation in ("softmax", "argmax") and len(planes) < 2:
        raise ModelError(
            f"{manifest.name}: {manifest.activation} needs more than one channel in {output.shape}"
        )
    if manifest.activation == "softmax":
        exponent = np.exp(planes - planes.max(axis=0))
        shares: Planes = exponent / exponent.sum(axis=0)
        return shares
    if manifest.activation == "argmax":
        labels: Planes = np.argmax(planes, axis=0)[None].astype(np.float32)
        return labels
    if manifest.activation == "sigmoid":
        # exp only ever sees numbers below zero, so nothing overflows.
        decay = np.exp(-np.abs(planes))
        probabilities: Planes = np.where(planes >= 0, 1, decay) / (1 + decay)
        return probabilities
    return planes


def _foreground(planes: NDArray[np.float32], manifest: ModelManifest) -> NDArray[np.float32]:
    """One plane out of those of all classes, or out of the numbers of the classes."""
    chosen, background = manifest.foreground, manifest.background
    classes = chosen if isinstance(chosen, tuple) else (chosen,)
    if manifest.activation in ("labels", "argmax"):
        named = np.isin(planes[0], classes if background is None else background)
        hard: Planes = (named == (background is None)).astype(np.float32)
        return hard
    check_classes(manifest, len(planes))
    if background is not None:
        plane: Planes = np.float32(1) - planes[background]
    elif len(classes) == 1:
        plane = planes[classes[0]]
    elif manifest.activation == "softmax":
        plane = planes[list(classes)].sum(axis=0)
    else:
        # Independent probabilities do not add up; the largest stands for them.
        plane = planes[list(classes)].max(axis=0)
    return plane


def check_classes(manifest: ModelManifest, channels: int) -> None:
    """ModelError where a manifest names a channel that is not among so many."""
    name = "foreground" if manifest.background is None else "background"
    named = getattr(manifest, name)
    most = max(named) if isinstance(named, tuple) else named
    if most >= channels:
        there = "one channel, 0" if channels == 1 else f"{channels} channels, 0 to {channels - 1}"
        raise ModelError(
            f"{manifest.name}: {name}={most}, but output {manifest.output!r} has {there}"
        )


def _channels_first(output: NDArray[Any], manifest: ModelManifest) -> NDArray[np.float32]:
    planes = output
    while planes.ndim > 4 and 1 in planes.shape[1:]:
        planes = planes.squeeze(1 + planes.shape[1:].index(1))
    if planes.ndim == 4 and len(planes) == 1:
        planes = planes[0]
    planes = planes[None] if planes.ndim == 2 else planes
    if planes.ndim != 3:
        wanted = "[1, h, w, c]" if manifest.output_layout == "nhwc" else "[1, c, h, w]"
        raise ModelError(
            f"{manifest.name}: output {manifest.output!r} has shape {output.shape}; "
            f"expected {wanted}"
        )
    if manifest.output_layout == "nhwc" and output.ndim > 2:
        planes = np.moveaxis(planes, -1, 0)
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
