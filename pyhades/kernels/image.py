"""Photographs in and out of a network: normalisation, mattes, composition, PNG rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, check_shape, output
from pyhades.kernels.conv import Layout

Resample = Literal["nearest", "bilinear", "bicubic", "lanczos"]
PngFilter = Literal["none", "sub", "up", "average", "paeth"]


def normalize_image(
    image: NDArray[np.uint8],
    size: tuple[int, int],
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0),
    antialias: bool = True,
    *,
    scale: float = 1 / 255,
    resample: Resample = "bilinear",
    layout: Layout = "NCHW",
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> NDArray[np.float32]:
    """Resize and normalise a photograph in one pass: ``(resized * scale - mean) / std``.

    Parameters
    ----------
    image
        uint8 ``[h, w, 3]``.
    size
        ``(height, width)`` of the result.
    mean, std
        Per channel, after scaling.
    antialias
        Widen the filter where the image shrinks, as Pillow does.
    scale
        Applied before ``mean`` and ``std``.
    resample
        The filter. Samples are kept in float32 between the two directions; what overshoots 0..255
        is clipped.
    layout
        Of the result.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32 ``[1, 3, height, width]``, or ``[1, height, width, 3]``.

    Raises
    ------
    ArgumentError
        If a shape does not fit or ``std`` is not positive.

    Examples
    --------
    >>> normalize_image(np.full((4, 4, 3), 255, np.uint8), (1, 1)).ravel().tolist()
    [1.0, 1.0, 1.0]
    """
    image = np.ascontiguousarray(as_array("image", image, ndim=3, dtype=np.uint8))
    check_shape("image", image, (*image.shape[:2], 3))
    height, width = _check_size(size)
    one_of("resample", resample, Resample)
    one_of("layout", layout, Layout)
    planar = layout == "NCHW"
    result = output(out, (1, 3, height, width) if planar else (1, height, width, 3))
    channels_first = result if planar else result.transpose(0, 3, 1, 2)
    attributes: dict[str, Any] = {
        "scale": float(scale),
        "mean": [float(value) for value in mean],
        "std": [float(value) for value in std],
        "resample": resample,
        "antialias": int(antialias),
    }
    call("normalize_image", [image], [channels_first], attributes, threads=threads, isa=isa)
    return result


def upscale_mask(
    mask: NDArray[np.float32],
    size: tuple[int, int],
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> NDArray[np.uint8]:
    """Resize a matte bilinearly (pixel centres at half integers) and quantise it.

    Parameters
    ----------
    mask
        float32 ``[h, w]``; values outside 0..1 are clipped after interpolation.
    size
        ``(height, width)`` of the result.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        uint8 ``[height, width]``, ``floor(255 * value + 0.5)``; the same for every tier.

    Raises
    ------
    ArgumentError
        If ``size`` is not two positive integers, or ``out`` does not fit.
    ArgumentTypeError
        If an array has the wrong dtype.

    Examples
    --------
    >>> upscale_mask(np.array([[0, 1]], np.float32), (1, 4)).tolist()
    [[0, 64, 191, 255]]
    """
    mask = np.ascontiguousarray(as_array("mask", mask, ndim=2))
    result = output(out, _check_size(size), np.uint8)
    call("upscale_mask", [mask], [result], {}, threads=threads, isa=isa)
    return result


def composite(
    image: NDArray[np.uint8],
    alpha: NDArray[np.uint8],
    background: ArrayLike,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> NDArray[np.uint8]:
    """Put straight-alpha colours over a background, rounded to the nearest.

    Parameters
    ----------
    image
        uint8 ``[h, w, 3]``: colours, not multiplied by alpha.
    alpha
        uint8 ``[h, w]``.
    background
        Three integers in 0..255, or uint8 ``[h, w, 3]``.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        uint8 ``[h, w, 3]``.

    Raises
    ------
    ArgumentError
        If shapes do not fit, or the background is no colour.
    ArgumentTypeError
        If an array has the wrong dtype.

    Examples
    --------
    >>> image = np.array([[[200, 100, 50]]], np.uint8)
    >>> composite(image, np.array([[128]], np.uint8), (255, 255, 255)).tolist()
    [[[227, 177, 152]]]
    """
    image = np.ascontiguousarray(as_array("image", image, ndim=3, dtype=np.uint8))
    alpha = np.ascontiguousarray(as_array("alpha", alpha, ndim=2, dtype=np.uint8))
    check_shape("image", image, (*alpha.shape, 3))
    behind = background if isinstance(background, np.ndarray) else np.array(background)
    if behind.ndim == 1:
        check_shape("background", behind, (3,))
        if behind.dtype.kind not in "ui" or behind.min() < 0 or behind.max() > 255:
            raise ArgumentError(f"background={background!r}: expected three integers in 0..255")
        behind = np.broadcast_to(behind.astype(np.uint8), image.shape)
    else:
        behind = as_array("background", behind, ndim=3, dtype=np.uint8)
        check_shape("background", behind, image.shape)
    result = output(out, image.shape, np.uint8)
    call("composite", [image, alpha, behind], [result], {}, threads=threads, isa=isa)
    return result


def png_filter(
    rows: NDArray[np.uint8],
    bytes_per_pixel: int,
    filter: PngFilter = "sub",
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> NDArray[np.uint8]:
    """Filter rows as PNG wants them before they are deflated.

    Parameters
    ----------
    rows
        uint8 ``[h, n]``: pixels of a row one after another.
    bytes_per_pixel
        Distance of neighbours in a row.
    filter
        What is subtracted from each byte, see the PNG specification, section 9.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        uint8 ``[h, 1 + n]``, each row after the number of its filter.

    Raises
    ------
    ArgumentError
        If there is no such filter, or ``out`` does not fit.
    ArgumentTypeError
        If an array has the wrong dtype.

    Examples
    --------
    >>> png_filter(np.array([[5, 7, 7]], np.uint8), 1).tolist()
    [[1, 5, 2, 0]]
    """
    one_of("filter", filter, PngFilter)
    rows = np.ascontiguousarray(as_array("rows", rows, ndim=2, dtype=np.uint8))
    result = output(out, (rows.shape[0], rows.shape[1] + 1), np.uint8)
    attributes = {"bytes_per_pixel": int(bytes_per_pixel), "filter": filter}
    call("png_filter", [rows], [result], attributes, threads=threads, isa=isa)
    return result


def _check_size(size: tuple[int, int]) -> tuple[int, int]:
    if len(size) != 2 or not all(isinstance(side, int | np.integer) and side > 0 for side in size):
        raise ArgumentError(f"size={size!r}: expected two positive integers (height, width)")
    return int(size[0]), int(size[1])
