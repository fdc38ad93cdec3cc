"""One grammar for all public functions: see CONTRIBUTING.md."""

from __future__ import annotations

import inspect
import typing

import numpy as np
import pytest

import pyhades
from pyhades import kernels
from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array
from pyhades.kernels.epilogue import Activation
from pyhades.kernels.moe import GatedActivation
from pyhades.quant import PackedWeight, quantize
from tests.support.surface import parameters, public_functions

HOW = ("activation", "residual", "out", "threads", "isa")
"""How something is computed, in the order of signatures; keywords only."""
HINTS = {
    "residual": [np.typing.ArrayLike | None],
    "activation": [Activation | None, GatedActivation],
    "out": [Array | None],
    "threads": [int | None],
    "isa": [str | None],
}
APART = {
    "pyhades.config.thread_count": "computes nothing; the number is what it is about",
    "pyhades.compiler.assembly.Routine": "made by an Assembly",
    "pyhades.config.Config": "made by show_config",
    "pyhades.segmentation.manifest.ModelManifest": "its activation is that of a model",
}
"""Functions to which these names mean something else, and constructors that users do not call."""
FUNCTIONS = public_functions()


def test_the_walk_finds_what_is_public():
    assert len(FUNCTIONS) > 200
    assert {"pyhades.llm.llm.LLM", "pyhades.kernels.gemm.gemm"} <= FUNCTIONS.keys()
    assert "pyhades.segmentation.remover.Remover.__call__" in FUNCTIONS
    assert FUNCTIONS.keys() >= APART.keys(), "take out of APART what is gone"


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in APART])
def test_how_to_compute_is_keywords_in_one_order(name):
    found = [p for p in parameters(name, FUNCTIONS[name]) if p.name in HOW]
    for parameter in found:
        where = f"{name}: {parameter.name}"
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, f"{where} is not keyword-only"
        assert parameter.hint in HINTS[parameter.name], f"{where} is a {parameter.hint}"
    assert [p.name for p in found] == [how for how in HOW if how in {p.name for p in found}]


@pytest.mark.parametrize("name", kernels.__all__)
def test_kernels_end_with_where_and_by_whom(name):
    function = getattr(kernels, name)
    if inspect.isfunction(function):
        names = list(inspect.signature(function).parameters)
        last = [how for how in HOW[2:] if how in names]
        assert names[len(names) - len(last) :] == last


def test_what_is_packed_says_so():
    """``pack_<what>`` gives a ``Packed<What>``."""
    packers = {name: f for name, f in vars(kernels).items() if name.startswith("pack_")}
    assert packers.keys() == {"pack_matrix", "pack_weight"}
    for name, function in packers.items():
        what = name.removeprefix("pack_").title()
        assert typing.get_type_hints(function)["return"].__name__ == f"Packed{what}"


def test_the_old_name_of_packing():
    square, weight = np.eye(32, dtype=np.float32), quantize(np.eye(32, dtype=np.float32))
    with pytest.warns(DeprecationWarning, match="pack_matrix"):
        assert isinstance(kernels.pack(square), kernels.PackedMatrix)
    with pytest.warns(DeprecationWarning, match="pack_weight"):
        assert isinstance(kernels.pack(weight, isa="scalar"), PackedWeight)
    with pytest.warns(DeprecationWarning), pytest.raises(ArgumentError, match="quantised weights"):
        kernels.pack(square, row_order="gate_up")
    assert "pack" not in kernels.__all__


def test_engines_are_made_alike():
    """The model first, everything else by name; both take the options in one."""
    for engine in (pyhades.Remover, pyhades.LLM):
        first, *others = parameters(engine.__name__, engine)
        assert (first.name, first.default) == ("model", None)
        assert first.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        kinds = {p.kind for p in others}
        assert kinds <= {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}
        names = [p.name for p in others]
        assert names[:4] == ["threads", "isa", "precision", "options"]
        for member in ("close", "__enter__", "__exit__", "__repr__"):
            assert member in vars(engine)
    for made in (pyhades.Remover.from_network, pyhades.LLM.from_weights):
        names = [p.name for p in parameters("made", made) if p.kind == p.kind.KEYWORD_ONLY]
        assert names[:3] == ["threads", "isa", "options"]
