"""The page about clients of the server is made of its table, and the table of tests that exist."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "server_clients.py"
TESTS = ROOT / "tests" / "server" / "clients"


@pytest.fixture(scope="module")
def script():
    specification = importlib.util.spec_from_file_location("server_clients", SCRIPT)
    script = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    return script


@pytest.fixture(scope="module")
def rows(script):
    return json.loads(script.TABLE.read_text(encoding="utf-8"))


def test_the_page_is_that_of_the_table(script, rows):
    assert script.PAGE.read_text(encoding="utf-8") == script.page(rows), (
        "run python docs/server_clients.py"
    )


def test_the_table_has_every_client_that_is_tested(rows):
    texts = [path.read_text(encoding="utf-8") for path in sorted(TESTS.glob("test_*.py"))]
    named = {
        found for text in texts for found in re.findall(r'^CLIENT, VERSION = "(.*?)"', text, re.M)
    }
    named |= set(re.findall(r'^    "\w+": \("(.*?)", ".*?"\),$', "\n".join(texts), re.M))
    assert rows.keys() == named and len(named) > 8


def test_everybody_can_chat_stream_call_tools_and_leave(rows):
    for client, row in rows.items():
        for check in ("chat", "stream", "tools", "errors", "abort"):
            assert row["proven"].get(check), (client, check)
