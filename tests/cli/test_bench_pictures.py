"""`pyhades bench segmentation` with pictures: small ones, and no claim about time."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from pyhades.bench.pictures import report
from pyhades.bench.pictures.scenes import scene
from pyhades.cli import main

ROOT = Path(__file__).parents[2]
STAGES = ["read", "decode", "preprocess", "network", "matte", "encode", "look", "write", "rest"]
QUICK = ["--seconds", 0.05, "--stretches", 2]


@pytest.fixture(scope="module", autouse=True)
def importable():
    """Processes that are started find the package, wherever tests run."""
    with pytest.MonkeyPatch.context() as patch:
        before = os.environ.get("PYTHONPATH")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), before])))
        patch.setattr(report, "BANDWIDTH_BYTES", 1 << 20)
        yield


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "six"
    folder.mkdir()
    for number in range(6):
        Image.fromarray(scene(number, (64, 48))).save(folder / f"{number}.jpg")
    return folder


@pytest.fixture
def invoke(tmp_path):
    """Run the command; its result, and what it wrote as JSON if it did."""

    def run(*arguments):
        out = tmp_path / "results.json"
        given = ["bench", "segmentation", *arguments, "--json", out]
        result = CliRunner().invoke(main, [str(argument) for argument in given])
        return result, json.loads(out.read_text()) if out.exists() else None

    return run


@pytest.mark.slow
def test_everything(invoke, pictures, tmp_path):
    pytest.importorskip("matplotlib")
    out = [
        "--output",
        tmp_path / "out",
        "--markdown",
        tmp_path / "r.md",
        "--plot",
        tmp_path / "r.svg",
    ]
    result, measured = invoke(pictures, "--workers", "1,2", "--price", 0.5, "--cold", *out, *QUICK)
    assert result.exit_code == 0, result.output
    assert set(measured) == {
        "schema", "machine", "sets", "results", "memory", "refused", "failures", "predictions",
        "claim", "costs", "prices",
    }  # fmt: skip
    assert measured["schema"] == "pyhades.bench.pictures/1"
    check_rows(measured["results"])
    check_memory(measured["memory"])
    check_outlook(measured)
    machine = measured["machine"]
    assert "worker" in machine["plan"] and machine["plan"] in result.output
    assert machine["energy"] in ("measured", "unavailable") and machine["results_on"]
    (one,) = measured["sets"]
    assert one["count"] == 6 and one["megapixels"] == 0.003 and one["filesystem"]
    results = list((tmp_path / "out").rglob("*.png"))
    assert {path.parent.name for path in results} == {"pyhades-1", "pyhades-2"}
    assert all(Image.open(path).mode == "RGBA" for path in results)
    text = (tmp_path / "r.md").read_text()
    assert text.strip() in result.output and "## More cores (predicted)" in text
    assert (tmp_path / "r.svg").read_bytes().startswith(b"<?xml")


def check_rows(rows):
    found = [(row["cache"], row["engine"], row["workers"]) for row in rows]
    assert found == [(c, "pyhades", n) for c in ("warm", "cold") for n in (1, 2)]
    for row in rows:
        assert row["kind"] == "measured" and row["set"] == "six" and row["stretches"] == 2
        assert list(row["stages_ms"]) == STAGES
        assert sum(stage["share"] for stage in row["stages_ms"].values()) == pytest.approx(
            1, abs=1e-3
        )
        assert row["samples"] <= row["pictures"] and row["failed"] == 0
        ordered = [row["latency_ms"][name] for name in ("p50", "p90", "p95", "p99", "p99.9", "max")]
        assert ordered == sorted(ordered) and ordered[0] > 0
        assert row["per_worker"] == pytest.approx(row["images_s"] / row["workers"], abs=1e-3)
    for cache in ("warm", "cold"):
        one, two = (row for row in rows if row["cache"] == cache)
        assert one["efficiency"] == 1
        assert two["speed_up"] == pytest.approx(two["images_s"] / one["images_s"], abs=1e-3)
        assert two["efficiency"] == pytest.approx(two["speed_up"] / 2, abs=1e-3)


def check_memory(rows):
    one, two = rows
    for row in rows:
        parts = row["parts_mb"]
        assert set(parts) == {"weights", "arenas", "buffers", "queues", "rest"}
        assert all(value > 0 for value in parts.values())
    assert two["parts_mb"]["arenas"] == pytest.approx(2 * one["parts_mb"]["arenas"], abs=0.01)
    assert two["parts_mb"]["weights"] == one["parts_mb"]["weights"]
    assert one["per_added_worker_mb"] is None and two["per_added_worker_mb"] is not None


def check_outlook(measured):
    predictions = measured["predictions"]
    assert {one["kind"] for one in predictions} == {"predicted"}
    assert all(len(one["inputs"]) == 8 for one in predictions)
    machines = {price["name"] for price in measured["prices"]}
    assert {one["machine"] for one in predictions} == {"this machine", *machines}
    rate = measured["results"][0]["per_worker"]
    for one in predictions:
        assert one["compute"] == pytest.approx(one["cores"] * rate, rel=1e-3)
        known = [one[name] for name in ("compute", "bandwidth", "codec", "io") if one[name]]
        assert one["images_s"] == min(known) == one[one["bound_by"]]
    costs = measured["costs"]
    assert {one["rate_is"] for one in costs} == {"measured", "predicted", "published"}
    for row, one in zip(measured["results"], costs, strict=False):
        assert one["rate_is"] == "measured" and one["usd_per_hour"] == 0.5
        assert one["usd_per_million"] == pytest.approx(0.5 / 3600 / row["images_s"] * 1e6, rel=1e-2)


@pytest.mark.slow
def test_pictures_that_are_made_and_a_rival(invoke, tmp_path):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    float32 = onnx.TensorProto.FLOAT
    weight = onnx.helper.make_tensor("w", float32, [1, 3, 3, 3], [0.1] * 27)
    nodes = [
        onnx.helper.make_node("Conv", ["image", "w"], ["logits"], pads=[1, 1, 1, 1]),
        onnx.helper.make_node("Sigmoid", ["logits"], ["mask"]),
    ]
    inputs = [onnx.helper.make_tensor_value_info("image", float32, [1, 3, 32, 32])]
    outputs = [onnx.helper.make_tensor_value_info("mask", float32, [1, 1, 32, 32])]
    graph = onnx.helper.make_graph(nodes, "tiny", inputs, outputs, [weight])
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "m.onnx")
    result, measured = invoke(
        "--images", 2, "--size", "20x10,30x30", "--model", tmp_path / "m.onnx", *QUICK,
        "--rival", "onnxruntime,loop",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert [one["name"] for one in measured["sets"]] == ["20x10", "30x30"]
    found = [(row["set"], row["engine"]) for row in measured["results"]]
    engines = ("pyhades", "onnxruntime", "loop")
    assert found == [(name, engine) for name in ("20x10", "30x30") for engine in engines]
    assert "20x10, warm, 1 workers: " in result.output and " x onnxruntime" in result.output


@pytest.mark.slow
def test_pictures_that_fail_are_told_and_the_rest_is_measured(invoke, pictures):
    (pictures / "broken.jpg").write_bytes(b"no picture")
    # Long enough for all of them.
    result, measured = invoke(pictures, "--seconds", 1, "--stretches", 1)
    assert result.exit_code == 1
    (failure,) = measured["failures"]
    assert failure["picture"].endswith("broken.jpg") and "ImageError" in failure["reason"]
    assert "broken.jpg" in result.output
    (row,) = measured["results"]
    assert row["failed"] >= 1 and row["pictures"] > 0


@pytest.mark.slow
def test_nothing_but_failures(invoke, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    result, measured = invoke(tmp_path, *QUICK)
    assert result.exit_code == 1 and measured["results"] == [] == measured["predictions"]
    (refused,) = measured["refused"]
    assert refused["reason"].startswith("no picture worked: ImageError")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--images", "2", "somewhere"], "not both"),
        (["--images", "0"], "--images"),
        (["--images", "2", "--size", "20"], "640x480"),
        (["--images", "2", "--size", "20x0"], "640x480"),
        (["--images", "2", "--workers", "1,x"], "1,2"),
        (["--images", "2", "--rival", "nobody"], "rembg"),
        (["--images", "2", "--rival", "loop"], "--rival needs --model"),
        (["--images", "2", "--runs", "3"], "--runs means nothing with pictures"),
        (["--images", "2", "--model", "a", "--model", "b"], "one --model"),
        (["--model", "x", "--cold"], "--cold means nothing without pictures"),
        (["--model", "x", "--rival", "rembg"], "needs pictures"),
        (["nowhere"], "there is no such folder"),
        ([], "--model"),
    ],
)
def test_wrong_usage(arguments, complaint):
    result = CliRunner().invoke(main, ["bench", "segmentation", *arguments])
    assert result.exit_code == 2 and complaint in result.stderr


def test_a_rival_that_is_not_installed(invoke, pictures, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result, _ = invoke(pictures, "--model", "x.onnx", "--rival", "rembg")
    assert result.exit_code == 2 and "rembg is not installed; pip install rembg" in result.stderr


@pytest.mark.slow
def test_a_rival_that_cannot_is_refused_and_ours_is_measured(invoke, pictures, monkeypatch):
    # As if it were there: its process finds out that it is not.
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    model = ROOT / "pyhades/segmentation/data/default.onnx"
    result, measured = invoke(pictures, "--model", model, "--rival", "rembg", *QUICK)
    assert result.exit_code == 1, result.output
    (refused,) = measured["refused"]
    assert refused["engine"] == "rembg" and refused["reason"]
    assert [row["engine"] for row in measured["results"]] == ["pyhades"]
