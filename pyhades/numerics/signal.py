"""Discrete Fourier transforms of interleaved complex numbers, and filter banks on the mel scale."""

from __future__ import annotations

import numpy as np

from pyhades.numerics.array import Array


def as_complex(x: Array) -> Array:
    """Real and imaginary parts in the last axis, of which the second may be missing."""
    return x[..., 0] if x.shape[-1] == 1 else x[..., 0] + 1j * x[..., 1]


def fourier(x: Array, axis: int, length: int, inverse: bool, onesided: bool) -> Array:
    """The transform along ``axis`` of x [..., 1 or 2], cut or padded with zeros to ``length``.

    ``onesided`` gives the first half of the spectrum of a real signal, or takes it if ``inverse``
    and gives a real signal [..., 1]. The inverse is divided by ``length``.
    """
    z = as_complex(x)
    if inverse and onesided:
        return np.asarray(np.fft.irfft(z, length, axis)[..., None])
    y = (np.fft.ifft if inverse else np.fft.fft)(z, length, axis)
    if onesided:
        y = y.take(range(length // 2 + 1), axis=axis)
    return np.stack([y.real, y.imag], axis=-1)


def fourier_matrix(n: int, inverse: bool) -> Array:
    """exp(-2 pi i j k / n) [n, n], complex128; conjugate and divided by n if ``inverse``."""
    # Of the remainder, whose angle is exact: products of large indices would lose bits.
    angles = np.outer(np.arange(n), np.arange(n)) % n * (2 * np.pi / n)
    return np.asarray(np.exp(1j * angles) / n if inverse else np.exp(-1j * angles))


def mel_weights(bins: int, length: int, rate: int, lower: float, upper: float) -> Array:
    """Triangles in the mel scale over the bins of a spectrum, [length // 2 + 1, bins], float64."""

    def mel(hertz: float) -> float:
        return float(2595 * np.log10(1 + hertz / 700))

    count = bins + 2
    steps = mel(lower) + np.arange(count) * (mel(upper) - mel(lower)) / count
    hertz = 700 * (10 ** (steps / 2595) - 1)
    edges = np.floor((length + 1) * hertz / rate).astype(np.int64)
    left, centre, right = (edges[i : i + bins] for i in range(3))
    position = np.arange(length // 2 + 1)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        rising = np.where(centre > left, (position - left) / (centre - left), position == centre)
        falling = (right - position) / (right - centre)
    inside = (position >= left) & (position <= centre)
    y = np.where(inside, rising, 0.0)
    return np.where((position >= centre) & (position < right), falling, y)
