"""Examples in docstrings and pages run, as they are printed."""

from __future__ import annotations

import doctest
import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path

import pytest

import pyhades
from pyhades import kernels

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PACKAGES = ["pyhades.compiler", "pyhades.ir", "pyhades.kernels", "pyhades.onnx"]
PACKAGES += ["pyhades.segmentation"]
LEFT_OUT = {"pyhades.onnx.translate"}  # its example registers an operator
TUTORIALS = ["compile_a_graph", "remove_a_background"]
OTHER_PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [ROOT / "README.md", *DOCS.rglob("*.md")]
    if path.parent.name != "tutorials"
)


def modules() -> list[str]:
    names = ["pyhades.config"]
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        names += [module.name for module in pkgutil.walk_packages(path, f"{package}.")]
    return sorted(
        name for name in names if name not in LEFT_OUT and ">>>" in inspect.getsource(load(name))
    )


def load(name: str):
    return importlib.import_module(name)


def python_blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", modules())
def test_docstring_examples(name):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    module = load(name)
    result = doctest.testmod(module, optionflags=flags)
    assert result.attempted > 0 or "+SKIP" in inspect.getsource(module)
    assert result.failed == 0


@pytest.mark.parametrize("name", kernels.__all__)
def test_kernels_with_parameters_have_an_example(name):
    text = getattr(kernels, name).__doc__
    assert text
    if "Parameters\n" in text and "Attributes\n" not in text:
        assert f"{name}(" in text.partition("Examples\n")[2]


@pytest.mark.parametrize("page", TUTORIALS)
def test_tutorial_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "tutorials" / f"{page}.md").read_text(encoding="utf-8")
    blocks = [block for block in python_blocks(text) if '"u2net.onnx"' not in block]
    assert len(blocks) > 3
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), namespace)
    program = namespace.get("program")
    if isinstance(program, pyhades.Program):
        counted = f"{program.name}: {len(program.lines)} instructions, {program.flops / 1e9:.2f}"
        assert counted in text
    else:
        assert {"pet.png", "mug.png", "portrait.png"} <= {path.name for path in tmp_path.iterdir()}


def test_notebook_runs(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    notebook = json.loads((DOCS / "tutorials" / "kernels.ipynb").read_text(encoding="utf-8"))
    namespace: dict[str, object] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] or cell["execution_count"], "store the outputs"
            exec(compile("".join(cell["source"]), "kernels.ipynb", "exec"), namespace)


@pytest.mark.parametrize("page", OTHER_PAGES)
def test_code_of_pages_compiles(page):
    for block in python_blocks((ROOT / page).read_text(encoding="utf-8")):
        compile(block, page, "exec")
