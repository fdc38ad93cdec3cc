"""Networks of the kinds that people bring, whole, against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import pyhades
from tests.architectures.feeds import feeds_of
from tests.architectures.weights import read

Array = np.ndarray[Any, Any]
GRAPHS = Path(__file__).parents[1] / "architectures" / "graphs"
BOUND = 1e-3
"""Of the range of an output."""
LARGE = {"birefnet_lite", "birefnet_swin", "isnet", "mask2former"}
NAMES = [
    pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name
    for name in sorted(path.name.split(".")[0] for path in GRAPHS.iterdir())
]

UNORDERED = {"yolo_seg_suppressed": "boxes"}
"""Scores that are equal but for rounding come in any order; the output that tells rows apart."""


def in_order_of(want: Array, found: dict[str, Array], key: str) -> dict[str, Array]:
    """The rows of all outputs, moved to where ``want`` has them."""
    assert found[key].shape == want.shape
    distance = np.abs(found[key][None] - want[:, None]).max(-1)
    order = distance.argmin(1)
    assert sorted(order) == list(range(len(want))), f"rows of {key} differ"
    return {name: rows[order] for name, rows in found.items()}


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_onnxruntime(name: str) -> None:
    data = read(GRAPHS / f"{name}.onnx.xz").SerializeToString()
    session = onnxruntime.InferenceSession(data)
    feeds = feeds_of(session.get_inputs())
    wanted = dict(
        zip([item.name for item in session.get_outputs()], session.run(None, feeds), strict=True)
    )
    graph = pyhades.load_onnx(data)
    program = pyhades.compile(graph, {key: array.shape for key, array in feeds.items()})
    found = program.run(feeds)
    if name in UNORDERED:
        found = in_order_of(wanted[UNORDERED[name]], found, UNORDERED[name])
    for key, want in wanted.items():
        have = found[key]
        assert (have.shape, have.dtype) == (want.shape, want.dtype), key
        assert want.size, f"{key} is empty: nothing is compared"
        span = float(want.max() - want.min())
        assert span > 0, f"{key} is constant: nothing is compared"
        np.testing.assert_allclose(have, want, rtol=0, atol=BOUND * span, err_msg=key)
