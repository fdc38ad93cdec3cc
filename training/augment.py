"""Batches from the pool of scenes, augmented so that no epoch repeats another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.pool import Pixels
from training.textures import Rng

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def normalize(pixels: Tensor) -> Tensor:
    """RGB in [0, 1], ``[n, 3, h, w]``, to zero mean and unit variance of ImageNet."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return (pixels - mean) / std


def gather(rng: Rng, shards: Sequence[Pixels], count: int) -> Tensor:
    """Draw scenes as float ``[n, 4, side, side]`` in [0, 1]."""
    chosen = rng.integers(0, sum(map(len, shards)), count)
    starts = np.cumsum([0, *map(len, shards)])
    which = np.searchsorted(starts, chosen, side="right") - 1
    pixels = np.stack([shards[k][i - starts[k]] for k, i in zip(which, chosen, strict=True)])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def _crop(rng: Rng, scenes: Tensor, side: int) -> Tensor:
    """Mirror, shift, zoom and shear each scene a little while resampling it to `side`."""
    count = len(scenes)
    zoom = np.exp(rng.uniform(-0.35, 0.05, (count, 2)))
    mirror = rng.choice([-1.0, 1.0], count)
    room = np.maximum(1 - zoom, 0)
    shift = rng.uniform(-1, 1, (count, 2)) * room
    shear = rng.normal(0, 0.06, (count, 2))
    matrix = np.zeros((count, 2, 3), np.float32)
    matrix[:, 0, 0], matrix[:, 1, 1] = zoom[:, 0] * mirror, zoom[:, 1]
    matrix[:, 0, 1], matrix[:, 1, 0] = shear[:, 0], shear[:, 1]
    matrix[:, :, 2] = shift
    lattice = F.affine_grid(torch.from_numpy(matrix), [count, 4, side, side], align_corners=False)
    return F.grid_sample(scenes, lattice, padding_mode="reflection", align_corners=False)


def _repaint(rng: Rng, pictures: Tensor) -> Tensor:
    """Change brightness, contrast, gains of the channels, and their order now and then."""
    count = len(pictures)

    def draw(deviation: float, width: int = 1) -> Tensor:
        return torch.from_numpy(rng.normal(0, deviation, (count, width, 1, 1)).astype(np.float32))

    gained = pictures * torch.exp(draw(0.15) + draw(0.07, 3))
    middle = gained.mean((2, 3), keepdim=True)
    painted = (middle + (gained - middle) * torch.exp(draw(0.2)) + draw(0.06)).clamp(0, 1)
    for index in np.nonzero(rng.random(count) < 0.12)[0]:
        painted[index] = painted[index][torch.from_numpy(rng.permutation(3))]
    for index in np.nonzero(rng.random(count) < 0.04)[0]:
        painted[index] = 1 - painted[index]
    return painted


def batch(rng: Rng, shards: Sequence[Pixels], count: int, side: int) -> tuple[Tensor, Tensor]:
    """Draw an augmented batch: normalised pictures ``[n, 3, side, side]`` and their alpha."""
    scenes = _crop(rng, gather(rng, shards, count), side).clamp(0, 1)
    return normalize(_repaint(rng, scenes[:, :3])), scenes[:, 3:]
