"""The rules of CONTRIBUTING.md that a reader of csrc/ can check: who includes what, and why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CSRC = ROOT / "csrc"
KERNELS = CSRC / "kernels"
SHARED = "tile"
FAMILIES = sorted(path.name for path in KERNELS.iterdir() if path.is_dir() and path.name != SHARED)
TIERS = re.findall(
    r"^HADES_TIER\((\w+),", (CSRC / "base" / "isa.inc").read_text(encoding="utf-8"), re.MULTILINE
)
TIER_FILES = sorted(path for path in CSRC.rglob("*.cpp") if path.stem.endswith(tuple(TIERS)))
# Types, and functions of C: nothing that the linker could share between tiers.
STANDARD = {"cmath", "cstddef", "cstdint", "cstring", "type_traits"}
VOCABULARY = {"immintrin.h"}  # for csrc/simd alone


def included(path: Path, form: str) -> list[str]:
    """What a file includes as ``"..."`` or ``<...>``."""
    return re.findall(rf"^\s*#include {form}", path.read_text(encoding="utf-8"), re.MULTILINE)


def reached(path: Path) -> set[Path]:
    """The file and every file of csrc/ that it includes, directly or not."""
    found, waiting = set(), [path]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [CSRC / name for name in included(path, '"([^"]+)"')]
    return found


def test_there_are_tier_files():
    assert len(TIER_FILES) > 50
    assert {path.parents[1] for path in TIER_FILES} == {KERNELS}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_includes_shared_rooms_and_its_own(family):
    allowed = ("base/", "formats/", "simd/", f"kernels/{SHARED}/", f"kernels/{family}/")
    for path in sorted((KERNELS / family).iterdir()):
        names = included(path, '"([^"]+)"')
        if path.suffix == ".cpp" and path not in TIER_FILES:
            names = [name for name in names if name != "kernels/families.h"]
        strangers = [name for name in names if not name.startswith(allowed)]
        assert strangers == [], f"{path.relative_to(ROOT)} looks into another room"


def test_the_shared_room_knows_no_family():
    for path in sorted((KERNELS / SHARED).iterdir()):
        names = included(path, '"([^"]+)"')
        allowed = ("base/", "formats/", "simd/", f"kernels/{SHARED}/")
        assert [name for name in names if not name.startswith(allowed)] == [], path.name


@pytest.mark.parametrize("path", TIER_FILES, ids=lambda path: path.stem)
def test_code_of_a_tier_includes_only_what_cannot_be_shared(path):
    for source in sorted(reached(path)):
        allowed = STANDARD | VOCABULARY if source.parent == CSRC / "simd" else STANDARD
        others = set(included(source, "<([^>]+)>")) - allowed
        assert not others, f"{source.relative_to(ROOT)} includes {sorted(others)}"


@pytest.mark.parametrize("family", [*FAMILIES, SHARED])
def test_tiers_are_named_by_registries_and_file_names_alone(family):
    """What a kernel needs of its tier, it says itself: a new tier changes no file of a family."""
    named = re.compile(rf"\btier::|\bkAvx|\bHADES_TIER_|\b(?:{'|'.join(TIERS)})::")
    for path in sorted((KERNELS / family).iterdir()):
        if path.suffix == ".inc" or path in TIER_FILES:
            continue
        code = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
        assert named.findall(code) == [], path.relative_to(ROOT)
