"""ONNX's own node tests, compiled: every case runs natively or is refused for a stated reason."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import pyhades
from pyhades.errors import PyhadesError
from pyhades.ir.graph import Graph
from pyhades.ir.inference import type_of
from pyhades.onnx.elements import DTYPES
from pyhades.onnx.translate import OLDEST_OPSET, supported_operators
from tests.onnx.test_backend_cases import EXCLUDED, MODULES, as_array, cases_of, element_types

FROZEN = {
    *("Reshape", "Slice", "Pad", "Resize", "Upsample", "Expand", "Tile", "TopK", "Squeeze"),
    *("Unsqueeze", "ConstantOfShape", "Range", "CumSum", "Split", "Trilu", "Dropout"),
    *("AffineGrid", "CenterCropPad", "CumProd", "DFT", "Col2Im", "MaxUnpool", "OneHot", "STFT"),
    *("BlackmanWindow", "HammingWindow", "HannWindow", "MelWeightMatrix"),
}
"""Operators whose later inputs decide shapes, and so have to be constants."""

BFLOAT16_RTOL = 2**-7
"""bfloat16 is computed, and returned, in float32: what differs is the rounding of the case."""


def frozen(graph: Graph, ops: set[str], feeds: dict[str, Any]) -> dict[str, Any]:
    """Make constants of the inputs that decide shapes; the feeds that are left."""
    made = {"BlackmanWindow", "ConstantOfShape", "HammingWindow", "HannWindow", "MelWeightMatrix"}
    first = 0 if ops & {*made, "Range"} else 1
    if not ops & FROZEN and not any(op.startswith("Reduce") for op in ops):
        return feeds
    kept = dict(feeds)
    for value in graph.inputs[first:]:
        if value.name in kept:
            value.data = kept.pop(value.name)
            value.type = type_of(value.data)
    return kept


def widened(x: Any) -> np.ndarray[Any, Any]:
    array = as_array(x)
    return array.astype(np.float32) if array.dtype == ml_dtypes.bfloat16 else array


def run(case: Any, *, freeze: bool = True) -> None:
    ops = {node.op_type for node in case.model.graph.node}
    for inputs, outputs in case.data_sets:
        graph = pyhades.load_onnx(case.model.SerializeToString())
        names = [value.name for value in case.model.graph.input]
        feeds = {name: widened(x) for name, x in zip(names, inputs, strict=True)}
        feeds = frozen(graph, ops, feeds) if freeze else feeds
        shapes = {name: array.shape for name, array in feeds.items()}
        with pyhades.compile(graph, input_shapes=shapes) as program:
            results = program.run(feeds)
        for value, x in zip(case.model.graph.output, outputs, strict=True):
            expected = widened(x)
            assert results[value.name].dtype == expected.dtype
            narrow = any(as_array(array).dtype == ml_dtypes.bfloat16 for array in [*inputs, x])
            rtol = BFLOAT16_RTOL if narrow else max(case.rtol, 1e-5)
            np.testing.assert_allclose(
                results[value.name], expected, rtol=rtol, atol=rtol if narrow else 1e-6
            )


def refusal(case: Any) -> str | None:
    """Why a case has to be refused; None where it has to pass."""
    if element_types(case) - set(DTYPES):
        return "strings, complex numbers, float8 and types of less than 8 bits"
    if case.model.opset_import[0].version < OLDEST_OPSET:
        return "its opset is too old"
    return None


DECIDED_BY_DATA = """
constantofshape cumsum expand pad rangeop reducemax reducesum reshape resize slice split squeeze
tile topk trilu unsqueeze upsample
""".split()  # noqa: SIM905


@pytest.mark.parametrize("module", DECIDED_BY_DATA)
def test_cases_whose_shapes_are_data(module: str) -> None:
    """What decides shapes may be computed by the network: then it runs in stages."""
    supported, checked = set(supported_operators()), 0
    for case in cases_of(module):
        if not {node.op_type for node in case.model.graph.node} <= supported:
            continue
        if case.name not in EXCLUDED and refusal(case) is None:
            run(case, freeze=False)
            checked += 1
    assert checked


@pytest.mark.parametrize("module", MODULES)
def test_cases(module: str) -> None:
    supported = set(supported_operators())
    wrong = []
    for case in cases_of(module):
        if case.name in EXCLUDED or not {n.op_type for n in case.model.graph.node} <= supported:
            continue
        reason = refusal(case)
        try:
            run(case)
        except PyhadesError as error:
            if reason is None:
                wrong.append(f"{case.name}: {error}")
            continue
        except AssertionError as error:
            wrong.append(f"{case.name}: {error}")
            continue
        if reason is not None:
            wrong.append(f"{case.name} runs, but was to be refused: {reason}")
    assert not wrong, "\n\n".join(wrong)
