"""What the machine can do at best, against what must be true of it."""

from __future__ import annotations

import pytest

from pyhades import _native
from pyhades.errors import ArgumentError, ConfigurationError
from pyhades.llm.measure.traffic import operations_per_token
from pyhades.llm.models.gpt_oss.sizes import gpt_oss_config


def test_dot_products_of_bytes(tier):
    if tier in _native.emulated_tiers():
        with pytest.raises(ConfigurationError, match="emulated"):
            _native.measure_peak_int8_gops(tier)
        return
    peak = _native.measure_peak_int8_gops(tier)
    if tier == "scalar":
        assert peak == 0
    else:
        # Without VNNI the products are those of AVX2, and so is what they are compared with.
        floats = "avx2" if tier == "avx512" else tier
        assert peak > 0.5 * _native.measure_peak_gflops(floats) > 0


def test_products_of_bfloat16(tier):
    if tier in _native.emulated_tiers():
        with pytest.raises(ConfigurationError, match="emulated"):
            _native.measure_peak_bf16_gflops(tier)
        return
    least = 1.5 if tier == "avx512_bf16" else 0.5
    assert _native.measure_peak_bf16_gflops(tier) > least * _native.measure_peak_gflops(tier) > 0


@pytest.mark.parametrize(
    "measure",
    [
        _native.measure_peak_gflops,
        _native.measure_peak_int8_gops,
        _native.measure_peak_bf16_gflops,
        _native.measure_bandwidth_gbs,
    ],
)
@pytest.mark.parametrize("threads", [0, -1])
def test_no_threads_have_no_roof(measure, threads):
    with pytest.raises(ArgumentError, match=f"threads={threads}"):
        measure(threads=threads)


@pytest.mark.parametrize("nothing", [{"nbytes": 0}, {"passes": 0}])
def test_reading_nothing_has_no_bandwidth(nothing):
    with pytest.raises(ArgumentError, match="=0"):
        _native.measure_bandwidth_gbs(**nothing)


def test_operations_of_gpt_oss_20b():
    active = 24 * (4 * 3 * 2880 * 2880 + 2880 * (5120 + 4096 + 32))
    assert operations_per_token(gpt_oss_config()) == 2 * active == pytest.approx(6.05e9, rel=0.01)
