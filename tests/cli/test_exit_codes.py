"""Every exit code of ``pyhades remove`` that the reference names, and no other."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from pyhades.segmentation.bulk.manifest import beside

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "command_line.md"


def of_a_run(tmp_path, *arguments):
    command = [sys.executable, "-m", "pyhades", "remove", *arguments]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode


def of_a_signal(tmp_path, number):
    """Of a run that gets a signal once it has done its first picture."""
    Image.new("RGB", (600, 600)).save(tmp_path / "0.png")
    for name in range(1, 400):
        os.link(tmp_path / "0.png", tmp_path / f"{name}.png")
    command = [sys.executable, "-m", "pyhades", "remove", ".", "-o", "out", "--jobs", "2"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE)
    manifest = beside(tmp_path / "out")
    while process.poll() is None and not (manifest.exists() and b'"done"' in manifest.read_bytes()):
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate()
    assert b"--resume goes on" in errors
    return process.returncode


def nothing_failed(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    return of_a_run(tmp_path, "a.png", "-o", "out")


def something_failed(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"junk")
    return of_a_run(tmp_path, "a.png", "b.png", "-o", "out")


def wrong_usage(tmp_path):
    return of_a_run(tmp_path, "missing.png", "-o", "out")


WAYS = {
    0: nothing_failed,
    1: something_failed,
    2: wrong_usage,
    130: lambda tmp_path: of_a_signal(tmp_path, signal.SIGINT),
    143: lambda tmp_path: of_a_signal(tmp_path, signal.SIGTERM),
}


@pytest.mark.slow
@pytest.mark.parametrize("code", WAYS)
def test_exit_codes(code, tmp_path):
    assert WAYS[code](tmp_path) == code


def test_the_reference_names_them_all():
    text = REFERENCE.read_text().partition("## Exit codes")[2].partition("\n## ")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)} == set(WAYS)
