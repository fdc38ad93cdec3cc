"""U²-Net (Qin et al. 2020): a U of residual U-blocks, at full and at small size.

The wiring and widths are those of the paper, BatchNorm folded into the convolutions as exporters
do; the weights are random.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pyhades.arguments import one_of
from pyhades.ir.graph import Graph, Value
from pyhades.ir.shapes import shape
from pyhades.networks.layers import NetworkBuilder, Pair, image_input
from pyhades.onnx.writer import save_onnx

Sizes = Literal["constant", "traced"]


@dataclass(frozen=True)
class Block:
    """One residual U-block: its depth (0: dilations instead of pooling), inner and outer width."""

    depth: int
    inner: int
    outer: int


_FULL_ENCODER = (
    Block(7, 32, 64),
    Block(6, 32, 128),
    Block(5, 64, 256),
    Block(4, 128, 512),
    Block(0, 256, 512),
    Block(0, 256, 512),
)
_FULL_DECODER = (
    Block(0, 256, 512),
    Block(4, 128, 256),
    Block(5, 64, 128),
    Block(6, 32, 64),
    Block(7, 16, 64),
)
_SMALL_ENCODER = tuple(Block(block.depth, 16, 64) for block in _FULL_ENCODER)
_SMALL_DECODER = tuple(Block(block.depth, 16, 64) for block in _FULL_DECODER)


class _U2Net(NetworkBuilder):
    def __init__(self, seed: int, sizes: Sizes) -> None:
        super().__init__(seed)
        self._sizes = one_of("sizes", sizes, Sizes)

    def pool(self, x: Value) -> Value:
        """Halve the size, rounding up."""
        attributes = {"ceil_mode": 1, "kernel_shape": [2, 2], "strides": [2, 2]}
        return self.emit("MaxPool", [x], attributes)[0]

    def upsample_like(self, x: Value, target: Value) -> Value:
        """Bilinear to the height and width of ``target``."""
        if self._sizes == "constant":
            return self.resize(x, self._size(target))
        # What tracing exporters write: shapes are cut and glued at run time.
        kept = self.slice(self.one("Shape", x), 0, 0, 2)
        wanted = self.slice(self.one("Shape", target), 0, 2, 4)
        wanted = self.one("Cast", wanted, to=np.dtype(np.int64))
        sizes = self.concat(kept, wanted, axis=0)
        y = self.resize_to(x, sizes)
        assert x.type is not None
        y.type = type(x.type)(x.type.dtype, (*shape(x)[:2], *self._size(target)))
        return y

    @staticmethod
    def _size(x: Value) -> Pair:
        _, _, height, width = shape(x)
        return height, width

    def block(self, x: Value, spec: Block) -> Value:
        """A residual U-block: a small U-Net whose output is added to its first features."""
        first = self.conv_relu(x, spec.outer)
        inside = self._pooled if spec.depth else self._dilated
        return self.one("Add", inside(first, spec), first)

    def _pooled(self, x: Value, spec: Block) -> Value:
        down = [self.conv_relu(x, spec.inner)]
        for _ in range(spec.depth - 2):
            down.append(self.conv_relu(self.pool(down[-1]), spec.inner))
        y = self.conv_relu(down[-1], spec.inner, dilation=2)
        for skip in reversed(down):
            if self._size(y) != self._size(skip):
                y = self.upsample_like(y, skip)
            y = self.conv_relu(self.concat(y, skip), spec.outer if skip is down[0] else spec.inner)
        return y

    def _dilated(self, x: Value, spec: Block) -> Value:
        down = [self.conv_relu(x, spec.inner)]
        for dilation in (2, 4):
            down.append(self.conv_relu(down[-1], spec.inner, dilation=dilation))
        y = self.conv_relu(down[-1], spec.inner, dilation=8)
        for skip, dilation in zip(reversed(down), (4, 2, 1), strict=True):
            width = spec.outer if skip is down[0] else spec.inner
            y = self.conv_relu(self.concat(y, skip), width, dilation=dilation)
        return y

    def maps(self, x: Value, small: bool) -> list[Value]:
        """The fused map and the six side maps, as logits at full size."""
        encoder, decoder = (
            (_SMALL_ENCODER, _SMALL_DECODER) if small else (_FULL_ENCODER, _FULL_DECODER)
        )
        features: list[Value] = []
        for number, spec in enumerate(encoder, 1):
            with self.within(f"stage{number}"):
                x = self.block(self.pool(x) if features else x, spec)
                features.append(x)
        decoded = [features.pop()]
        for number, spec in zip(range(5, 0, -1), decoder, strict=True):
            with self.within(f"stage{number}d"):
                skip = features.pop()
                merged = self.concat(self.upsample_like(decoded[-1], skip), skip)
                decoded.append(self.block(merged, spec))
        with self.within("side"):
            sides = [self.conv(y, 1, gain=0.25) for y in reversed(decoded)]
            full = [sides[0], *(self.upsample_like(side, sides[0]) for side in sides[1:])]
            return [self.conv(self.concat(*full), 1, (1, 1), gain=1.0), *full]


def u2net(
    size: int | Pair = 320,
    small: bool = False,
    seed: int = 0,
    batch: int = 1,
    sizes: Sizes = "traced",
) -> Graph:
    """Build U²-Net (44.0 million parameters) or U²-Netp (1.1 million) with random weights.

    Parameters
    ----------
    size
        Input height and width, or one number for both.
    small
        Build the small variant, U²-Netp.
    seed
        Of the weights.
    batch
        Images per run.
    sizes
        How Resize learns its target: ``"traced"`` by Shape, Slice, Cast and Concat nodes as the
        older exporter writes them, ``"constant"`` by a constant.

    Returns
    -------
    Graph
        Input ``input`` [batch, 3, h, w]; outputs ``d0`` to ``d6`` [batch, 1, h, w] in (0, 1).

    Examples
    --------
    >>> len(u2net(64, small=True).outputs)
    7
    """
    height, width = (size, size) if isinstance(size, int) else size
    net = _U2Net(seed, sizes)
    x = image_input(batch, height, width)
    maps = [net.one("Sigmoid", y) for y in net.maps(x, small)]
    outputs = {f"d{index}": y for index, y in enumerate(maps)}
    return net.graph("u2netp" if small else "u2net", {"input": x}, outputs)


def write_u2net(
    path: str | os.PathLike[str],
    size: int | Pair = 320,
    small: bool = False,
    seed: int = 0,
    batch: int = 1,
    sizes: Sizes = "traced",
) -> None:
    """Write ``u2net`` as an ONNX file (opset 17).

    Parameters
    ----------
    path
        File to write or overwrite.
    size, small, seed, batch, sizes
        Those of ``u2net``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_u2net(f"{folder}/net.onnx", 64, small=True)
    """
    save_onnx(u2net(size, small, seed, batch, sizes), path, opset=17)
