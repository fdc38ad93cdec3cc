"""Algorithms by measurement: what is chosen is what was fastest, and is measured once."""

from __future__ import annotations

import json

import numpy as np
import pytest

import pyhades
from pyhades.compiler.placement import lower
from pyhades.compiler.tuning.alternatives import alternatives, is_open
from pyhades.compiler.tuning.record import Record
from pyhades.compiler.tuning.stopwatch import fastest
from pyhades.networks import u2net
from pyhades.passes import optimise


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PYHADES_CACHE", str(tmp_path))
    return tmp_path


def compiled(**how):
    return pyhades.compile(u2net(32, small=True), threads=1, isa="scalar", **how)


def conv_kernels(program):
    return {line.kernel for line in program.lines if line.op == "conv2d"}


@pytest.fixture
def preferred(monkeypatch):
    """Make one algorithm look fastest, and count the measurements."""
    compared = []

    def prefer(name):
        def fastest(programs, threads):
            compared.append(set(programs))
            times = {other: 2.0 for other in programs} | {name: 1.0}
            return name, times

        monkeypatch.setattr("pyhades.compiler.tuning.choose.fastest", fastest)
        return compared

    return prefer


@pytest.mark.parametrize("name", ["direct", "winograd"])
def test_the_fastest_is_taken(preferred, name):
    compared = preferred(name)
    kernels = conv_kernels(compiled(tune=True))
    assert compared and all(names == {"direct", "winograd"} for names in compared)
    assert f"conv_{name}_f32_scalar" in kernels
    if name == "direct":
        assert not any("winograd" in kernel for kernel in kernels)


def test_measured_once(preferred, cache):
    compared = preferred("winograd")
    first = conv_kernels(compiled(tune=True))
    count = len(compared)
    assert conv_kernels(compiled(tune=True)) == first and len(compared) == count
    (path,) = (cache / "tuning").iterdir()
    assert "scalar_1" in path.name
    rows = json.loads(path.read_text()).values()
    assert {row["choice"] for row in rows} >= {"winograd"}
    assert any(set(row["milliseconds"]) == {"direct", "winograd"} for row in rows)


def test_results_are_those_of_the_algorithm(preferred):
    preferred("winograd")
    x = np.random.default_rng(0).standard_normal((1, 3, 32, 32), np.float32)
    direct, tuned = compiled()(x)[0], compiled(tune=True)(x)[0]
    assert np.abs(direct - tuned).max() < 1e-4 and (direct != tuned).any()


def test_a_damaged_record_is_made_anew(preferred, cache, caplog):
    compared = preferred("direct")
    compiled(tune=True)
    (path,) = (cache / "tuning").iterdir()
    for text in ("{", "[]", '{"a": {}}', '{"a": {"choice": 3}}'):
        path.write_text(text)
        before = len(compared)
        compiled(tune=True)
        assert len(compared) > before
    assert "made anew" in caplog.text
    rows = json.loads(path.read_text())
    for row in rows.values():
        row["choice"] = "of another build"
    path.write_text(json.dumps(rows))
    assert conv_kernels(compiled(tune=True)) == conv_kernels(compiled())


def test_a_cache_that_cannot_be_written(preferred, cache, caplog):
    preferred("direct")
    (cache / "tuning").write_text("a file where the folder should be")
    assert not any("winograd" in kernel for kernel in conv_kernels(compiled(tune=True)))
    assert "not kept" in caplog.text


def test_two_processes_add_to_one_record(cache):
    one, two = (Record.of("avx2", 2) for _ in range(2))
    one.put("a", "direct", {})
    two.put("b", "winograd", {})
    one.save()
    two.save()
    merged = Record.of("avx2", 2)
    assert merged.get("a") == "direct" and merged.get("b") == "winograd"
    assert Record.of("avx2", 1).get("a") is None


def test_the_stopwatch_finds_the_shorter_program():
    """Between a small and a much larger convolution nothing is left to chance."""
    programs = {}
    for name, size in (("small", 32), ("large", 256)):
        instructions = lower(optimise(u2net(size, small=True))).instructions
        convolution = next(i for i in instructions if is_open(i))
        programs[name] = dict(alternatives(convolution, None))["direct"]
    name, times = fastest(programs, 1)
    assert name == "small" and times["small"] < times["large"]
