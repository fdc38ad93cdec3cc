"""Which tier a machine has: the best one whose kernels it runs, not the best that it could name."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import pyhades
from pyhades import _native
from pyhades.kernels import implementations

ROOT = Path(__file__).parents[2]
FEATURES = _native.tier_features()


def tiers_of_kernels() -> set[str]:
    """Tiers that the names of kernels end in."""
    names = [kernel.name.removeprefix(f"{kernel.function}_") for kernel in implementations()]
    return {name for name in names if name in FEATURES}


def test_every_tier_is_listed():
    text = (ROOT / "csrc" / "base" / "isa.inc").read_text(encoding="utf-8")
    declared = re.findall(r"^HADES_TIER\((\w+),", text, re.MULTILINE)
    assert _native.tiers() == list(FEATURES) == declared


def test_every_tier_has_compiler_flags():
    """Read, not run: what setup.py imports is there while building only."""
    tables = {
        node.targets[0].id: [ast.literal_eval(key) for key in node.value.keys]
        for node in ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
    }
    assert tables["ISA_FLAGS"] == tables["ISA_MACROS"] == _native.tiers()


@pytest.mark.parametrize("tier", FEATURES)
def test_a_pretended_cpu_has_the_tiers_whose_kernels_it_runs(tier):
    cpu = FEATURES[tier]
    found = _native.tiers_with_kernels(cpu)
    can_run = [name for name, needed in FEATURES.items() if needed & ~cpu == 0]
    assert found == [name for name in can_run if name in tiers_of_kernels()]
    assert found[0] == "scalar"


def test_a_pretended_cpu_with_all_features_has_no_tier_without_kernels():
    everything = 0
    for features in FEATURES.values():
        everything |= features
    found = _native.tiers_with_kernels(everything)
    assert set(found) == tiers_of_kernels()
    assert found[-1] == max(tiers_of_kernels(), key=list(FEATURES).index)


def test_machine_and_programs_report_what_is_used():
    used = _native.supported_tiers()
    assert set(used) <= tiers_of_kernels()
    config = pyhades.show_config()
    assert config.supported_tiers == tuple(used)
    assert config.tier == used[-1] == _native.tier_name() == _native.ProgramBuilder().build(0).isa
    for tier in used:
        assert _native.tier_name(tier) == tier
