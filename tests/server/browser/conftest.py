"""A real browser, where there is one: Chromium, driven by playwright (neither is in ``test``)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.server.browser.reader import Chat
from tests.server.browser.scripted import Scripted

EXPECTED = ("status of 429", "status of 400", "status of 401", "status of 503")
"""Chromium reports answers of the server with these, too, as errors of the console."""


# Of a module only: its event loop runs in the thread of the tests, and others start their own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = os.environ.get("PYHADES_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium is in PATH, and PYHADES_CHROMIUM names none")
    with playwright.sync_playwright() as driver:
        # In containers, where tests run as root, Chromium's own sandbox cannot be had.
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """A server whose answers are written beforehand."""
    server = Scripted()
    with server.running():
        yield server


@pytest.fixture
def page(chromium) -> Iterator[Any]:
    """An empty page; the test fails where one of its scripts does, or breaks the policy."""
    context = chromium.new_context()
    context.set_default_timeout(20_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    yield page
    context.close()
    unexpected = [text for text in complaints if not any(known in text for known in EXPECTED)]
    assert not unexpected


@pytest.fixture
def chat(scripted, page) -> Chat:
    """The page of that server. It is left before the server ends, which it would report."""
    return Chat(page, scripted.url)
