"""What reports compute from measurements, against values worked out by hand."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pyhades.bench.pictures.costs import cost, days_for, price_table, usd_per_million
from pyhades.bench.pictures.measuring import Task
from pyhades.bench.pictures.memory import memory_rows
from pyhades.bench.pictures.memory_parts import bytes_by_node
from pyhades.bench.pictures.outlook import CLAIM_SOURCE, PIXEL_BYTES, Inputs, Target, predict
from pyhades.bench.pictures.rows import (
    Cell,
    distribution,
    percentile,
    stage_distributions,
    summarise,
    with_speed_ups,
)


def stretch(pictures=4, elapsed=2.0, latency=0.5, **others):
    return {
        "elapsed": elapsed, "pictures": pictures, "rate": pictures / elapsed if elapsed else 0.0,
        "latencies": [latency] * pictures,
        "stages": [{"decode": latency / 5, "network": latency * 3 / 5, "encode": latency / 5}]
        * pictures,
        "written": 1000 * pictures, "cpu": 3.0, "failed": 0, "failures": [], "disk": 0,
        "joules": None,
    } | others  # fmt: skip


def row(workers=1, threads=1, engine="pyhades", stretches=None, cpus=2):
    cell = Cell(engine, workers, threads)
    return summarise(cell, "some", "warm", "fp32", stretches or [stretch()], cpus)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        (range(1, 101), 0.5, 50),
        (range(1, 101), 0.99, 99),
        (range(1, 101), 0.999, 100),
        ([7.0], 0.5, 7.0),
        ([2.0, 1.0], 0.5, 1.0),
        ([2.0, 1.0], 0.9, 2.0),
    ],
)
def test_percentile(values, share, expected):
    assert percentile(list(values), share) == expected


def test_distribution():
    found = distribution([n / 1000 for n in range(1, 1001)])
    assert found == {
        "p50": 500, "p90": 900, "p95": 950, "p99": 990, "p99.9": 999, "max": 1000, "mean": 500.5,
    }  # fmt: skip


def test_shares_of_stages():
    found = stage_distributions([{"decode": 0.1, "network": 0.3}, {"network": 0.6}])
    assert list(found) == ["decode", "network"]
    assert found["decode"]["share"] == 0.1 and found["network"]["share"] == 0.9
    assert found["decode"]["max"] == 100 and found["decode"]["mean"] == 50


def test_a_row_is_the_median_of_stretches():
    found = row(stretches=[stretch(elapsed=2.0), stretch(elapsed=4.0), stretch(elapsed=1.0)])
    assert (found.images_s, found.images_s_min, found.images_s_max) == (2.0, 1.0, 4.0)
    assert (found.pictures, found.samples, found.stretches) == (12, 12, 3)
    # 3 stretches of 3 s of processors in 7 s on 2 CPUs
    assert found.cpu_utilisation == pytest.approx(9 / 7 / 2, abs=1e-4)
    assert found.result_bytes == 1000 and found.disk_bytes == 0
    assert found.energy == "unavailable" and found.joules is None and found.kind == "measured"


def test_energy_is_measured_or_unavailable():
    whole = row(stretches=[stretch(joules=10.0), stretch(joules=30.0)])
    assert (whole.energy, whole.joules) == ("measured", 5.0)
    half = row(stretches=[stretch(joules=10.0), stretch()])
    assert (half.energy, half.joules) == ("unavailable", None)


def test_nothing_that_worked_is_no_row():
    nothing = stretch(pictures=0, elapsed=0.0, failed=6)
    assert row(stretches=[nothing]) is None
    assert row(stretches=[nothing, stretch()]).failed == 6


def test_speed_up_and_efficiency():
    rows = [row(1), row(2, stretches=[stretch(elapsed=1.25)]), row(2, engine="openvino")]
    one, two, other = with_speed_ups(rows)
    assert (one.speed_up, one.efficiency) == (1.0, 1.0)
    assert (two.speed_up, two.efficiency) == (1.6, 0.8)
    assert (other.speed_up, other.efficiency) == (1.0, 1.0)  # beside its own fewest


def test_efficiency_counts_threads():
    _, two = with_speed_ups([row(1, threads=2), row(2, threads=1)])
    assert (two.speed_up, two.efficiency) == (1.0, 1.0)


def test_cost():
    # $3.60 an hour is a thousandth of a dollar a second: 10 pictures.
    assert usd_per_million(3.6, 10) == pytest.approx(100)
    assert days_for(86400, 2) == 0.5
    found = cost("c", "predicted", 10.0, 3.6, "by hand")
    assert (found.usd_per_million, found.usd_per_billion) == (100.0, 100_000.0)
    assert found.days_for_a_billion == pytest.approx(1e9 / 10 / 86400, abs=0.01)
    unknown = cost("c", "measured", 10.0, None, "not known")
    assert unknown.usd_per_million is None and unknown.usd_per_billion is None


def test_the_table_of_prices_is_dated_and_sourced():
    prices = price_table()
    assert {price.kind for price in prices} <= {"list", "spot", "commitment"}
    for price in prices:
        assert price.date.startswith("20") and len(price.source) > 10
        assert price.usd_per_hour > 0 and price.vcpus >= price.cores > 0
        assert (price.kind == "commitment") == (price.term != "none")
        # A number that nobody measured here says where it is from.
        for value, source in (
            (price.bandwidth_gb_s, price.bandwidth_from),
            (price.io_gb_s, price.io_from),
        ):
            assert (value is None) == (source == "not known")
            assert value is None or source.startswith(("published: ", "calculated: "))
    assert len({(price.name, price.term) for price in prices}) == len(prices)


INPUTS = Inputs("some", 2.0, 0.05, 1e9, 10e6, "a CPU")
TARGET = Target("a machine", 100, 200, 150.0, "published: somewhere", 1.5, "published: a page")


@pytest.mark.parametrize(
    ("changes", "bound_by", "rate"),
    [
        ({}, "bandwidth", 150.0),  # 150 GB/s over 1 GB
        ({"bandwidth_gb_s": None}, "io", 150.0),  # 1.5 GB/s over 10 MB
        ({"bandwidth_gb_s": None, "io_gb_s": None}, "compute", 200.0),  # 100 x 2
        ({"cores": 10}, "compute", 20.0),
    ],
)
def test_the_least_bound_counts(changes, bound_by, rate):
    found = predict(INPUTS, dataclasses.replace(TARGET, **changes))
    assert (found.bound_by, found.images_s) == (bound_by, rate)
    assert found.codec == dataclasses.replace(TARGET, **changes).cores / 0.05


def test_predictions_say_that_they_are_and_what_of():
    found = predict(INPUTS, TARGET)
    assert found.kind == "predicted" and found.to_dict()["kind"] == "predicted"
    for number in ("2 pictures/s", "50.00 ms", "1000.0 MB", "10.000 MB", "150 GB/s", "1.5 GB/s"):
        assert any(number in said for said in found.inputs.values()), number
    for name, said in found.inputs.items():
        assert any(word in said for word in ("measured", "published", "assumed", "operands")), name
    assert found.claim_images_s == 200 * 0.6 and "published" in CLAIM_SOURCE
    unknown = predict(INPUTS, dataclasses.replace(TARGET, bandwidth_gb_s=None))
    assert unknown.inputs["bandwidth"] == "not known, does not count"


def test_inputs_come_from_a_row():
    found = Inputs.of(row(2, threads=2), 5e8, 12.0, 7.0, "a CPU")
    assert found.rate == 2.0 / 2 / 2  # per worker, per thread
    assert found.codec_seconds == pytest.approx(2 * 0.2)
    assert found.moved_bytes == 5e8 + 12e6 * PIXEL_BYTES


def test_memory_by_part():
    def said(peak):
        parts = {"weights": 10e6, "arenas": 20e6, "buffers": 5e6}
        return {"peak_rss": peak, "parts": parts, "nodes": {"0": 60e6}}

    answers = {Cell("pyhades", 1, 1): said(100e6), Cell("pyhades", 3, 1): said(160e6)}
    answers[Cell("rembg", 1, 2)] = {"peak_rss": 300e6, "parts": {}, "nodes": {}}
    one, three, rembg = memory_rows(answers)
    assert one.per_added_worker_mb is None and three.per_added_worker_mb == 30
    assert one.parts_mb["queues"] == 2 * 2 * 64 / 1e6 and three.parts_mb["queues"] > 0
    assert sum(three.parts_mb.values()) == pytest.approx(160, abs=0.01)
    assert rembg.parts_mb == {} and rembg.peak_mb == 300


def test_memory_by_node(tmp_path):
    maps = tmp_path / "numa_maps"
    maps.write_text(
        "7f00 default anon=3 dirty=3 N0=2 N1=1 kernelpagesize_kB=4\n"
        "7f01 default anon=1 N1=1 kernelpagesize_kB=2048\n7f02 default\n"
    )
    assert bytes_by_node(maps) == {"0": 8192, "1": 4096 + (2 << 20)}
    assert bytes_by_node(tmp_path / "nothing") == {}


def test_cells_of_a_task(tmp_path, monkeypatch):
    monkeypatch.setattr("pyhades.bench.pictures.measuring.usable_cpus", lambda: 8)
    task = Task((), tmp_path, workers=(1, 4), threads=1, rivals=("rembg", "loop"))
    assert task.cells() == [
        Cell("pyhades", 1, 1), Cell("rembg", 1, 8), Cell("pyhades", 4, 1), Cell("rembg", 4, 2),
        Cell("loop", 1, 1),
    ]  # fmt: skip


def test_rows_are_json():
    assert json.loads(json.dumps(row().to_dict()))["kind"] == "measured"
