"""Matting networks in torch, after their papers: MODNet, and MVANet, which BEN2 grew from."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


def resized(x: torch.Tensor, factor: float) -> torch.Tensor:
    """``x`` with both extents times ``factor``."""
    return functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class MixedNorm(nn.Module):
    """Half of the channels normalised over the batch, half per picture."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.half = width // 2
        self.batch = nn.BatchNorm2d(self.half)
        self.instance = nn.InstanceNorm2d(width - self.half)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.batch(x[:, : self.half]), self.instance(x[:, self.half :])], 1)


class Block(nn.Sequential):
    """Convolution, mixed normalisation, rectifier."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2),
            MixedNorm(outputs),
            nn.ReLU(),
        )


class Inverted(nn.Module):
    """MobileNetV2's bottleneck: widen, depthwise, narrow."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += [nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU6()]
        layers += [
            nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU6(),
            nn.Conv2d(width, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


class MODNet(nn.Module):
    """Semantics at a sixteenth, details at a half, both fused to a matte."""

    STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1))
    LAST = ((6, 160, 3, 2), (6, 320, 1, 1))

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.entry = nn.Sequential(
            nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU6()
        )
        channels, stages = 32, []
        for expansion, outputs, count, stride in self.STAGES + self.LAST:
            blocks = []
            for index in range(count):
                blocks.append(Inverted(channels, outputs, stride if index == 0 else 1, expansion))
                channels = outputs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.last = nn.Sequential(nn.Conv2d(320, 1280, 1), nn.BatchNorm2d(1280), nn.ReLU6())
        self.squeeze = nn.Linear(1280, 320)
        self.excite = nn.Linear(320, 1280)
        self.semantic = nn.ModuleList([Block(1280, 96, 5), Block(96, 32, 5)])
        self.shallow = Block(16, width, 1)
        self.middle = Block(24, width, 1)
        self.details = nn.ModuleList(
            [
                Block(width + 3, width, 3, 2),
                Block(width * 2, width * 2, 3),
                Block(width * 2 + 32, width * 2, 3),
                Block(width * 2, width, 3),
            ]
        )
        self.fuse = nn.ModuleList([Block(32, width, 5), Block(2 * width, width, 3)])
        self.matte = nn.Conv2d(width + 3, 1, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.entry(image)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        x = self.last(x)
        weights = torch.sigmoid(self.excite(functional.relu(self.squeeze(x.mean((2, 3))))))
        x = x * weights[:, :, None, None]
        for block in self.semantic:
            x = block(resized(x, 2))
        half, quarter = self.shallow(maps[0]), self.middle(maps[1])
        small = resized(image, 0.25)
        first, second, third, fourth = self.details
        details = first(torch.cat([half, resized(image, 0.5)], 1))
        details = second(torch.cat([details, quarter], 1))
        details = third(torch.cat([details, resized(x, 2)], 1))
        details = fourth(details) * small.mean(1, keepdim=True)
        fused = resized(self.fuse[0](resized(x, 2)), 2)
        fused = self.fuse[1](torch.cat([fused, resized(details, 2)], 1))
        return torch.sigmoid(self.matte(torch.cat([resized(fused, 2), image], 1)))


class Views(nn.Module):
    """Attention of a picture's four quarters to pooled tokens of the whole, and back."""

    def __init__(self, width: int, heads: int, ratios: tuple[int, ...]) -> None:
        super().__init__()
        self.ratios = ratios
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.local = nn.ModuleList(
            nn.MultiheadAttention(width, heads, batch_first=True) for _ in range(4)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.grow, self.shrink = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, quarters: torch.Tensor, whole: torch.Tensor) -> tuple[torch.Tensor, ...]:
        _, c, h, w = whole.shape
        joined = quarters.reshape(2, 2, c, h, w).permute(2, 0, 3, 1, 4).reshape(1, c, 2 * h, 2 * w)
        pooled = [
            functional.adaptive_avg_pool2d(joined, (max(h // r, 1), max(w // r, 1))).flatten(2)
            for r in self.ratios
        ]
        tokens = torch.cat(pooled, 2).transpose(1, 2)
        query = whole.flatten(2).transpose(1, 2)
        query = self.norms[0](query + self.attention(query, tokens, tokens)[0])
        query = self.norms[1](query + self.shrink(functional.gelu(self.grow(query))))
        parts = torch.chunk(query.transpose(1, 2).reshape(1, c, h, w), 4, 2)
        found = []
        for index, attention in enumerate(self.local):
            own = quarters[index : index + 1].flatten(2).transpose(1, 2)
            key = parts[index].flatten(2).transpose(1, 2)
            found.append((own + attention(own, key, key)[0]).transpose(1, 2).reshape(1, c, h, w))
        return torch.cat(found), query.transpose(1, 2).reshape(1, c, h, w)


class MVANet(nn.Module):
    """A picture seen as a whole and as four quarters, by one encoder."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        widths = [width, width * 2, width * 4]
        stages, channels = [], 3
        for outputs in widths:
            stages.append(
                nn.Sequential(
                    nn.Conv2d(channels, outputs, 3, 2, 1),
                    nn.GroupNorm(8, outputs),
                    nn.PReLU(),
                    nn.Conv2d(outputs, outputs, 3, 1, 1),
                    nn.BatchNorm2d(outputs),
                    nn.GELU(),
                )
            )
            channels = outputs
        self.stages = nn.ModuleList(stages)
        self.narrow = nn.ModuleList(nn.Conv2d(size, width, 1) for size in widths)
        self.views = nn.ModuleList(Views(width, 4, (2, 4, 8)) for _ in widths[1:])
        self.refine = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1) for _ in widths)
        self.last = nn.Sequential(nn.Conv2d(width, 3, 1), nn.PReLU(), nn.Conv2d(3, 1, 3, padding=1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        _, c, h, w = image.shape
        quarters = image.reshape(c, 2, h // 2, 2, w // 2).permute(1, 3, 0, 2, 4)
        x = torch.cat([quarters.reshape(4, c, h // 2, w // 2), resized(image, 0.5)])
        maps = []
        for stage, narrow in zip(self.stages, self.narrow, strict=True):
            x = stage(x)
            maps.append(narrow(x))
        x = maps[-1]
        for views, skip, refine in zip(self.views, maps[-2::-1], self.refine[:-1], strict=True):
            quarters, whole = views(x[:4], x[4:])
            x = functional.interpolate(torch.cat([quarters, whole]), size=skip.shape[2:])
            x = refine(x + skip)
        _, c, h, w = x.shape
        joined = x[:4].reshape(2, 2, c, h, w).permute(2, 0, 3, 1, 4).reshape(1, c, 2 * h, 2 * w)
        x = self.refine[-1](joined + resized(x[4:], 2))
        return torch.sigmoid(resized(self.last(x), 2))
