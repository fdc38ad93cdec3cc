from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import pyhades
from pyhades.cli import COMMANDS, SECTIONS, main

HEAVY = "numpy PIL tqdm isal simplejpeg pyhades.segmentation pyhades._native"


def test_help_lists_the_commands_and_imports_none_of_them():
    code = (
        "import sys; sys.argv = ['pyhades', '--help']\n"
        "from pyhades.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"sys.exit(','.join(m for m in '{HEAVY}'.split() if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == "" and done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


def test_help_speaks_of_both_pipelines():
    text = CliRunner().invoke(main, ["--help"]).output
    assert "Background removal" in text and "language models" in text
    assert all(f"{heading}:" in text for heading in SECTIONS)


def test_the_page_has_a_section_for_every_command():
    page = Path(__file__).parents[2] / "docs" / "reference" / "command_line.md"
    titles = re.findall(r"^## `pyhades ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(titles) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name):
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0 and "Usage:" in result.output


def test_version():
    result = CliRunner().invoke(main, ["--version"])
    assert pyhades.__version__ in result.output


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["fly"], "there are remove, models, "),
        (["remov"], "did you mean remove"),
        (["models", "verfy"], "did you mean verify?"),
        (["cache", "show"], "there are clear, stats, verify"),
        (["bench", "segmentations"], "did you mean segmentation?"),
    ],
)
def test_unknown_commands_are_wrong_usage(arguments, hint):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert f"no command is called {arguments[-1]!r}; " in result.output and hint in result.output


@pytest.mark.parametrize("number", ["nan", "inf", "-1", "x"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["remove", "a.png", "-o", "out", "--interval"],
        ["remove", "a.png", "-o", "out", "--engine-timeout"],
        ["verify", "a.onnx", "--tolerance"],
        ["bench", "llm", "--load"],
        ["bench", "segmentation", "--seconds"],
        ["bench", "serve", "--overload"],
        ["bench", "serve", "--rate"],
        ["serve", "--drain-seconds"],
    ],
    ids=lambda arguments: arguments[-1],
)
def test_numbers_are_finite(arguments, number):
    result = CliRunner().invoke(main, [*arguments, number])
    assert result.exit_code == 2 and f"'{arguments[-1]}'" in result.output
