"""The table of the ONNX project's node tests is what a fresh run gives."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from pyhades.onnx.translate import supported_operators

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "node_tests.py"
TARGET = ROOT / "docs" / "reference" / "node_tests.json"


@pytest.fixture(scope="module")
def committed():
    return json.loads(TARGET.read_text(encoding="utf-8"))


def test_the_committed_table_is_that_of_a_fresh_run(committed):
    pytest.importorskip("onnx")
    specification = importlib.util.spec_from_file_location("node_tests", SCRIPT)
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    assert committed == script.tally(script.MODULES), "run python docs/node_tests.py"


def test_no_claimed_operator_fails(committed):
    plain = {name: row for name, row in committed.items() if row["tests"]}
    whole = {name for name, row in plain.items() if row["passed"] == row["tests"]}
    assert plain.keys() & set(supported_operators()) <= whole
    assert len(whole) >= 150
