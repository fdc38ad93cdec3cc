"""What type checkers are told is what is there; ``mypy`` checks tests/typing with the package."""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import fields
from pathlib import Path
from typing import get_overloads, get_type_hints

import pytest

import pyhades
from pyhades.llm import SamplingParams
from pyhades.llm.keywords import ChatKeywords, SamplingKeywords

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "typing" / "users_program.py"


def readme_examples() -> list[str]:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\nimport pyhades\n\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def test_users_program_has_the_readmes_examples():
    examples, program = readme_examples(), PROGRAM.read_text(encoding="utf-8")
    assert len(examples) == 2
    for example in examples:
        assert textwrap.indent(example, "    ") in program


def test_users_program_is_checked():
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'modules = ["tests.typing.{PROGRAM.stem}"]' in settings


def test_keywords_of_sampling():
    assert list(get_type_hints(SamplingKeywords)) == [f.name for f in fields(SamplingParams)]


def test_keywords_of_a_chat():
    hints = get_type_hints(ChatKeywords)
    told = {
        name: hint for name, hint in hints.items() if name not in SamplingKeywords.__annotations__
    }
    there = get_type_hints(pyhades.LLM.chat)
    for name in ("messages", "params", "stream", "keywords", "return"):
        del there[name]
    assert told == there


@pytest.mark.parametrize(
    "method",
    [pyhades.LLM.generate, pyhades.LLM.agenerate, pyhades.LLM.chat, pyhades.Remover.map],
    ids=lambda method: method.__name__,
)
def test_overloads_are_of_the_method(method):
    """They have its names, in its order, and leave documentation to it."""
    names = list(inspect.signature(method).parameters)
    for overload in get_overloads(method):
        told = list(inspect.signature(overload).parameters)
        assert told == [name for name in names if name in told]
        assert overload.__doc__ is None
    assert len(get_overloads(method)) >= 2
    assert method.__doc__
