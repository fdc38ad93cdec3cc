"""ONNX's own node tests, for every operator that we import."""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from typing import Any

import numpy as np
import onnx.backend.test.case.node as node_cases
import pytest
from onnx import numpy_helper

from pyhades import load_onnx
from pyhades.errors import ModelError, PyhadesError, ShapeError, UnsupportedOperatorError
from pyhades.ir.interpreter import interpret
from pyhades.onnx.elements import DTYPES
from pyhades.onnx.translate import OLDEST_OPSET, supported_operators

MODULES = sorted(
    module.name
    for module in pkgutil.iter_modules(node_cases.__path__)
    if module.name[0] != "_" and not module.ispkg
)
"""One per test, imported when the test runs: making all cases takes long."""

TRAINING = "training mode, which is refused"
FRACTIONAL = (
    "its expected output aligns corners with a fractional output width; the text of the operator, "
    "PyTorch and onnxruntime take the length of the output"
)
HALF = (
    "its expected output was summed in float16; the operator itself, with the same numbers, passes"
)
EXCLUDED = {
    "test_batchnorm_example_training_mode": (UnsupportedOperatorError, TRAINING),
    "test_batchnorm_epsilon_training_mode": (UnsupportedOperatorError, TRAINING),
    "test_training_dropout": (ShapeError, TRAINING),
    "test_training_dropout_default": (ShapeError, TRAINING),
    "test_training_dropout_default_mask": (ShapeError, TRAINING),
    "test_training_dropout_mask": (ShapeError, TRAINING),
    "test_training_dropout_zero_ratio": (ShapeError, TRAINING),
    "test_training_dropout_zero_ratio_mask": (ShapeError, TRAINING),
    "test_resize_downsample_scales_linear_align_corners": (AssertionError, FRACTIONAL),
    "test_resize_downsample_scales_cubic_align_corners": (AssertionError, FRACTIONAL),
    "test_attention_4d_causal_fp16_expanded": (AssertionError, HALF),
    "test_identity_sequence": (UnsupportedOperatorError, "sequences are refused"),
    "test_if_seq": (UnsupportedOperatorError, "sequences are refused"),
    "test_if_opt": (UnsupportedOperatorError, "optionals are refused"),
    "test_loop13_seq": (UnsupportedOperatorError, "sequences are refused"),
    "test_loop16_seq_none": (UnsupportedOperatorError, "sequences are refused"),
    "test_identity_opt": (UnsupportedOperatorError, "optionals are refused"),
}
"""What must go wrong, and why that is right."""

CONTESTED = {name: why for name, (error, why) in EXCLUDED.items() if error is AssertionError}
"""Cases whose expected output is not what the operator says."""

WITHOUT_CASES = {
    *("GlobalLpPool", "MaxRoiPool"),  # tests/ir/test_references.py compares with onnxruntime
    "SimplifiedLayerNormalization",  # of onnxruntime; tests/onnx/test_microsoft.py
}

_BFLOAT16 = 16


def cases_of(module: str) -> list[Any]:
    before = len(node_cases._NodeTestCases)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module(f"{node_cases.__name__}.{module}")
    if len(node_cases._NodeTestCases) > before:
        _CASES[module] = node_cases._NodeTestCases[before:]
    return _CASES[module]


_CASES: dict[str, list[Any]] = {}


def element_types(case: Any) -> set[int]:
    values = [*case.model.graph.input, *case.model.graph.output]
    return {
        value.type.tensor_type.elem_type for value in values if value.type.HasField("tensor_type")
    }


def check(case: Any) -> None:
    graph = load_onnx(case.model.SerializeToString())
    kinds = {value.name: value.type for value in graph.outputs}
    for inputs, outputs in case.data_sets:
        names = [value.name for value in case.model.graph.input]
        feeds = {name: as_array(x) for name, x in zip(names, inputs, strict=True)}
        results = interpret(graph, feeds)
        for value, expected in zip(case.model.graph.output, outputs, strict=True):
            expected = as_array(expected)
            assert results[value.name].dtype == expected.dtype
            np.testing.assert_allclose(
                results[value.name], expected, rtol=case.rtol, atol=case.atol, err_msg=case.name
            )
            kind = kinds[value.name]
            if kind is not None and kind.is_static:
                assert kind.static_shape == expected.shape


def as_array(x: Any) -> np.ndarray[Any, Any]:
    return numpy_helper.to_array(x) if hasattr(x, "data_type") else np.asarray(x)


@pytest.mark.parametrize("module", MODULES)
def test_cases(module: str) -> None:
    supported = set(supported_operators())
    checked = 0
    for case in cases_of(module):
        model = case.model
        if not all(node.op_type in supported for node in model.graph.node):
            continue
        if _BFLOAT16 in element_types(case):
            continue  # computed in float32, which is not what the case expects
        if case.name in EXCLUDED:
            with pytest.raises(EXCLUDED[case.name][0]):
                check(case)
        elif element_types(case) - set(DTYPES):
            with pytest.raises(UnsupportedOperatorError, match="data type"):
                check(case)
        elif model.opset_import[0].version < OLDEST_OPSET:
            with pytest.raises(ModelError, match="opset"):
                check(case)
        else:
            try:
                check(case)
            except (PyhadesError, AssertionError) as error:
                raise AssertionError(f"{case.name}: {error}") from error
            checked += 1
    if not checked:
        pytest.skip("none of its operators is read, or none of its cases is of plain tensors")


def test_every_operator_has_cases() -> None:
    tested = {
        node.op_type for m in MODULES for case in cases_of(m) for node in case.model.graph.node
    }
    assert set(supported_operators()) - tested == WITHOUT_CASES
