"""The table of element functions: Python's and the native one agree, and every use follows it."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.ir.graph import Node
from pyhades.ir.ops.elementwise import element_function
from pyhades.ir.registry import operator
from pyhades.kernels.typed import BINARY, UNARY
from pyhades.numerics.functions import ACTIVATIONS, FUNCTIONS, choose, functions_of

NATIVE = _native.element_functions()
KINDS = {
    "F": {"F"},
    "Z": {"Z"},
    "N": {"F", "Z"},
    "bool": {"bool"},
    "T": {"F", "Z", "bool"},
}


def test_both_tables_have_the_same_functions():
    assert FUNCTIONS.keys() == NATIVE.keys()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_rows_agree(name):
    row, native = FUNCTIONS[name], NATIVE[name]
    assert row.arrays + len(row.parameters) == native.operands
    assert row.is_step == native.in_programs
    assert row.is_activation == native.is_activation
    assert row.is_predicate == native.is_predicate
    # ONNX defines some functions for dtypes that no kernel knows, and compares fewer than we can.
    if row.onnx not in ("Erf", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Min", "Max"):
        assert not native.dtypes or native.dtypes == KINDS[row.dtypes]
    # What has parameters runs in pointwise programs only.
    assert bool(native.dtypes) == (name in UNARY or name in BINARY)


def test_numbers_are_never_used_again():
    """They are stored in Programs: a new function gets a new number."""
    numbers = [row.number for row in NATIVE.values()]
    assert len(set(numbers)) == len(numbers)
    stored = {"copy": 0, "relu": 25, "add": 34, "leaky_relu": 42, "fma": 47, "shrink": 51}
    assert {name: NATIVE[name].number for name in stored} == stored


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_keep_the_dtype(name):
    row = FUNCTIONS[name]
    parameters = [0.5 if p.default is None else p.default for p in row.parameters]
    dtypes = {"F": [np.float32, np.float64], "Z": [np.int8], "bool": [np.bool_]}
    for kind in KINDS[row.dtypes]:
        for dtype in dtypes[kind]:
            arrays = [np.array([1, 0, 1, 1], dtype) for _ in range(row.arrays)]
            with np.errstate(all="ignore"):
                y = np.asarray(row.function(*arrays, *parameters))
            if name != "clip" or kind == "F":  # bounds of integers are integers
                assert y.shape == (4,)
                assert y.dtype == (np.bool_ if row.is_predicate else dtype), dtype


@pytest.mark.parametrize("name", [name for name, row in FUNCTIONS.items() if row.onnx])
def test_onnx_operators_choose_the_function(name):
    row = FUNCTIONS[name]
    assert row in functions_of(row.onnx)
    defaults = operator(row.onnx).defaults
    assert set(row.where) <= set(defaults)
    assert choose(row.onnx, {**defaults, **row.where}.get) is row or name == "swish"
    node = Node(row.onnx, [], [], {"alpha": 1.5} if name == "swish" else dict(row.where))
    assert element_function(node) is row


def test_nothing_is_chosen_where_nothing_fits():
    assert choose("Gelu", {"approximate": "by eye"}.get) is None
    assert element_function(Node("Softmax", [], [])) is None
    assert element_function(Node("PRelu", [], [])) is FUNCTIONS["leaky_relu"]


def test_documentation_names_every_function():
    for wrapper, names in ((kernels.unary, UNARY), (kernels.binary, BINARY)):
        words = re.findall(r"\w+", inspect.getdoc(wrapper))
        assert [name for name in names if name not in words] == []
    for wrapper in (kernels.conv2d, kernels.gemm):
        text = inspect.getdoc(wrapper)
        assert [name for name in ACTIVATIONS if f'"{name}"' not in text] == []


@pytest.mark.parametrize("name", ["leaky_relu", "hard_sigmoid", "clip"])
def test_wrappers_have_the_defaults_of_the_table(name):
    signature = inspect.signature(getattr(kernels, name)).parameters
    for parameter in FUNCTIONS[name].parameters:
        default = signature[parameter.name].default
        assert default == (inspect._empty if parameter.default is None else parameter.default)
        assert parameter.meaning in inspect.getdoc(getattr(kernels, name))
