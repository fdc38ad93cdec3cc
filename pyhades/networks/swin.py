"""A Swin transformer (Liu et al. 2021) with a multi-scale decoder, as InSPyReNet combines them.

The graph is spelled as exporters spell it: GELU by Erf, q, k and v by Gather, relative-position
biases and shifted-window masks as chains of constants that a compiler has to fold.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pyhades.errors import ArgumentError
from pyhades.ir.graph import Graph, Value
from pyhades.ir.shapes import shape
from pyhades.networks.decoder import Decoder
from pyhades.networks.layers import Pair, image_input
from pyhades.onnx.writer import save_onnx

_PATCH = 4
_MASKED = -100.0
_END = np.iinfo(np.int64).max


@dataclass(frozen=True)
class SwinConfig:
    """Hyper-parameters; the defaults are Swin-B with 12 x 12 windows and a 64-channel decoder."""

    embed_dim: int = 128
    depths: tuple[int, ...] = (2, 2, 18, 2)
    num_heads: tuple[int, ...] = (4, 8, 16, 32)
    window_size: int = 12
    mlp_ratio: int = 4
    decoder_channels: int = 64

    @classmethod
    def tiny(cls) -> SwinConfig:
        """A network of the same kind for tests: 5 x 5 windows that do not divide the features."""
        return cls(8, (2, 2, 1, 1), (1, 2, 2, 4), 5, 2, 8)


class _Swin(Decoder):
    def __init__(self, config: SwinConfig, seed: int) -> None:
        super().__init__(seed)
        self._config = config
        self._window = config.window_size

    def features(self, image: Value) -> list[Value]:
        """Five feature maps [n, c, h, w]: the patches and the output of each stage."""
        config = self._config
        with self.within("patch_embed"):
            x = self.conv(image, config.embed_dim, (_PATCH, _PATCH), 1, _PATCH, 1.0, same=False)
            n, _, height, width = shape(x)
            x = self.layer_norm(self.transpose(self.reshape(x, n, config.embed_dim, -1), 0, 2, 1))
            maps = [self._as_map(x, (height, width))]
        size = (height, width)
        for stage, (depth, heads) in enumerate(zip(config.depths, config.num_heads, strict=True)):
            with self.within(f"stage{stage}"):
                if stage:
                    x, size = self._merge_patches(x, size)
                mask = self._shift_mask(self._padded(size))
                for index in range(depth):
                    with self.within(f"block{index}"):
                        x = self._block(x, size, heads, mask if index % 2 else None)
                maps.append(self._as_map(self.layer_norm(x), size))
        return maps

    def _as_map(self, x: Value, size: Pair) -> Value:
        n, _, channels = shape(x)
        return self.transpose(self.reshape(x, n, *size, channels), 0, 3, 1, 2)

    def _padded(self, size: Pair) -> Pair:
        height, width = (-(-extent // self._window) * self._window for extent in size)
        return height, width

    def _merge_patches(self, x: Value, size: Pair) -> tuple[Value, Pair]:
        """2 x 2 neighbours become one token of twice the width."""
        n, _, channels = shape(x)
        image = self.reshape(x, n, *size, channels)
        rows = [self.slice(image, 1, first, _END, 2) for first in (0, 1)]
        parts = [self.slice(row, 2, first, _END, 2) for first in (0, 1) for row in rows]
        merged = self.reshape(self.concat(*parts, axis=-1), n, -1, 4 * channels)
        merged = self.linear(self.layer_norm(merged), 2 * channels, bias=False)
        return merged, (size[0] // 2, size[1] // 2)

    def _block(self, x: Value, size: Pair, heads: int, mask: Value | None) -> Value:
        """Attention in windows (shifted where there is a mask) and a two-layer perceptron."""
        n, tokens, channels = shape(x)
        y = self._window_attention(self.layer_norm(x), size, heads, mask)
        x = self.one("Add", x, self.reshape(y, n, tokens, channels))
        y = self._gelu(self.linear(self.layer_norm(x), self._config.mlp_ratio * channels))
        return self.one("Add", x, self.linear(y, channels, gain=0.5))

    def _gelu(self, x: Value) -> Value:
        cumulative = self.one("Erf", self.one("Div", x, self.scalar(math.sqrt(2))))
        cumulative = self.one("Add", cumulative, self.scalar(1))
        return self.one("Mul", x, self.one("Mul", self.scalar(0.5), cumulative))

    def _window_attention(self, x: Value, size: Pair, heads: int, mask: Value | None) -> Value:
        n, _, channels = shape(x)
        padded, shift = self._padded(size), self._window // 2
        y = self.reshape(x, n, *size, channels)
        pads = [0, 0, 0, 0, 0, padded[0] - size[0], padded[1] - size[1], 0]
        y = self.one("Pad", y, self.integers(pads), mode="constant")
        if mask is not None:
            y = self._roll(y, shift)
        y = self._attend(self._windows(y), heads, mask)
        y = self._unwindow(y, n, padded)
        if mask is not None:
            y = self._roll(y, -shift)
        for axis in (1, 2):
            if padded[axis - 1] != size[axis - 1]:
                y = self.slice(y, axis, 0, size[axis - 1])
        return y

    def _roll(self, x: Value, by: int) -> Value:
        """Rotate rows and columns towards the front, spelled Slice and Concat."""
        for axis in (1, 2):
            extent = shape(x)[axis]
            head = self.slice(x, axis, 0, by % extent)
            x = self.concat(self.slice(x, axis, by % extent, extent), head, axis=axis)
        return x

    def _windows(self, x: Value) -> Value:
        """[n, h, w, c] to [windows, w * w, c]."""
        n, height, width, channels = shape(x)
        w = self._window
        tiles = self.reshape(x, n, height // w, w, width // w, w, channels)
        return self.reshape(self.transpose(tiles, 0, 1, 3, 2, 4, 5), -1, w * w, channels)

    def _unwindow(self, x: Value, n: int, size: Pair) -> Value:
        """[windows, w * w, c] to [n, h, w, c]."""
        w, channels = self._window, shape(x)[-1]
        tiles = self.reshape(x, n, size[0] // w, size[1] // w, w, w, channels)
        return self.reshape(self.transpose(tiles, 0, 1, 3, 2, 4, 5), n, *size, channels)

    def _attend(self, x: Value, heads: int, mask: Value | None) -> Value:
        windows, tokens, channels = shape(x)
        head_dim = channels // heads
        qkv = self.reshape(self.linear(x, 3 * channels), windows, tokens, 3, heads, head_dim)
        qkv = self.transpose(qkv, 2, 0, 3, 1, 4)
        q, k, v = (
            self.one("Gather", qkv, self.constant(index, np.int64), axis=0) for index in range(3)
        )
        q = self.one("Mul", q, self.scalar(head_dim**-0.5))
        scores = self.one("MatMul", q, self.transpose(k, 0, 1, 3, 2))
        scores = self.one("Add", scores, self._position_bias(heads))
        if mask is not None:
            # The mask has one entry per window of an image; the batch comes before it.
            per_image = shape(mask)[0]
            scores = self.reshape(scores, windows // per_image, per_image, heads, tokens, tokens)
            scores = self.one("Add", scores, self.unsqueeze(mask, 0, 2))
            scores = self.reshape(scores, -1, heads, tokens, tokens)
        y = self.one("MatMul", self.one("Softmax", scores, axis=-1), v)
        y = self.reshape(self.transpose(y, 0, 2, 1, 3), windows, tokens, channels)
        return self.linear(y, channels, gain=0.5)

    def _position_bias(self, heads: int) -> Value:
        """A bias per head and relative position [1, heads, w * w, w * w], gathered from a table."""
        w = self._window
        table = self.normal(((2 * w - 1) ** 2, heads), 0.5, "relative_position_bias_table")
        index = self.constant(relative_position_index(w), np.int64, "relative_position_index")
        rows = self.unsqueeze(self.reshape(index, -1), -1)
        bias = self.reshape(self.one("GatherND", table, rows, batch_dims=0), w * w, w * w, -1)
        return self.unsqueeze(self.transpose(bias, 2, 0, 1), 0)

    def _shift_mask(self, size: Pair) -> Value:
        """Which tokens of a shifted window must not see each other [windows, w * w, w * w]."""
        height, width = size
        regions = self.constant(np.zeros((1, height, width, 1)), np.float32, "regions")
        number = 0
        for rows in self._bands(height):
            for columns in self._bands(width):
                regions = self._assign(regions, rows, columns, float(number))
                number += 1
        w = self._window
        of_window = self.reshape(self._windows(regions), -1, w * w)
        difference = self.one("Sub", self.unsqueeze(of_window, 1), self.unsqueeze(of_window, 2))
        equal = self.one("Equal", difference, self.scalar(0))
        masked = self.one("Where", self.one("Not", equal), self.scalar(_MASKED), difference)
        return self.one("Where", equal, self.scalar(0), masked)

    def _bands(self, extent: int) -> list[range]:
        w, shift = self._window, self._window // 2
        edges = [0, extent - w, extent - shift, extent]
        return [range(*edge) for edge in pairwise(edges)]

    def _assign(self, x: Value, rows: range, columns: range, number: float) -> Value:
        """x[:, rows, columns] = number, spelled Slice, Transpose and ScatterND."""
        if not rows or not columns:
            return x
        band = self.transpose(self.slice(x, 1, rows.start, rows.stop), 2, 1, 0, 3)
        updates = np.full((len(columns), len(rows), 1, 1), number)
        band = self._scatter(band, columns, self.constant(updates, np.float32))
        by_row = self._scatter(
            self.transpose(x, 1, 0, 2, 3), rows, self.transpose(band, 1, 2, 0, 3)
        )
        return self.transpose(by_row, 1, 0, 2, 3)

    def _scatter(self, x: Value, positions: range, updates: Value) -> Value:
        index = self.constant(np.array(positions)[:, None], np.int64)
        return self.one("ScatterND", x, index, updates, reduction="none")


def relative_position_index(window: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Row of the bias table for each pair of tokens of a window, [w * w, w * w]."""
    ys, xs = np.divmod(np.arange(window * window), window)
    dy = ys[:, None] - ys + window - 1
    dx = xs[:, None] - xs + window - 1
    return np.asarray(dy * (2 * window - 1) + dx, np.int64)


def swin(
    size: int | Pair = 384,
    config: SwinConfig | None = None,
    seed: int = 0,
    batch: int = 1,
    saliency: bool = False,
) -> Graph:
    """Build a Swin transformer with a multi-scale decoder and random weights.

    Parameters
    ----------
    size
        Input height and width, multiples of 32, or one number for both.
    config
        Hyper-parameters; by default Swin-B.
    seed
        Of the weights.
    batch
        Images per run; the last normalisation is over all of them.
    saliency
        Also return the maps before the last min-max normalisation.

    Returns
    -------
    Graph
        Input ``input`` [batch, 3, h, w]; output ``mask`` [batch, 1, h, w] in [0, 1] and, if asked
        for, ``d3`` to ``d0``, logits at 1/8, 1/4, 1/2 and full size.

    Raises
    ------
    ArgumentError
        If the size is no multiple of 32.

    Examples
    --------
    >>> len(swin(64, SwinConfig.tiny(), saliency=True).outputs)
    5
    """
    height, width = (size, size) if isinstance(size, int) else size
    if height % 32 or width % 32:
        raise ArgumentError(f"size {height} x {width} must be a multiple of 32")
    net = _Swin(config or SwinConfig(), seed)
    image = image_input(batch, height, width)
    channels = (config or SwinConfig()).decoder_channels
    maps = net.decode(net.features(image), channels, (height, width))
    outputs = {"mask": net.normalized(maps[-1])}
    if saliency:
        outputs |= {f"d{3 - index}": y for index, y in enumerate(maps)}
    return net.graph("swin", {"input": image}, outputs)


def write_swin(
    path: str | os.PathLike[str],
    size: int | Pair = 384,
    config: SwinConfig | None = None,
    seed: int = 0,
    batch: int = 1,
    saliency: bool = False,
) -> None:
    """Write ``swin`` as an ONNX file (opset 18).

    Parameters
    ----------
    path
        File to write or overwrite.
    size, config, seed, batch, saliency
        Those of ``swin``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_swin(f"{folder}/net.onnx", 64, SwinConfig.tiny())
    """
    save_onnx(swin(size, config, seed, batch, saliency), path, opset=18)
