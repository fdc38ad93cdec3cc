"""What every kernel family owes: tests, a benchmark, and symbols of its own tier only."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pyhades import _native
from tests.kernels.conftest import CLAIMED

ROOT = Path(__file__).parents[2]
FAMILIES = sorted({implementation.family for implementation in _native.implementations()})
TIERS = ["scalar", "avx2", "avx512", "avx512_vnni"]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kernel_is_covered_by_a_test(request, family):
    claimed = request.config.stash.get(CLAIMED, None)
    if claimed is None:
        pytest.skip("needs the marks of the whole folder: run pytest tests/kernels")
    functions = {i.function for i in _native.implementations() if i.family == family}
    assert functions - claimed == set(), "no test covers these kernels of the family"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_benchmark(family):
    benchmark = ROOT / "bench" / f"bench_{family}.py"
    assert benchmark.is_file()
    assert re.search(r"^def bench_", benchmark.read_text(), re.MULTILINE)


def global_symbols(nm: str, object_file: Path) -> list[str]:
    """Strong, weak and unique symbols that an object defines, demangled."""
    listing = subprocess.run(
        [nm, "-C", "--defined-only", "--extern-only", object_file],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [line.split(maxsplit=2)[2] for line in listing.splitlines() if line]


@pytest.mark.parametrize("tier", TIERS)
def test_objects_of_a_tier_share_no_symbol_with_others(tier):
    """A shared inline function would run with whichever instructions the linker keeps."""
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("there is no nm here")
    objects = sorted(ROOT.glob(f"build/objects-*/csrc/kernels/**/*_{tier}.o"))
    if not objects:
        pytest.skip(f"no objects of {tier} under build/: run python setup.py build_ext --inplace")
    symbols = {name: path.name for path in objects for name in global_symbols(nm, path)}
    assert symbols
    foreign = [
        f"{path}: {name}" for name, path in symbols.items() if f"hades::{tier}::" not in name
    ]
    assert foreign == []
