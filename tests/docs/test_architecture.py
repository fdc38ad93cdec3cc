"""The floors of docs/explanation/architecture.md are those of the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "architecture.md"


def floors(prefix: str) -> list[str]:
    """Names in the list of floors, from the top down."""
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^{re.escape(prefix)}(\w+) ", text, re.MULTILINE)


def imported(path: Path, package: str = "pyhades.") -> set[str]:
    """Subpackages of a package that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found |= {
            name.removeprefix(package).split(".")[0] for name in names if name.startswith(package)
        }
    return found


def test_lowering_does_not_depend_on_how_passes_edit_graphs():
    """The compiler calls the passes; what both need to know about graphs is in the IR."""
    for path in (ROOT / "pyhades" / "compiler").rglob("*.py"):
        inner = re.findall(r"pyhades\.passes\.\w+", path.read_text(encoding="utf-8"))
        assert not inner, f"{path.relative_to(ROOT)} imports {inner}"


def test_benchmarks_and_the_package_do_not_import_tests():
    """What benchmarks share with tests is a fixture of the conftest.py above both."""
    for folder in ("bench", "pyhades", "training"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            found = re.search(r"^\s*(?:from|import) +tests\b", text, re.MULTILINE)
            assert not found, f"{path.relative_to(ROOT)} imports tests"


def included(path: Path) -> set[str]:
    return set(re.findall(r'^#include "(\w+)/', path.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize(
    ("prefix", "folder", "pattern", "used"),
    [("pyhades.", "pyhades", "*.py", imported), ("csrc/", "csrc", "*.[hc]*", included)],
    ids=["pyhades", "csrc"],
)
def test_floors_look_down_only(prefix, folder, pattern, used):
    names = floors(prefix)
    packages = {path.name for path in (ROOT / folder).iterdir() if path.is_dir()}
    apart = {"native", "__pycache__"}  # the parts of _native
    assert set(names) - {"_native"} == packages - apart
    for position, name in enumerate(names):
        files = [path for path in (ROOT / folder / name).rglob(pattern) if path.is_file()]
        assert files or name == "_native"
        for path in files:
            above = used(path) & set(names[:position])
            assert not above, f"{path.relative_to(ROOT)} looks up to {sorted(above)}"


def test_rooms_of_the_language_models_look_down_only():
    names, package = floors("pyhades.llm."), ROOT / "pyhades" / "llm"
    rooms = {path.name for path in package.iterdir() if (path / "__init__.py").exists()}
    assert set(names) == rooms
    modules = {path.stem for path in package.glob("*.py")}
    for position, name in enumerate(names):
        for path in (package / name).rglob("*.py"):
            above = imported(path, "pyhades.llm.") & {*names[:position], *modules}
            assert not above, f"{path.relative_to(ROOT)} looks up to {sorted(above)}"
