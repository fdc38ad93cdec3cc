"""The page's modules do what they should outside of browsers, where there is node."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pyhades.server.page.files import BESIDE_IT, STATIC

FOLDER = Path(__file__).parent
OLDEST = 20


@pytest.fixture(scope="module")
def node() -> str:
    """The program; a test is skipped where there is none that knows modules and tests."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("node is not installed")
    version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
    found = re.match(r"v(\d+)", version)
    if found is None or int(found[1]) < OLDEST:
        pytest.skip(f"node {version.strip()} is older than {OLDEST}")
    return path


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("name", [name for name in BESIDE_IT if name.endswith(("js", "mjs"))])
def test_modules_have_no_slip_of_the_pen(node, name):
    done = run(node, "--check", str(STATIC / name))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.test.mjs")))
def test_modules_keep_their_word(node, name):
    done = run(node, "--test", str(FOLDER / name))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 0" not in done.stdout
