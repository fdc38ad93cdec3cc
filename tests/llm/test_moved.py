"""Imports of an earlier version go on working, and say what to write instead."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import pyhades.llm
from pyhades.llm.moved import MODULES, NAMES, install


@pytest.mark.parametrize("old", MODULES)
def test_an_old_module_has_the_names_of_the_new_ones(old):
    sys.modules.pop(f"pyhades.llm.{old}", None)
    with pytest.warns(DeprecationWarning, match=f"pyhades.llm.{old} is now in pyhades.llm") as seen:
        module = importlib.import_module(f"pyhades.llm.{old}")
    assert len([warning for warning in seen if f".{old} " in str(warning.message)]) == 1
    for home in reversed(MODULES[old]):
        there = importlib.import_module(f"pyhades.llm.{home}")
        for name, value in vars(there).items():
            if getattr(value, "__module__", None) == there.__name__:
                assert getattr(module, name) is value


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("engine", "LLM"),
        ("precision", "recipe_named"),
        ("checkpoint", "open_checkpoint"),
        ("checkpoint", "Checkpoint"),
        ("checkpoint", "StoredTensor"),
        ("models.gpt_oss", "build_step"),
    ],
)
def test_names_of_modules_that_are_packages_now(module, name):
    package = importlib.import_module(f"pyhades.llm.{module}")
    if name not in vars(package):
        with pytest.warns(DeprecationWarning, match=rf"{module}\.{name} is now in pyhades\.llm"):
            assert getattr(package, name).__name__ == name


def test_nothing_is_where_a_module_still_is():
    for old in (*MODULES, *NAMES):
        for home in (MODULES | NAMES)[old]:
            assert importlib.import_module(f"pyhades.llm.{home}").__spec__ is not None
            assert home not in MODULES
    with pytest.raises(AttributeError, match=r"pyhades\.llm\.engine.*no attribute 'Nothing'"):
        pyhades.llm.engine.Nothing  # noqa: B018
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("pyhades.llm.nowhere")


def test_the_warning_points_at_who_imports():
    program = "\n".join(
        [
            "from pyhades.llm.harmony import ChatAnswer, HarmonyParser, until_stop",
            "from pyhades.llm.harmony.parser import HarmonyParser as Again",
            "import pyhades.llm.tokenizer",
            "from pyhades.llm.text.tokenizer import Tokenizer",
            "assert Again is HarmonyParser and pyhades.llm.tokenizer.Tokenizer is Tokenizer",
        ]
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "<string>:1: DeprecationWarning: pyhades.llm.harmony is now in" in ran.stderr
    assert "<string>:3: DeprecationWarning: pyhades.llm.tokenizer is now in" in ran.stderr


def test_installing_twice_changes_nothing():
    before = len(sys.meta_path)
    install()
    assert len(sys.meta_path) == before
