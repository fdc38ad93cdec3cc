"""The default network: a small U-shaped encoder and decoder that predicts an alpha matte.

Residual blocks of plain 3x3 convolutions while the maps are large and the channels few, inverted
residuals with depthwise 5x5 kernels (some dilated) where the maps are small, a bilinear decoder
with skip connections, and a last stage at full resolution that sees the picture again, for sharp
edges. Only operators that every runtime has: Conv, Relu, Add, Concat, Resize, Sigmoid (and
BatchNorm, which the export folds away).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 192  # the exported input is SIDE x SIDE


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1,
         dilation: int = 1) -> nn.Sequential:  # fmt: skip
    """Make a convolution that keeps the size (up to the stride), with BatchNorm."""
    padding = dilation * (kernel // 2)
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Refine a map; its shape stays."""
        return F.relu(x + self.second(F.relu(self.first(x))))


class Inverted(nn.Module):
    """Widen, filter each channel with a depthwise kernel, project back, add."""

    def __init__(self, channels: int, kernel: int = 5, dilation: int = 1) -> None:
        super().__init__()
        wide = 2 * channels
        self.expand = conv(channels, wide, 1)
        self.filter = conv(wide, wide, kernel, groups=wide, dilation=dilation)
        self.project = conv(wide, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Refine a map; its shape stays."""
        update: Tensor = self.project(F.relu(self.filter(F.relu(self.expand(x)))))
        return x + update


class Down(nn.Module):
    """Halve the size with a strided convolution, then refine."""

    def __init__(self, inputs: int, outputs: int, *blocks: nn.Module) -> None:
        super().__init__()
        self.reduce = conv(inputs, outputs, stride=2)
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Halve height and width."""
        refined: Tensor = self.blocks(F.relu(self.reduce(x)))
        return refined


class Up(nn.Module):
    """Double the size, join the encoder's map of that size, mix."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.narrow = conv(inputs, outputs, 1)
        self.mix = conv(outputs + skip, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Join `x`, enlarged, with the map `skip` of twice its size."""
        joined = torch.cat([enlarge(F.relu(self.narrow(x))), skip], 1)
        return F.relu(self.mix(joined))


def enlarge(x: Tensor, factor: int = 2) -> Tensor:
    """Enlarge bilinearly by a whole factor, half-pixel centres."""
    return F.interpolate(x, scale_factor=float(factor), mode="bilinear", align_corners=False)


class MatteNet(nn.Module):
    """Picture ``[n, 3, h, w]`` (ImageNet-normalised) to alpha ``[n, 1, h, w]`` in [0, 1].

    Height and width are multiples of 32. `logits` gives what training needs: the matte before
    the sigmoid and coarse predictions of every decoder stage, coarsest first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down1 = Down(3, 16)
        self.down2 = Down(16, 24, Residual(24))
        self.down3 = Down(24, 48, Residual(48), Inverted(48), Inverted(48))
        self.down4 = Down(48, 80, Inverted(80), Inverted(80, 5, 2), Inverted(80))
        self.down5 = Down(80, 128, Inverted(128), Inverted(128, 3, 2), Inverted(128), Inverted(128))
        self.up4 = Up(128, 80, 64)
        self.up3 = Up(64, 48, 40)
        self.up2 = Up(40, 24, 24)
        self.up1 = Up(24, 16, 10)
        self.head = nn.Sequential(conv(10 + 3, 8), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
        self.sides = nn.ModuleList([nn.Conv2d(width, 1, 1) for width in (128, 64, 40, 24)])

    def _decode(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        x1 = self.down1(x)
        x2 = self.down2(x1)
        x3 = self.down3(x2)
        x4 = self.down4(x3)
        x5 = self.down5(x4)
        y4 = self.up4(x5, x4)
        y3 = self.up3(y4, x3)
        y2 = self.up2(y3, x2)
        y1 = self.up1(y2, x1)
        return self.head(torch.cat([enlarge(y1), x], 1)), [x5, y4, y3, y2]

    def logits(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the matte's logits and those of the side heads, each at its own size."""
        matte, stages = self._decode(x)
        return matte, [side(stage) for side, stage in zip(self.sides, stages, strict=True)]

    def forward(self, x: Tensor) -> Tensor:
        """Predict alpha."""
        return torch.sigmoid(self._decode(x)[0])
