"""MXFP4 for training: blocks of 32 inputs share a power of two, weights have four bits."""

from __future__ import annotations

import torch
from torch import Tensor

_BLOCK = 32
_MAGNITUDES = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
_BORDERS = torch.tensor([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0])


def _scale(blocks: Tensor) -> Tensor:
    """Exponent per block [..., 1]: a weight up to 7 steps becomes 6, as far off as 5 may be."""
    largest = blocks.abs().amax(-1, keepdim=True)
    return torch.ceil(torch.log2(largest / 7)).clamp(-100, 100)


def round_to_mxfp4(weight: Tensor) -> Tensor:
    """The nearest representable weights [..., inputs]."""
    with torch.no_grad():
        blocks = weight.unflatten(-1, (-1, _BLOCK))
        scale = torch.exp2(_scale(blocks))
        scaled = blocks / scale
        magnitude = scaled.abs()
        step = 0.5 + 0.5 * (magnitude >= 2) + (magnitude >= 4)
        return ((scaled / step).round_() * step).clamp_(-6, 6).mul_(scale).view_as(weight)


def encode_mxfp4(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Blocks uint8 [..., inputs/32, 16], the even input in the low nibble, and scales uint8."""
    blocks = weight.unflatten(-1, (-1, _BLOCK))
    scale = _scale(blocks)
    scaled = blocks / torch.exp2(scale)
    codes = torch.bucketize(scaled.abs(), _BORDERS) + 8 * (scaled < 0)
    packed = codes[..., 0::2] | codes[..., 1::2] << 4
    return packed.to(torch.uint8), (scale[..., 0] + 127).to(torch.uint8)


def decode_mxfp4(blocks: Tensor, scales: Tensor) -> Tensor:
    """Weights [..., inputs] of blocks and scales."""
    codes = torch.stack([blocks & 15, blocks >> 4], -1).flatten(-2).long()
    values = torch.cat([_MAGNITUDES, -_MAGNITUDES])[codes]
    return (values * torch.exp2(scales.float() - 127)[..., None]).flatten(-2)
