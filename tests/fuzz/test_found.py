"""What the fuzzer found once: each is refused by name, when it is read or compiled."""

from __future__ import annotations

import numpy as np
import pytest

import pyhades
from pyhades.errors import PyhadesError
from pyhades.segmentation.manifest import ModelManifest
from tests.fuzz.corpus import MANIFEST, encoded, model, node, normal

FOUND = {
    "an attribute that is a list": (
        model([node("LeakyRelu", "x", "y", alpha=[0.1, 0.2])], {}),
        "attribute 'alpha' is list",
    ),
    "repeats that are no vector": (
        model([node("Tile", "x r", "y")], {"r": np.int64(2)}, (3,)),
        "repeats",
    ),
    "bounds that are vectors": (
        model([node("Clip", "x l", "y")], {"l": np.float32([0, 1])}, (1, 3, 8, 2)),
        "elements of bound 1",
    ),
    "a scale that is larger than x": (
        model([node("RMSNormalization", "x s", "y")], {"s": normal(1, 3, 8, 8)}, (3, 1, 8, 8), 23),
        "differ: 3 and 1",
    ),
    "a shift of higher rank than x": (
        model([node("LayerNormalization", "x s s", "y")], {"s": normal(2, 1, 3, 8)}, (1, 3, 8)),
        "rank 4, x has rank 3",
    ),
    "more outputs than there are": (
        model([node("Relu", "x", "y more")], {}),
        "takes at most 1 output",
    ),
    "a scale that is infinite": (
        model([node("Resize", "x _ s", "y")], {"s": np.float32([1, 1, np.inf, 2])}),
        r"\(Resize\)",
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_models(name: str) -> None:
    record, message = FOUND[name]
    with pytest.raises(PyhadesError, match=message):
        pyhades.compile(pyhades.load_onnx(encoded(record)), threads=1)


def test_a_bound_with_an_axis_of_its_own_is_a_scalar() -> None:
    record = model([node("Clip", "x l h", "y")], {"l": np.float32([0])}, (), element=1)
    record["graph"]["nodes"][0]["inputs"][2] = ""
    program = pyhades.compile(pyhades.load_onnx(encoded(record)), threads=1)
    assert program(np.float32(-1)) == 0 and program(np.float32(-1)).shape == ()


@pytest.mark.parametrize("number", ["1e400", "1" + 400 * "0", "NaN", "9223372036854775807"])
def test_manifests(number: str) -> None:
    text = MANIFEST.replace("0.5", number, 1)
    assert text != MANIFEST
    with pytest.raises(PyhadesError, match="manifest"):
        ModelManifest.from_json(text)
