from __future__ import annotations

import dataclasses
import json

import pytest
from click.testing import CliRunner

from pyhades.bench.disturbance import disturbed_cpu
from pyhades.bench.llm import Effort
from pyhades.bench.segmentation import Measurement, measure
from pyhades.cli import main
from pyhades.errors import ArgumentError, ArgumentTypeError, ConfigurationError


@pytest.fixture
def model(tmp_path):
    """A convolution and a sigmoid, as a file."""
    helper = pytest.importorskip("onnx.helper")
    onnx = pytest.importorskip("onnx")
    float32 = onnx.TensorProto.FLOAT
    weight = helper.make_tensor("w", float32, [1, 3, 3, 3], [0.1] * 27)
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["logits"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["logits"], ["mask"]),
    ]
    inputs = [helper.make_tensor_value_info("image", float32, [1, 3, 32, 32])]
    outputs = [helper.make_tensor_value_info("mask", float32, [1, 1, 32, 32])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, [weight])
    path = tmp_path / "tiny.onnx"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path
    )
    return path


def test_engines_side_by_side(model, tmp_path):
    pytest.importorskip("onnxruntime")
    out = tmp_path / "results.json"
    arguments = ["bench", "segmentation", "--model", model, "--threads", "1,2", "--runs", 3]
    arguments += ["--rival", "onnxruntime", "--json", out]
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    measured = json.loads(out.read_text())
    assert set(measured["machine"]["peak_gflops"]) == {"1", "2"}
    rows = measured["results"]
    assert [(row["engine"], row["threads"]) for row in rows] == [
        ("pyhades", 1), ("onnxruntime", 1), ("pyhades", 2), ("onnxruntime", 2),
    ]  # fmt: skip
    for row in rows:
        assert set(row) == {field.name for field in dataclasses.fields(Measurement)}
        assert row["median_ms"] > 0 and row["runs"] == 3 and row["peak_rss_mb"] > 10
        # 32 * 32 outputs of 27 multiply-adds, and a little for the sigmoid.
        assert row["gflops"] * row["median_ms"] * 1e6 >= 0.9 * 32 * 32 * 27 * 2
        assert 0 <= row["share_of_peak"] <= 1


def test_disturbed(model, tmp_path):
    out = tmp_path / "results.json"
    arguments = ["bench", "segmentation", "--model", model, "--threads", "1,2", "--runs", 2]
    arguments += ["--disturb", "--json", out]
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    measured = json.loads(out.read_text())
    assert measured["machine"]["disturbed_by"] == f"one busy process on CPU {disturbed_cpu()}"
    assert measured["machine"]["disturbed_by"] in result.output
    assert [(row["threads"], row["disturbed"]) for row in measured["results"]] == [
        (1, False), (2, False), (1, True), (2, True),
    ]  # fmt: skip
    assert "tiny, fp32, 2 thread(s), disturbed:" in result.output
    assert "x 1 thread(s) alone" in result.output
    tables = [line for line in result.output.splitlines() if line.endswith("  disturbed")]
    assert len(tables) == 2


def test_disturbed_language_model(tmp_path):
    out = tmp_path / "results.json"
    arguments = ["bench", "llm", "--quick", "--threads", "1", "--disturb", "--json", str(out)]
    result = CliRunner().invoke(main, [*arguments, "a prompt"])
    assert result.exit_code == 0, result.output
    measured = json.loads(out.read_text())
    assert measured["machine"]["disturbed_by"] == f"one busy process on CPU {disturbed_cpu()}"
    rows = [(row["workload"], row["disturbed"]) for row in measured["results"]]
    assert sorted(set(rows)) == [
        (workload, disturbed)
        for workload in ("decode", "prefill", "prompt")
        for disturbed in (False, True)
    ]


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--model", "none.onnx"], "no such file"),
        (["--model", "x", "--threads", "1,a"], "list of numbers from 1 on"),
        (["--model", "x", "--rival", "nobody"], "onnxruntime"),
        (["--model", "x", "--precision", "fp8"], "fp8"),
    ],
)
def test_wrong_usage(arguments, complaint):
    result = CliRunner().invoke(main, ["bench", "segmentation", *arguments])
    assert result.exit_code == 2 and complaint in result.stderr


def test_every_engine_reads_the_file_of_its_own_quantiser(model, tmp_path):
    pytest.importorskip("onnxruntime")
    arguments = ["bench", "segmentation", "--model", str(model), "--runs", "1"]
    arguments += ["--precision", "fp32,int8", "--rival", "onnxruntime"]
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2 and "tiny.pyhades-int8.onnx: there is no such file" in (
        refused.stderr
    )
    for engine in ("pyhades", "onnxruntime"):
        model.with_name(f"tiny.{engine}-int8.onnx").write_bytes(model.read_bytes())
    measured = CliRunner().invoke(
        main, [*arguments, "--tune"], env={"PYHADES_CACHE": str(tmp_path)}
    )
    assert measured.exit_code == 0, measured.output
    assert list((tmp_path / "tuning").iterdir())
    for row in ("pyhades fp32", "onnxruntime fp32", "pyhades int8", "onnxruntime int8"):
        assert row in measured.output
    assert "tiny, int8, 1 thread(s): " in measured.output and " x fp32" in measured.output


def test_openvino(model):
    pytest.importorskip("openvino")
    report = measure([model], rivals=["openvino"], precisions=["fp32", "bf16"], runs=1)
    assert ("openvino", "bf16") in {(r["engine"], r["precision"]) for r in report["results"]}


def test_what_is_refused_is_named_and_the_rest_is_measured(model, tmp_path, monkeypatch):
    monkeypatch.setenv("PYHADES_ISA", "avx2")  # which multiplies no bfloat16, whatever the CPU
    out = tmp_path / "results.json"
    arguments = ["bench", "segmentation", "--model", model, "--runs", 1]
    arguments = [str(argument) for argument in [*arguments, "--json", out, "--precision"]]
    result = CliRunner().invoke(main, [*arguments, "bf16,fp32"])
    assert result.exit_code == 0, result.output
    (line,) = (line for line in result.output.splitlines() if "refused: " in line)
    assert line.split()[:3] == ["tiny", "pyhades", "bf16"] and "AVX512_BF16" in line
    measured = json.loads(out.read_text())
    assert [row["precision"] for row in measured["results"]] == ["fp32"]
    (refused,) = measured["refused"]
    assert refused["precision"] == "bf16" and refused["reason"].startswith("precision='bf16'")
    nothing = CliRunner().invoke(main, [*arguments, "bf16"])
    assert nothing.exit_code == 2 and "AVX512_BF16" in nothing.stderr


def test_without_one_of_ours_a_rival_has_no_rate(model, monkeypatch):
    pytest.importorskip("openvino")
    monkeypatch.setenv("PYHADES_ISA", "avx2")
    measured = measure([model], rivals=["openvino"], precisions=["bf16"], runs=1)
    (row,) = measured["results"]
    assert row["engine"] == "openvino" and row["gflops"] is None


def test_a_rival_that_is_not_installed_is_named(model, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match="pip install openvino"):
        measure([model], rivals=["openvino"])
    with pytest.raises(ArgumentError, match="'nobody'"):
        measure([model], rivals=["nobody"])


def test_a_model_that_cannot_be_loaded_is_named(model):
    model.write_bytes(model.read_bytes()[:50])
    result = CliRunner().invoke(main, ["bench", "segmentation", "--model", str(model)])
    assert result.exit_code == 2 and "tiny.onnx" in result.stderr


@pytest.mark.parametrize(
    ("nothing", "complaint"),
    [
        ({"threads": ()}, "threads"),
        ({"threads": (1, 0)}, "threads=0"),
        ({"threads": (1.5,)}, "threads=1.5"),
        ({"runs": 0}, "runs=0"),
        ({"runs": True}, "runs=True"),
        ({"models": []}, "models"),
        ({"precisions": []}, "precisions"),
    ],
)
def test_nothing_to_measure(model, nothing, complaint):
    with pytest.raises((ArgumentError, ArgumentTypeError), match=complaint):
        measure(**{"models": [model], **nothing})


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Effort)])
def test_no_effort(name):
    """A count of 0 and an empty list measure nothing, and no count is negative."""
    is_count = isinstance(getattr(Effort(), name), int)
    for value in (0, -1, True, 1.5) if is_count else ((), (1, -1), (True,)):
        with pytest.raises((ArgumentError, ArgumentTypeError), match=name):
            dataclasses.replace(Effort(), **{name: value})
