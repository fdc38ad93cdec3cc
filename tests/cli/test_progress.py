"""Progress bars are for people: none where standard error is a file, a pipe or a log."""

from __future__ import annotations

import ast
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pyhades.llm.checkpoint.locating import toy_model
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "remove": ["remove", "a.png", "b.png", "-o", "out"],
    "convert": ["convert", str(toy_model()), "toy.safetensors"],
    "evaluate": ["evaluate", "--text", "text.txt", "--precision", "balanced", "--threads", "1"],
    "bench": ["bench", "llm", "--quick", "hello"],
}
MOVES = set(b"\r\x1b")
"""How bars go back to the start of their line; no text has it."""


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / name)
    (tmp_path / "text.txt").write_text("import os, sys\n")
    return tmp_path


def errors_of(arguments, folder, stderr):
    """Run the command line; what it wrote to ``stderr``, a pipe or a terminal."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pyhades", *arguments]
    options = {"cwd": folder, "env": environment, "stdout": subprocess.DEVNULL}
    if stderr == "pipe":
        done = subprocess.run(command, stderr=subprocess.PIPE, **options)
        assert done.returncode == 0, done.stderr
        return done.stderr
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with subprocess.Popen(command, stderr=theirs, **options) as process:
        os.close(theirs)
        written = b"".join(iter(lambda: read(ours), b""))
    os.close(ours)
    assert process.returncode == 0, written
    return written.replace(b"\r\n", b"\n")


def read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that the other end is closed
        return b""


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.slow
def test_bars_are_shown_on_terminals_only(name, folder):
    in_a_log = errors_of(COMMANDS[name], folder, "pipe")
    assert not MOVES & set(in_a_log), in_a_log
    (folder / "toy.safetensors").unlink(missing_ok=True)
    again = ["--overwrite"] if name == "remove" else []
    on_a_terminal = errors_of([*COMMANDS[name], *again], folder, "terminal")
    assert MOVES & set(on_a_terminal), on_a_terminal


@pytest.mark.parametrize("name", ["remove", "convert", "evaluate"])
def test_quiet_wins_on_a_terminal(name, folder):
    written = errors_of([*COMMANDS[name], "--quiet"], folder, "terminal")
    assert not MOVES & set(written), written


def test_random_weights(capfd):
    random_weights(tiny_config(), progress=True)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("folder", ["pyhades", "training"])
def test_every_bar_says_when_it_is_hidden(folder):
    """``disable`` may be None, which hides a bar where there is no terminal, and so may a name."""
    bars = 0
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "tqdm":
                disable = {k.arg: ast.unparse(k.value) for k in node.keywords}.get("disable", "")
                known = ("None", "hidden", "True if quiet else None")
                assert disable in known, f"{path.relative_to(ROOT)}:{node.lineno}"
                bars += 1
    assert bars >= 3
