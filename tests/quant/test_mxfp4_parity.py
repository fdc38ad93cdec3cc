"""Decoding MXFP4 gives transformers' weights, to the bit, for every code under every scale."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades.quant import dequantize, from_mxfp4

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

import torch
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

LARGEST_SCALE = 252  # 6 * 2**126 overflows


def test_every_code_under_every_scale() -> None:
    rng = np.random.default_rng(0)
    every_byte = np.tile(rng.permutation(256).astype(np.uint8), LARGEST_SCALE + 1)
    blocks = every_byte.reshape(1, LARGEST_SCALE + 1, 16, 16)
    scales = np.repeat(np.arange(LARGEST_SCALE + 1, dtype=np.uint8), 16).reshape(1, -1, 16)
    theirs = convert_moe_packed_tensors(
        torch.from_numpy(blocks), torch.from_numpy(scales), dtype=torch.float32
    )
    ours = dequantize(from_mxfp4(blocks, scales))
    assert np.array_equal(ours.view(np.uint32), theirs.mT.contiguous().numpy().view(np.uint32))


def test_shapes_of_gpt_oss() -> None:
    rng = np.random.default_rng(1)
    blocks = rng.integers(0, 256, (2, 5760, 90, 16), np.uint8)
    scales = rng.integers(107, 148, (2, 5760, 90), np.uint8)
    theirs = convert_moe_packed_tensors(
        torch.from_numpy(blocks), torch.from_numpy(scales), dtype=torch.bfloat16
    )
    ours = dequantize(from_mxfp4(blocks, scales))
    assert np.array_equal(ours, theirs.float().mT.numpy())
