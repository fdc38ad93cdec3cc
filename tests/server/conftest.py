"""Servers that tests of this folder talk to."""

from __future__ import annotations

import pytest

import pyhades
from tests.support.scripted_llm import ScriptedLLM
from tests.support.served import served


@pytest.fixture(scope="module")
def toy_server():
    """The toy model, which writes by itself."""
    with pyhades.LLM(threads=1) as llm, served(llm) as server:
        yield server


@pytest.fixture(scope="module")
def script():
    """The model behind :func:`script_server`; a test says what it tells."""
    with ScriptedLLM.opened("<|channel|>final<|message|>Yes.<|return|>") as llm:
        yield llm


@pytest.fixture(scope="module")
def script_server(script):
    with served(script) as server:
        yield server
