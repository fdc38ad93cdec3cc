"""IS-Net in torch: nested U's of U's, six side outputs (Qin et al., 2022)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Sequential):
    """Convolution, normalisation, rectifier."""

    def __init__(self, inputs: int, outputs: int, dilation: int = 1, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )


def like(x: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """``x`` interpolated to the extents of another map."""
    return functional.interpolate(x, size=reference.shape[2:], mode="bilinear")


class ResidualU(nn.Module):
    """A U of ``height`` levels around which a residual goes; ``dilated`` ones keep their size."""

    def __init__(
        self, height: int, inputs: int, middle: int, outputs: int, dilated: bool = False
    ) -> None:
        super().__init__()
        self.dilated = dilated
        self.entry = Block(inputs, outputs)
        widths = [outputs] + [middle] * (height - 1)
        steps = [2**level for level in range(height)] if dilated else [1] * (height - 1) + [2]
        self.down = nn.ModuleList(
            Block(width, middle, step) for width, step in zip(widths, steps, strict=True)
        )
        ups = [middle] * (height - 2) + [outputs]
        back = steps[-2::-1] if dilated else [1] * (height - 1)
        self.up = nn.ModuleList(
            Block(2 * middle, width, step) for width, step in zip(ups, back, strict=True)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        entry = x = self.entry(x)
        levels = []
        for index, block in enumerate(self.down):
            between = 0 < index < len(self.down) - 1
            if between and not self.dilated:
                x = functional.max_pool2d(x, 2, ceil_mode=True)
            x = block(x)
            levels.append(x)
        x = levels.pop()
        for block in self.up:
            skip = levels.pop()
            x = block(torch.cat([x if self.dilated else like(x, skip), skip], 1))
        return x + entry


class ISNet(nn.Module):
    """1x3xhxw to a mask and five coarser ones, all after a sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.entry = nn.Conv2d(3, 64, 3, 2, 1)
        sizes = [
            (7, 64, 32, 64, False),
            (6, 64, 32, 128, False),
            (5, 128, 64, 256, False),
            (4, 256, 128, 512, False),
            (4, 512, 256, 512, True),
            (4, 512, 256, 512, True),
        ]
        self.encoder = nn.ModuleList(ResidualU(*size) for size in sizes)
        backward = [
            (4, 1024, 256, 512, True),
            (4, 1024, 128, 256, False),
            (5, 512, 64, 128, False),
            (6, 256, 32, 64, False),
            (7, 128, 16, 64, False),
        ]
        self.decoder = nn.ModuleList(ResidualU(*size) for size in backward)
        self.sides = nn.ModuleList(
            nn.Conv2d(width, 1, 3, 1, 1) for width in (64, 64, 128, 256, 512, 512)
        )

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = self.entry(image)
        levels = []
        for index, stage in enumerate(self.encoder):
            if index:
                x = functional.max_pool2d(x, 2, ceil_mode=True)
            x = stage(x)
            levels.append(x)
        maps = [levels.pop()]
        for stage in self.decoder:
            skip = levels.pop()
            maps.append(stage(torch.cat([like(maps[-1], skip), skip], 1)))
        sides = [side(x) for side, x in zip(self.sides, reversed(maps), strict=True)]
        return tuple(torch.sigmoid(like(side, image)) for side in sides)
