"""What the network is trained to minimise."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def soft_iou(predicted: Tensor, target: Tensor) -> Tensor:
    """One minus the intersection over union of soft mattes, averaged over those with a subject."""
    both = (predicted * target).sum((1, 2, 3))
    either = (predicted + target - predicted * target).sum((1, 2, 3))
    present = (target.sum((1, 2, 3)) > 1).float()
    return ((1 - (both + 1) / (either + 1)) * present).sum() / present.sum().clamp(min=1)


def gradient(matte: Tensor) -> Tensor:
    """Differences to the right and downwards, ``[n, 2, h - 1, w - 1]``."""
    corner = matte[..., :-1, :-1]
    return torch.cat([matte[..., :-1, 1:] - corner, matte[..., 1:, :-1] - corner], 1)


def matte_loss(logits: Tensor, sides: list[Tensor], target: Tensor) -> Tensor:
    """Cross-entropy, IoU, absolute and edge error of the matte, and deep supervision.

    Parameters
    ----------
    logits : Tensor
        The matte before the sigmoid, ``[n, 1, h, w]``.
    sides : list of Tensor
        Coarse predictions before the sigmoid, each ``[n, 1, h / s, w / s]``.
    target : Tensor
        True alpha in [0, 1], ``[n, 1, h, w]``.
    """
    predicted = torch.sigmoid(logits)
    loss = F.binary_cross_entropy_with_logits(logits, target) + soft_iou(predicted, target)
    loss = loss + F.l1_loss(predicted, target)
    loss = loss + 2 * F.l1_loss(gradient(predicted), gradient(target))
    for side in sides:
        coarse = F.adaptive_avg_pool2d(target, (side.shape[2], side.shape[3]))
        loss = loss + 0.3 * F.binary_cross_entropy_with_logits(side, coarse)
        loss = loss + 0.15 * soft_iou(torch.sigmoid(side), coarse)
    return loss
