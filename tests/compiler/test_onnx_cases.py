"""ONNX's own node tests, compiled: every case runs natively or is refused for a stated reason."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import pyhades
from pyhades.errors import ModelError, UnsupportedOperatorError
from pyhades.ir.graph import Graph
from pyhades.ir.inference import type_of
from pyhades.onnx.schema import DTYPES
from pyhades.onnx.translate import OLDEST_OPSET, supported_operators
from tests.onnx.test_backend_cases import (
    _BFLOAT16,
    EXCLUDED,
    MODULES,
    as_array,
    cases_of,
    element_types,
)

FROZEN = {
    *("Reshape", "Slice", "Pad", "Resize", "Upsample", "Expand", "Tile", "TopK", "Squeeze"),
    *("Unsqueeze", "ConstantOfShape", "Range", "CumSum", "Split", "Trilu", "Dropout"),
    *("BatchNormalization", "ConvTranspose"),
}
"""Operators whose later inputs decide shapes or are weights, and so have to be constants."""

REFUSED = {
    r"TopK|Einsum|Trilu": "no native kernel",
    r"float16": "kernels compute in float32",
    r"float64|u?int(8|16|32|64)": "float32 is what this kernel computes",
    r"spatial axes": "three spatial axes",
    r"training|mask output": "training",
}
"""What a refusal may say, by what it names."""


def frozen(graph: Graph, ops: set[str], feeds: dict[str, Any]) -> dict[str, Any]:
    """Make constants of the inputs that decide shapes; the feeds that are left."""
    first = 0 if ops & {"ConstantOfShape", "Range"} else 1
    if not ops & FROZEN and not any(op.startswith("Reduce") for op in ops):
        return feeds
    kept = dict(feeds)
    for value in graph.inputs[first:]:
        if value.name in kept:
            value.data = kept.pop(value.name)
            value.type = type_of(value.data)
    return kept


def run(case: Any) -> None:
    ops = {node.op_type for node in case.model.graph.node}
    for inputs, outputs in case.data_sets:
        graph = pyhades.load_onnx(case.model.SerializeToString())
        names = [value.name for value in case.model.graph.input]
        feeds = {name: as_array(x) for name, x in zip(names, inputs, strict=True)}
        feeds = frozen(graph, ops, feeds)
        shapes = {name: array.shape for name, array in feeds.items()}
        with pyhades.compile(graph, input_shapes=shapes) as program:
            results = program.run(feeds)
        for value, expected in zip(case.model.graph.output, outputs, strict=True):
            expected = as_array(expected)
            assert results[value.name].dtype == expected.dtype
            np.testing.assert_allclose(
                results[value.name], expected, rtol=max(case.rtol, 1e-5), atol=max(case.atol, 1e-6)
            )


@pytest.mark.parametrize("module", MODULES)
def test_cases(module: str) -> None:
    supported = set(supported_operators())
    wrong = []
    for case in cases_of(module):
        unknown = element_types(case) - set(DTYPES) or _BFLOAT16 in element_types(case)
        too_old = case.model.opset_import[0].version < OLDEST_OPSET
        if unknown or too_old or case.name in EXCLUDED:
            continue
        if not all(node.op_type in supported for node in case.model.graph.node):
            continue
        try:
            run(case)
        except UnsupportedOperatorError as error:
            if not any(re.search(pattern, str(error)) for pattern in REFUSED):
                wrong.append(f"{case.name} is refused: {error}")
        except (ModelError, AssertionError) as error:
            wrong.append(f"{case.name}: {error}")
    assert not wrong, "\n\n".join(wrong)
