"""Inputs for a model of any kind: pictures, states, points, ratios."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

EXTENTS = {0: 1, 2: 160, 3: 224}
"""What an open extent becomes, by axis; others become 1."""


def feeds_of(inputs: Sequence[Any], seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Random arrays for what ``onnxruntime.InferenceSession.get_inputs`` lists."""
    rng = np.random.default_rng(seed)
    return {item.name: _feed(item, rng) for item in inputs}


def _feed(item: Any, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    named = all(isinstance(extent, str) for extent in item.shape)
    shape = [
        extent if isinstance(extent, int) else 1 if named else EXTENTS.get(axis, 1)
        for axis, extent in enumerate(item.shape)
    ]
    if item.name == "downsample_ratio":
        return np.array([0.5], np.float32)
    if "int" in item.type:
        return np.ones(shape, np.int32 if "int32" in item.type else np.int64)
    if named:  # a recurrent state before the first frame
        return np.zeros(shape, np.float32)
    scale = 256 if item.name == "input_points" else 1
    dtype = np.float16 if "float16" in item.type else np.float32
    return (rng.random(shape) * scale).astype(dtype)
