"""The source distribution has all that builds, tests and documents the package."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
APART = (".github/", ".gitignore", ".pre-commit-config.yaml")
"""Of use in a repository only."""


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    """Files that git knows, without those that were deleted since."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git repository")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


@pytest.fixture(scope="module")
def built(tracked, tmp_path_factory) -> Path:
    """A copy of those files with ``dist/``, and what would be installed without compiling it."""
    pytest.importorskip("Cython", reason="Cython, which builds need, is not installed")
    folder = tmp_path_factory.mktemp("source")
    for name in tracked:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    command = [sys.executable, "setup.py", "--quiet", "sdist", "build_py", "--build-lib", "lib"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_everything_in_the_repository_is_in_the_sdist(tracked, built):
    (archive,) = (built / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        packed = {name.partition("/")[2] for name in opened.getnames()}
    missing = {name for name in tracked if not name.startswith(APART)} - packed
    assert not missing, f"name them in MANIFEST.in: {sorted(missing)}"
    assert not [name for name in packed if name.endswith((".so", ".pyc"))]


def test_nothing_but_the_package_is_installed(tracked, built):
    installed = {
        path.relative_to(built / "lib").as_posix()
        for path in (built / "lib").rglob("*")
        if path.is_file()
    }
    assert installed <= set(tracked)
    assert {name.partition("/")[0] for name in installed} == {"pyhades"}
    python = {name for name in tracked if name.startswith("pyhades/") and name.endswith(".py")}
    assert python <= installed
    page = {name for name in tracked if name.startswith("pyhades/server/page/static/")}
    assert page and page <= installed, "name them in package-data of pyproject.toml"
