"""``pyhades remove --engine``: names, several of them, and what is refused."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from PIL import Image

from pyhades.cli import main
from pyhades.segmentation.bulk.manifest import beside
from pyhades.segmentation.plausibility import SAMPLES

pytest.importorskip("onnxruntime")


@pytest.fixture
def run():
    """The command line with the model that ships."""
    return lambda *given: CliRunner().invoke(main, [str(each) for each in given])


@pytest.fixture
def samples(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(2):
        for sample in SAMPLES:
            image = Image.open(sample)
            image.resize((image.width // 4, image.height // 4)).save(
                folder / f"{sample.stem}{number}.jpg"
            )
    return folder


def lines(out):
    found = [json.loads(line) for line in beside(out).read_text().splitlines()]
    return [line for line in found if "input" in line]


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (["--engine", "onnxruntime"], {"onnxruntime:cpu"}),
        (["--engine", "pyhades"], {"pyhades"}),
        (["--engine", "onnxruntime:cpu,pyhades"], {"onnxruntime:cpu", "pyhades"}),
        (["--engine", "onnxruntime", "--engine", "pyhades"], {"onnxruntime:cpu", "pyhades"}),
    ],
    ids=["pinned", "ours", "commas", "repeated"],
)
def test_engines_by_name(run, samples, tmp_path, given, made):
    out = tmp_path / "out"
    result = run("remove", samples, "-o", out, *given)
    assert result.exit_code == 0, result.output
    assert "6 of 6 images done" in result.stderr
    assert {line["engine"] for line in lines(out)} <= made and len(lines(out)) == 6
    if made != {"pyhades"}:
        assert "engine onnxruntime:cpu: " in result.stderr


def test_a_single_picture(run, samples, tmp_path):
    out = tmp_path / "pet.png"
    result = run("remove", samples / "pet0.jpg", "-o", out, "--engine", "onnxruntime")
    assert result.exit_code == 0, result.output
    assert Image.open(out).mode == "RGBA"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (["--engine", "tensorflow"], "engine='tensorflow' must be 'pyhades' or 'onnxruntime'"),
        (["--engine", "onnxruntime:cuda"], "has no CUDAExecutionProvider"),
        (["--engine", "onnxruntime", "--precision", "int8"], "runs the file as it is, in fp32"),
        (["--engine-batch", "4"], "--engine-batch is for --engine onnxruntime"),
        (["--engine-timeout", "0"], "--engine-timeout"),
    ],
)
def test_what_is_refused(run, samples, tmp_path, given, complaint):
    result = run("remove", samples, "-o", tmp_path / "out", *given)
    assert result.exit_code == 2 and complaint in result.output


def test_another_engine_does_not_resume_unasked(run, samples, tmp_path):
    out = tmp_path / "out"
    assert run("remove", samples, "-o", out).exit_code == 0
    again = ["remove", samples, "-o", out, "--resume", "--engine", "onnxruntime"]
    result = run(*again)
    assert result.exit_code == 2 and "engine was 'pyhades'" in result.output
    result = run(*again, "--resume-anyway", "--engine-timeout", "60")
    assert result.exit_code == 0 and "6 were done before" in result.output
