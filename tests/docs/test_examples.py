"""Examples in docstrings and pages run, as they are printed."""

from __future__ import annotations

import doctest
import importlib.util
import inspect
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pyhades
from pyhades import kernels
from pyhades.networks import write_u2net
from pyhades.segmentation.remover import DEFAULT_MODEL

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LEFT_OUT = (
    "pyhades.onnx.translate",  # its example registers an operator
)
"""Modules, and packages with all that is in them, whose examples do not run here."""
TUTORIALS = ["compile_a_graph", "remove_a_background"]
OTHER_PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [ROOT / "README.md", *DOCS.rglob("*.md")]
    if path.parent.name != "tutorials"
)


def modules() -> list[str]:
    """Every module of the package that has examples, and is not left out."""
    found = []
    for path in sorted((ROOT / "pyhades").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        left_out = any(f"{name}.".startswith(f"{other}.") for other in LEFT_OUT)
        if ">>>" in path.read_text(encoding="utf-8") and not left_out:
            found.append(name)
    return found


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


def public_functions():
    """Functions that users call: of pyhades, and of pyhades.kernels."""
    for package in (pyhades, kernels):
        for name in package.__all__:
            if inspect.isfunction(getattr(package, name)):
                yield pytest.param(getattr(package, name), id=f"{package.__name__}.{name}")


def test_examples_are_found():
    found = modules()
    assert len(found) > 25 and len(list(public_functions())) > 60
    assert {"pyhades.config", "pyhades.formats.safetensors", "pyhades.passes"} <= set(found)
    for name in LEFT_OUT:
        assert importlib.util.find_spec(name), f"{name} is gone; take it out of LEFT_OUT"


@pytest.mark.parametrize("function", list(public_functions()))
def test_docstring_is_complete(function):
    """Every parameter is described, and so is what comes back; the example calls the function."""
    text = inspect.getdoc(function)
    sections = re.split(r"\n\n(\w+)\n-+\n", text)
    bodies = dict(zip(sections[1::2], sections[2::2], strict=True))
    parameters = inspect.signature(function).parameters
    described = re.findall(r"^(\S.*)$", bodies.get("Parameters", ""), re.MULTILINE)
    names = {name.strip(" *") for line in described for name in line.split(",")}
    assert set(parameters) == names
    assert {"Returns", "Raises", "Examples"} <= set(bodies)
    assert re.search(rf">>> .*\b{function.__name__}\(", bodies["Examples"])


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


def test_readme_runs(tmp_path, monkeypatch):
    """With small files by the names that it uses."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save("photo.jpg")
    write_u2net("model.onnx", 64, small=True)
    shutil.copy(DEFAULT_MODEL, "inspyrenet.onnx")
    images = {"x": rng.random((1, 3, 64, 64), np.float32)}
    weights = {"weight": np.ones((8, 3, 3, 3), np.float32), "bias": np.zeros(8, np.float32)}
    namespace: dict[str, object] = {**images, **weights}
    blocks = python_blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(blocks) >= 3
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    assert Image.open("cutout.png").mode == "RGBA"
    assert len(namespace["outputs"]) == 7 and namespace["y"].shape == (1, 8, 64, 64)


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
