"""Normalisation: over the last axis, over groups of channels, and by fixed statistics."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, check_shape, output


def _vector(name: str, value: ArrayLike | None, n: int) -> Array | None:
    if value is None:
        return None
    vector = np.ascontiguousarray(as_array(name, value, ndim=1))
    check_shape(name, vector, (n,))
    return vector


def _rows(name: str, value: ArrayLike, shape: tuple[int, ...] | None = None) -> Array:
    array = as_array(name, value)
    if array.ndim == 0:
        raise ArgumentError(f"{name} is a scalar; it needs at least one axis")
    if shape is not None:
        check_shape(name, array, shape)
    rows = math.prod(array.shape[:-1])
    return np.ascontiguousarray(array).reshape(rows, array.shape[-1])


def rms_norm(
    x: ArrayLike,
    weight: ArrayLike | None = None,
    eps: float = 1e-5,
    *,
    residual: ArrayLike | None = None,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Root-mean-square normalisation: ``h / sqrt(mean(h**2) + eps) * weight``.

    ``h = x + residual``; the mean is taken over the last axis.

    Parameters
    ----------
    x
        float32 ``[..., n]``.
    weight
        float32 ``[n]``, or None for ones.
    eps
        Added to the mean square.
    residual
        float32 of the shape of ``x``, added to it first.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape of ``x``.

    Raises
    ------
    ArgumentError
        If shapes do not fit.

    References
    ----------
    Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.

    Examples
    --------
    >>> rms_norm([[3.0, 4.0]], eps=0.0).round(4)
    array([[0.8485, 1.1314]], dtype=float32)
    """
    rows = _rows("x", x)
    shape = np.shape(x)
    inputs = [
        rows,
        _vector("weight", weight, shape[-1]),
        None if residual is None else _rows("residual", residual, shape),
    ]
    result = output(out, shape)
    y = result.reshape(rows.shape)
    call("rms_norm", inputs, [y], {"epsilon": float(eps)}, threads=threads, isa=isa)
    return result


def layer_norm(
    x: ArrayLike,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
    *,
    residual: ArrayLike | None = None,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Layer normalisation: ``(h - mean(h)) / sqrt(var(h) + eps) * weight + bias``.

    ``h = x + residual``; mean and (biased) variance are taken over the last axis.

    Parameters
    ----------
    x
        float32 ``[..., n]``.
    weight, bias
        float32 ``[n]``, or None for ones and zeros.
    eps
        Added to the variance.
    residual
        float32 of the shape of ``x``, added to it first.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape of ``x``.

    Raises
    ------
    ArgumentError
        If shapes do not fit.

    References
    ----------
    Ba, Kiros and Hinton, "Layer Normalization", 2016.

    Examples
    --------
    >>> layer_norm([[1.0, 3.0]], eps=0.0)
    array([[-1.,  1.]], dtype=float32)
    """
    rows = _rows("x", x)
    shape = np.shape(x)
    inputs = [
        rows,
        _vector("weight", weight, shape[-1]),
        _vector("bias", bias, shape[-1]),
        None if residual is None else _rows("residual", residual, shape),
    ]
    result = output(out, shape)
    y = result.reshape(rows.shape)
    call("layer_norm", inputs, [y], {"epsilon": float(eps)}, threads=threads, isa=isa)
    return result


def group_norm(
    x: ArrayLike,
    groups: int,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-5,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Normalise each of ``groups`` equal groups of channels; ``groups=c`` is InstanceNorm.

    Parameters
    ----------
    x
        float32 ``[n, c, ...]``.
    groups
        Divides ``c``.
    weight, bias
        float32 ``[c]``, or None for ones and zeros.
    eps
        Added to the variance.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape of ``x``.

    Raises
    ------
    ArgumentError
        If shapes do not fit, or ``groups`` does not divide ``c``.
    ArgumentTypeError
        If an array is not float32.

    References
    ----------
    Wu and He, "Group Normalization", 2018.

    Examples
    --------
    >>> group_norm([[[1.0, 3.0], [5.0, 5.0]]], groups=2, eps=1.0).round(2)
    array([[[-0.71,  0.71],
            [ 0.  ,  0.  ]]], dtype=float32)
    """
    planes = _channels(x)
    c = planes.shape[1]
    inputs = [planes, _vector("weight", weight, c), _vector("bias", bias, c)]
    result = output(out, np.shape(x))
    attributes = {"groups": int(groups), "epsilon": float(eps)}
    y = result.reshape(planes.shape)
    call("group_norm", inputs, [y], attributes, threads=threads, isa=isa)
    return result


def batch_norm(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike,
    mean: ArrayLike,
    variance: ArrayLike,
    eps: float = 1e-5,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Normalise channels: ``(x - mean) / sqrt(variance + eps) * weight + bias``.

    Parameters
    ----------
    x
        float32 ``[n, c, ...]``.
    weight, bias, mean, variance
        float32 ``[c]``.
    eps
        Added to the variance.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape of ``x``.

    Raises
    ------
    ArgumentError
        If shapes do not fit.
    ArgumentTypeError
        If an array is not float32.

    References
    ----------
    Ioffe and Szegedy, "Batch Normalization", 2015.

    Examples
    --------
    >>> batch_norm([[[3.0]]], [2.0], [1.0], [1.0], [4.0], eps=0.0)
    array([[[3.]]], dtype=float32)
    """
    planes = _channels(x)
    c = planes.shape[1]
    named = {"weight": weight, "bias": bias, "mean": mean, "variance": variance}
    for name, value in named.items():
        check_shape(name, as_array(name, value, ndim=1), (c,))
    scale = np.asarray(weight, np.float64) / np.sqrt(np.asarray(variance, np.float64) + eps)
    shift = np.asarray(bias, np.float64) - np.asarray(mean, np.float64) * scale
    inputs = [planes, scale.astype(np.float32), shift.astype(np.float32)]
    result = output(out, np.shape(x))
    y = result.reshape(planes.shape)
    call("scale_shift", inputs, [y], {}, threads=threads, isa=isa)
    return result


def _channels(x: ArrayLike) -> Array:
    """``x`` as ``[n, c, s]``."""
    array = as_array("x", x)
    if array.ndim < 2:
        raise ArgumentError(f"x has shape {array.shape}, expected [n, c, ...]")
    n, c = array.shape[:2]
    return np.ascontiguousarray(array).reshape(n, c, math.prod(array.shape[2:]))
