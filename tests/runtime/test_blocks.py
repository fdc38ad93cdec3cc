"""Blocks of memory are zero, untouched where they are large, and go back: looked at in C++."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = Path(__file__).parent / "memory" / "blocks.cpp"
COMPILER = os.environ.get("CXX", "g++").split()


@pytest.mark.slow
def test_blocks_of_a_dirty_heap(tmp_path):
    program = tmp_path / "blocks"
    sources = [str(SOURCE), str(ROOT / "csrc" / "runtime" / "memory.cpp")]
    command = [*COMPILER, "-std=c++17", "-O1", f"-I{ROOT / 'csrc'}", *sources, "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[-2000:]
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
