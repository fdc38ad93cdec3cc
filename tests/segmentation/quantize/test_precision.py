"""``precision=`` of removers and programs: kept, chosen by measurement, told."""

from __future__ import annotations

import logging
import pickle

import numpy as np
import pytest
from click.testing import CliRunner

import pyhades
from pyhades.cli import main
from pyhades.compiler.program import multiplies_bfloat16
from pyhades.errors import ArgumentError, ConfigurationError
from pyhades.onnx import save_onnx
from pyhades.options import EngineOptions
from pyhades.segmentation import Remover
from pyhades.segmentation.quantize import automatic
from tests.support.small_networks import SIDE, first_and_last, pictures, unet

PICTURE = pictures(1)[0]
PRECISIONS = ("fp32", "bf16", "int8")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PYHADES_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "quantized"


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "net.onnx"
    save_onnx(unet(), path, 20)
    return path


def remover(model, precision, **options):
    given = {"threads": 1, "input_size": (SIDE, SIDE), "calibration": pictures(6), **options}
    return Remover(model, precision=precision, **given)


def test_int8_of_a_float_model_is_made_once(model, cache, monkeypatch):
    with remover(model, "int8") as first, remover(model, None) as plain:
        assert (first.precision, plain.precision) == ("int8", "fp32")
        mask = first.matte(PICTURE, dtype=np.float32)
        difference = np.abs(mask - plain.matte(PICTURE, dtype=np.float32))
    assert 0 < difference.mean() < 0.01
    assert len(list(cache.iterdir())) == 1
    monkeypatch.setattr(automatic, "quantize_graph", None)
    with remover(model, "int8") as again:
        assert np.array_equal(again.matte(PICTURE, dtype=np.float32), mask)
        copy = pickle.loads(pickle.dumps(again))
        assert copy.precision == "int8"
        assert np.array_equal(copy.matte(PICTURE, dtype=np.float32), mask)


def test_other_pictures_and_damaged_files_are_made_anew(model, cache):
    remover(model, "int8").close()
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(b"damaged")
    remover(model, "int8").close()
    assert file.read_bytes() == whole
    remover(model, "int8", calibration=pictures(7)).close()
    assert len(list(cache.iterdir())) == 2


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(model, tmp_path, caplog):
    (tmp_path / "cache").write_text("no folder")
    with remover(model, "int8") as found:
        assert found.precision == "int8"
    assert "is not kept" in caplog.text


def test_int8_that_misses_its_budget_warns(model, caplog):
    with remover(model, "int8", budget="mae=1e-9") as found:
        assert found.precision == "int8"
    assert "int8 does not hold mae=1e-09" in caplog.text


@pytest.mark.parametrize(("times", "precision"), [((2.0, 1.0), "int8"), ((1.0, 2.0), "fp32")])
def test_auto_takes_the_faster_and_says_so(model, times, precision, monkeypatch, caplog):
    monkeypatch.setattr(automatic, "multiplies_bfloat16", lambda options: False)
    monkeypatch.setattr(automatic, "_times", lambda *given: list(times))
    caplog.set_level(logging.INFO)
    with remover(model, "auto") as found:
        assert found.precision == precision
        assert "ms in int8" in found.precision_reason
    assert f"precision {precision}: " in caplog.text


@pytest.fixture
def bfloat16(monkeypatch):
    """As if the CPU had the instructions: the tier computes the same without them."""
    monkeypatch.setattr(automatic, "multiplies_bfloat16", lambda options: True)


@pytest.mark.parametrize(("times", "precision"), [((2, 1, 3), "bf16"), ((2, 3, 1), "int8")])
def test_auto_considers_bfloat16(model, times, precision, bfloat16, monkeypatch):
    monkeypatch.setattr("pyhades.passes.bfloat.gains", lambda *_: True)
    monkeypatch.setattr(automatic, "_times", lambda *given: list(times))
    with remover(model, "auto", isa="scalar") as found:
        assert found.precision == precision
        assert "ms in bf16 (" in found.precision_reason


def test_auto_measures_what_bfloat16_costs(model, bfloat16, monkeypatch):
    monkeypatch.setattr("pyhades.passes.bfloat.gains", lambda *_: True)
    with remover(model, "auto", isa="avx2", budget="mae=1e-9") as found:
        assert found.precision == "fp32"
        assert "bf16 does not hold mae=1e-09: mae 0.000" in found.precision_reason


def test_auto_tells_where_nothing_gains_by_bfloat16(model, bfloat16, monkeypatch):
    monkeypatch.setattr("pyhades.passes.bfloat.gains", lambda *_: False)
    with remover(model, "auto", isa="avx2") as found:
        assert found.precision in ("fp32", "int8")
        assert "; no product gains by bf16" in found.precision_reason


def test_auto_measures(model):
    with remover(model, "auto") as found:
        assert found.precision in PRECISIONS and "ms in fp32" in found.precision_reason


def test_auto_keeps_to_its_budget(model):
    with remover(model, "auto", budget="mae=1e-9") as found:
        assert found.precision == "fp32" and "does not hold" in found.precision_reason


def test_auto_of_what_cannot_be_quantised_is_fp32(tmp_path):
    path = tmp_path / "two.onnx"
    save_onnx(first_and_last(), path, 20)
    with remover(path, "auto") as found:
        assert found.precision == "fp32" and "nothing to quantise" in found.precision_reason
    with pytest.raises(ArgumentError, match="nothing to quantise"):
        remover(path, "int8")


def test_what_is_quantised_just_runs(model, tmp_path):
    target = tmp_path / "int8.onnx"
    result = pyhades.quantize(
        model, pictures(6), target, budget="mae=1", input_size=(SIDE, SIDE), threads=1
    )
    for precision in ("int8", "auto"):
        with Remover(target, precision=precision, threads=1) as found:
            assert found.precision == "int8" and "quantised" in found.precision_reason
            assert found.predict(PICTURE).shape == (SIDE, SIDE)
    program = pyhades.compile(result.graph, precision="int8", threads=1)
    assert program(np.zeros((1, 3, SIDE, SIDE), np.float32)).shape == (1, 1, SIDE, SIDE)


def test_compiling_a_float_network_as_int8_is_refused():
    with pytest.raises(ArgumentError, match=r"precision='int8'.*pyhades\.quantize"):
        pyhades.compile(unet(), precision="int8")


def test_the_command_quantises_and_tells(model, tmp_path):
    from PIL import Image

    folder, target = tmp_path / "photos", tmp_path / "int8.onnx"
    folder.mkdir()
    for index, picture in enumerate(pictures(6)):
        Image.fromarray(picture).save(folder / f"{index}.png")
    arguments = ["quantize", str(model), "--images", str(folder), "-o", str(target), "-q"]
    arguments += ["--set", f"input_size=[{SIDE},{SIDE}]", "--threads", "1"]
    failed = CliRunner().invoke(main, [*arguments, "--budget", "mae=1e-9"])
    assert failed.exit_code == 2 and "does not hold" in failed.stderr and not target.exists()
    done = CliRunner().invoke(main, [*arguments, "--budget", "mae=1", "--json"])
    assert done.exit_code == 0 and '"holds": true' in done.stdout and target.is_file()
    odd = CliRunner().invoke(main, [*arguments, "--precision", "int8"])
    assert odd.exit_code == 2 and "No such option" in odd.stderr
    wrong = CliRunner().invoke(main, [*arguments, "--budget", "speed=1"])
    assert wrong.exit_code == 2 and "expected numbers from 0 to 1" in wrong.stderr


def test_bfloat16_takes_instructions_or_a_tier_that_is_named(model):
    if not multiplies_bfloat16(EngineOptions()):
        with pytest.raises(ConfigurationError, match=r"no products of bfloat16"):
            remover(model, "bf16")
    with remover(model, "bf16", isa="scalar") as found, remover(model, "fp32") as plain:
        assert (found.precision, found.precision_reason) == ("bf16", "asked for")
        difference = found.matte(PICTURE, dtype=np.float32) - plain.matte(PICTURE, dtype=np.float32)
        copy = pickle.loads(pickle.dumps(found))
        assert copy.precision == "bf16"
    assert np.abs(difference).mean() < 0.005


def test_remove_quantises_with_pictures_and_budget(model, tmp_path, caplog):
    from PIL import Image

    folder, picture = tmp_path / "photos", tmp_path / "one.png"
    folder.mkdir()
    for index, each in enumerate(pictures(4)):
        Image.fromarray(each).save(folder / f"{index}.png")
    Image.fromarray(PICTURE).save(picture)
    arguments = ["remove", str(picture), "-o", str(tmp_path / "out.png"), "--model", str(model)]
    arguments += ["--set", f"input_size=[{SIDE},{SIDE}]", "--threads", "1", "-q", "--no-check"]
    chosen = ["--calibration", str(folder), "--budget", "mae=1e-9"]
    alone = CliRunner().invoke(main, [*arguments, *chosen])
    assert alone.exit_code == 2 and "--calibration is for --precision int8" in alone.stderr
    done = CliRunner().invoke(main, [*arguments, *chosen, "--precision", "int8"])
    assert done.exit_code == 0 and (tmp_path / "out.png").is_file()
    assert "int8 does not hold mae=1e-09" in caplog.text
