"""Builds that emulate a tier are for tests: never installed, never a default, never timed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pyhades
from pyhades import _native, kernels
from pyhades.errors import ConfigurationError

ROOT = Path(__file__).parents[2]


def build(tier: str, *commands: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("Cython")
    if not (ROOT / "setup.py").exists():
        pytest.skip("needs the source tree")
    return subprocess.run(
        [sys.executable, "setup.py", "--quiet", *commands],
        cwd=ROOT,
        env=os.environ | {"PYHADES_EMULATE": tier},
        capture_output=True,
        text=True,
    )


def test_a_wheel_is_refused(tmp_path):
    refused = build("avx512", "build", "-b", str(tmp_path), "bdist_wheel", "-d", str(tmp_path))
    assert refused.returncode != 0
    assert "PYHADES_EMULATE is for tests and never part of a wheel" in refused.stderr
    assert not list(tmp_path.glob("*.whl"))


def test_an_unknown_tier_is_refused():
    refused = build("avx1024", "build_ext")
    assert refused.returncode != 0
    assert "PYHADES_EMULATE=avx1024: choose from avx2, avx512" in refused.stderr


def test_no_emulated_tier_is_the_default(monkeypatch):
    monkeypatch.delenv("PYHADES_ISA", raising=False)
    assert _native.tier_name() not in _native.emulated_tiers()
    emulated = tuple(f"_{tier}" for tier in _native.emulated_tiers())
    functions = {kernel.function for kernel in _native.implementations()}
    if emulated:
        assert not [name for name in map(kernels.selected, functions) if name.endswith(emulated)]


def test_emulated_tiers_are_called_so():
    shown = str(pyhades.show_config())
    assert shown.count("(emulated)") == len(_native.emulated_tiers())
    assert all(f"{tier} (emulated)" in shown for tier in _native.emulated_tiers())


def test_emulated_tiers_are_not_timed():
    if not _native.emulated_tiers():
        pytest.skip("a build without emulated tiers")
    for tier in _native.emulated_tiers():
        for measure in (_native.measure_peak_gflops, _native.measure_bandwidth_gbs):
            with pytest.raises(ConfigurationError, match="emulated by this build"):
                measure(tier)
