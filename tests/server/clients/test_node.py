"""Clients for node, run by the scripts beside this file.

``PYHADES_NODE_CLIENTS`` names a folder with their ``node_modules``: ``npm install openai
@openai/agents ai @ai-sdk/openai @ai-sdk/openai-compatible zod``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_cases import (
    ANSWER,
    ANSWERED,
    AS_JSON,
    CALLED,
    REASON,
    check_ended,
    check_result_was_read,
    tell_slowly,
)

pytestmark = pytest.mark.slow
SCRIPTS = Path(__file__).parent / "node"
PACKAGES = {
    "openai": ("openai-node", "openai"),
    "agents": ("openai-agents (node)", "@openai/agents"),
    "vercel": ("Vercel AI SDK", "ai"),
}


@dataclass(frozen=True)
class Node:
    """A script for one client."""

    CLIENT: str
    VERSION: str
    PROTOCOLS = ("chat", "responses")
    script: str
    protocol: str
    url: str

    def __call__(self, check: str) -> Any:
        """What a check tells; AssertionError with what it wrote where it failed."""
        command = ["node", SCRIPTS / f"{self.script}.mjs", check, self.protocol, self.url]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=180)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout.splitlines()[-1])


@pytest.fixture(params=["chat", "responses"])
def protocol(request):
    return request.param


@pytest.fixture(params=PACKAGES)
def node(request, protocol, script_server):
    folder = os.environ.get("PYHADES_NODE_CLIENTS")
    client, package = PACKAGES[request.param]
    if folder is None or shutil.which("node") is None:
        pytest.skip("PYHADES_NODE_CLIENTS names no folder with clients, or there is no node")
    facts = Path(folder, "node_modules", package, "package.json")
    if not facts.exists():
        pytest.skip(f"{package} is not installed in {folder}")
    version = json.loads(facts.read_text(encoding="utf-8"))["version"]
    return Node(client, version, request.param, protocol, script_server.url)


def test_chat(node, script):
    script.tell(ANSWERED)
    assert node("chat") == {"text": ANSWER}


def test_stream(node, script):
    script.tell(ANSWERED)
    told = node("stream")
    assert len(told["texts"]) > 3 and "".join(told["texts"]) == told["helped"] == ANSWER


def test_reasoning(node, script):
    script.tell(ANSWERED)
    if (node.script, node.protocol) == ("vercel", "responses"):
        pytest.skip("the AI SDK shows summaries only, which a model does not write by itself")
    told = node("reasoning")
    assert told["reasoning"] == told.get("streamed", REASON) == REASON


def test_tools(node, script):
    script.tell(CALLED, ANSWERED)
    assert node("tools") == {"name": "weather", "args": {"city": "Paris"}, "text": ANSWER}
    check_result_was_read(script)


def test_structured(node, script):
    script.tell(AS_JSON)
    assert node("structured") == {"city": "Paris"}


def test_errors(node):
    assert node("errors") == {"status": 400, "param": "temperature"}


def test_abort(node, script):
    tell_slowly(script)
    node("abort")
    check_ended(script)
