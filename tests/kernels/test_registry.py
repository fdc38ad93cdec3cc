"""What every kernel owes: a test and a benchmark on every tier, and symbols of its own tier only.

The first two are counted at the end of a session, see tests/support/kernel_census.py.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pyhades import _native

ROOT = Path(__file__).parents[2]


def linked_objects() -> dict[str, str | None]:
    """The objects that the extension in use was linked from, and their tiers."""
    extension = Path(_native.__file__)
    if extension.parent != ROOT / "pyhades" or not list(ROOT.glob("build/objects-*")):
        pytest.skip("the extension was not built in this source tree")
    digest = hashlib.sha256(extension.read_bytes()).hexdigest()
    for listing in ROOT.glob(f"build/objects-*/{digest}.json"):
        return dict(json.loads(listing.read_text()))
    pytest.fail(
        f"no listing under {ROOT / 'build'} is of {extension.name}: "
        "run python setup.py build_ext --inplace"
    )


def global_symbols(nm: str, object_file: Path) -> list[str]:
    """Strong, weak and unique symbols that an object defines, demangled."""
    listing = subprocess.run(
        [nm, "-C", "--defined-only", "--extern-only", object_file],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [line.split(maxsplit=2)[2] for line in listing.splitlines() if line]


@pytest.mark.parametrize("tier", _native.tiers())
def test_objects_of_a_tier_share_no_symbol_with_others(tier):
    """A shared inline function would run with whichever instructions the linker keeps."""
    objects = [path for path, of in linked_objects().items() if of == tier]
    registered = any(kernel.name.endswith(f"_{tier}") for kernel in _native.implementations())
    assert bool(objects) == registered
    nm = shutil.which("nm")
    assert nm is not None or not objects, "needs nm, which comes with the compiler"
    symbols = [(path, name) for path in objects for name in global_symbols(nm, ROOT / path)]
    assert bool(symbols) == registered
    foreign = [f"{path}: {name}" for path, name in symbols if f"hades::{tier}::" not in name]
    assert foreign == []
