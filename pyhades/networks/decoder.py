"""A multi-scale saliency decoder: context modules, axial attention, a pyramid of maps.

The parts follow InSPyReNet (Kim et al. 2022): receptive fields of 1xk, kx1 and dilated
convolutions, attention along rows and columns, attention between features and coarser maps, and
maps that are upsampled by a Gaussian and corrected at each scale.
"""

from __future__ import annotations

import math

import numpy as np

from pyhades.ir.graph import Value
from pyhades.ir.shapes import shape
from pyhades.networks.layers import NetworkBuilder, Pair

_ALIGNED = "align_corners"
_BLUR = 7
_BLUR_DEVIATION = 1.0


class Decoder(NetworkBuilder):
    """Five feature maps of a backbone to saliency maps at four sizes."""

    def decode(self, features: list[Value], channels: int, size: Pair) -> list[Value]:
        """Logits at 1/8, 1/4, 1/2 and full ``size``, coarse to fine."""
        contexts = []
        for index, feature in enumerate(features, 1):
            with self.within(f"context{index}"):
                contexts.append(self._context(feature, channels))
        with self.within("decoder"):
            y, coarse = self._first_map(contexts[2:], channels)
        maps: list[Value] = [coarse]
        residual: Value | None = None
        skips = [contexts[1], contexts[0], None]
        for index, (skip, scale) in enumerate(zip(skips, (4, 2, 1), strict=True)):
            with self.within(f"attention{index}"):
                target = (size[0] // scale, size[1] // scale)
                guides = [maps[-1]] if residual is None else [maps[-1], residual]
                y, residual = self._refine(y, skip, guides, target, channels)
                maps.append(self._expand(maps[-1], residual, target))
        return maps

    def normalized(self, logits: Value) -> Value:
        """Sigmoid, stretched to [0, 1] over the whole tensor."""
        y = self.one("Sigmoid", logits)
        low = self.one("ReduceMin", y, keepdims=0)
        spread = self.one("Sub", self.one("ReduceMax", y, keepdims=0), low)
        return self.one("Div", self.one("Sub", y, low), spread)

    def _context(self, x: Value, channels: int) -> Value:
        """Four branches with growing receptive fields, and a shortcut."""
        branches = [self.conv(x, channels, (1, 1))]
        for k in (3, 5, 7):
            y = self.conv(x, channels, (1, 1), gain=1.0)
            y = self.conv(self.conv(y, channels, (1, k), gain=1.0), channels, (k, 1), gain=1.0)
            branches.append(self.conv(self._axial(y), channels, dilation=k, gain=1.0))
        joined = self.conv(self.concat(*branches), channels, gain=1.0)
        return self.one("Relu", self.one("Add", joined, self.conv(x, channels, (1, 1), gain=1.0)))

    def _axial(self, x: Value) -> Value:
        """Self-attention along two axes, summed."""
        return self.one("Add", self._self_attention(x), self._self_attention(x))

    def _self_attention(self, x: Value) -> Value:
        n, channels, height, width = shape(x)
        narrow = max(channels // 8, 1)
        q = self.reshape(self.conv(x, narrow, (1, 1), gain=0.3), n, -1, width)
        k = self.reshape(self.conv(x, narrow, (1, 1), gain=0.3), n, -1, width)
        scores = self.one("MatMul", self.transpose(q, 0, 2, 1), k)
        weights = self.transpose(self.one("Softmax", scores, axis=-1), 0, 2, 1)
        v = self.reshape(self.conv(x, channels, (1, 1), gain=1.0), n, -1, width)
        y = self.reshape(self.one("MatMul", v, weights), n, channels, height, width)
        gamma = self.constant([0.3], np.float32, "gamma")
        return self.one("Add", self.one("Mul", gamma, y), x)

    def _first_map(self, contexts: list[Value], channels: int) -> tuple[Value, Value]:
        """Features and logits at 1/8 from the three coarsest contexts."""
        finest, *coarser = contexts
        _, _, height, width = shape(finest)
        grown = [self.resize(y, (height, width), _ALIGNED) for y in reversed(coarser)]
        y = self._axial(self.conv(self.concat(*grown, finest), channels, gain=1.0))
        for _ in range(3):
            y = self.conv(y, channels, gain=1.0)
        return y, self.conv(y, 1, gain=0.5, bias=False)

    def _refine(
        self, y: Value, skip: Value | None, guides: list[Value], size: Pair, channels: int
    ) -> tuple[Value, Value]:
        """Features at ``size`` that attend to coarser maps, and the correction they propose."""
        parts = [part for part in (skip, y) if part is not None]
        grown = [p if shape(p)[2:] == size else self.resize(p, size) for p in parts]
        x = self.concat(*grown) if len(grown) > 1 else grown[0]
        regions = self.concat(*self._regions(guides, size))
        attended = self._attend_regions(x, regions, channels)
        y = self.conv_relu(self.concat(x, attended), channels)
        y = self.conv_relu(y, channels)
        return y, self.conv(y, 1, (1, 1), gain=0.5)

    def _regions(self, guides: list[Value], size: Pair) -> list[Value]:
        """Foreground, background and, of the first guide, what is uncertain."""
        half, zero, one = self.constant([0.5], np.float32), self.scalar(0), self.scalar(1)
        regions = []
        for index, guide in enumerate(guides):
            margin = self.one("Sub", self.one("Sigmoid", self.resize(guide, size)), half)
            regions.append(self.one("Clip", margin, zero, one))
            regions.append(self.one("Clip", self.one("Neg", margin), zero, one))
            if index == 0:
                regions.append(self.one("Sub", half, self.one("Abs", margin)))
        return regions

    def _attend_regions(self, x: Value, regions: Value, channels: int) -> Value:
        """Every pixel attends to the mean features of the regions."""
        n, _, height, width = shape(x)
        pixels, count = height * width, shape(regions)[1]
        # Reshape instead of transpose is what the original does, so it is what we time.
        rows = self.reshape(x, n, pixels, -1)
        sums = self.one("MatMul", self.reshape(regions, n, count, pixels), rows)
        context = self.one("Mul", sums, self.scalar(4 / pixels))
        context = self.unsqueeze(self.transpose(context, 0, 2, 1), 3)
        query = self.conv_relu(self.conv_relu(x, channels), channels)
        key, value = (
            self.conv_relu(self.conv_relu(context, channels, (1, 1)), channels, (1, 1))
            for _ in range(2)
        )
        query = self.transpose(self.reshape(query, n, channels, -1), 0, 2, 1)
        scores = self.one("MatMul", query, self.reshape(key, n, channels, -1))
        scores = self.one("Mul", scores, self.scalar(channels**-0.5))
        weights = self.one("Softmax", scores, axis=-1)
        value = self.transpose(self.reshape(value, n, channels, -1), 0, 2, 1)
        y = self.transpose(self.one("MatMul", weights, value), 0, 2, 1)
        return self.conv_relu(self.reshape(y, n, -1, height, width), channels)

    def _expand(self, coarse: Value, residual: Value, size: Pair) -> Value:
        """Double the size of a map by zeros and a Gaussian, then add the correction."""
        n, _, height, width = shape(coarse)
        zeros = self.constant(np.zeros((n, 1, height, width)), np.float32, "zeros")
        spread = self.concat(coarse, zeros, zeros, zeros)
        spread = self.one("DepthToSpace", spread, mode="CRD", blocksize=2)
        edge = _BLUR // 2
        pads = self.integers([0, 0, edge, edge, 0, 0, edge, edge])
        padded = self.one("Pad", spread, pads, mode="reflect")
        blur = self.constant(_gaussian()[None, None] * 4, np.float32, "gaussian")
        attributes = {"kernel_shape": [_BLUR, _BLUR], "pads": [0, 0, 0, 0], "strides": [1, 1]}
        smooth = self.emit("Conv", [padded, blur], attributes)[0]
        return self.one("Add", smooth, self.resize(residual, size, _ALIGNED))


def _gaussian() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """A normalised Gaussian kernel [7, 7]."""
    x = np.arange(_BLUR) - _BLUR // 2
    line = np.array([math.exp(-0.5 * (v / _BLUR_DEVIATION) ** 2) for v in x])
    return np.asarray(np.outer(line, line) / line.sum() ** 2)
