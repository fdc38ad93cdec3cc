"""Pages that follow from the registries are those that the registries give."""

from __future__ import annotations

import importlib.util
import platform
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "generate_reference.py"
X86 = platform.machine().lower() in ("x86_64", "amd64")


@pytest.fixture(scope="module")
def generate():
    specification = importlib.util.spec_from_file_location("generate_reference", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["onnx_support.md", "kernel_table.md"])
def test_page_is_up_to_date(generate, page):
    if page == "kernel_table.md" and not X86:
        pytest.skip("the committed table is that of the x86-64 build")
    assert set(generate.PAGES) == {"onnx_support.md", "kernel_table.md"}
    committed = (generate.FOLDER / page).read_text(encoding="utf-8")
    assert committed == generate.PAGES[page](), "run python docs/generate_reference.py"
