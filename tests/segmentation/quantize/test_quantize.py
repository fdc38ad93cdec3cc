"""Whole networks: quantised, written, read again, run by onnxruntime, interrupted."""

from __future__ import annotations

import errno
import json
import os

import numpy as np
import onnx
import pytest
from PIL import Image

import pyhades
from pyhades.errors import ArgumentError, ConfigurationError, ImageError
from pyhades.onnx import save_onnx
from pyhades.segmentation import Remover
from pyhades.segmentation.bulk.sinks import whole
from pyhades.segmentation.plausibility import SAMPLES
from pyhades.segmentation.quantize import Budget, Recipe, calibration, observe
from pyhades.segmentation.quantize.pictures import JUDGED, given_pictures, made_pictures, split
from pyhades.segmentation.quantize.result import RECORD_KEY
from pyhades.segmentation.quantize.scores import Score, boundary_band
from tests.support.quantised_models import run_as_written
from tests.support.small_networks import SIDE, first_and_last, pictures, transformer, unet

HOW = {"threads": 1, "input_size": (SIDE, SIDE)}


def saved(graph, folder, opset=20):
    path = folder / f"{graph.name}.onnx"
    save_onnx(graph, path, opset)
    return path


def quantized(model, **options):
    given = {"images": pictures(6), "budget": "mae=.05", **HOW, **options}
    return pyhades.quantize(model, **given)


@pytest.mark.parametrize("make", [unet, transformer])
def test_the_file_is_what_onnxruntime_and_we_run_alike(make, tmp_path):
    model, target = saved(make(), tmp_path), tmp_path / "int8.onnx"
    result = quantized(model, output=target)
    assert result.holds and {layer.precision for layer in result.layers} == {"int8", "float"}
    loaded = onnx.load(target)
    onnx.checker.check_model(loaded, full_check=True)
    ops = {node.op_type for node in loaded.graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= ops
    kinds = {t.data_type for t in loaded.graph.initializer}
    assert onnx.TensorProto.INT8 in kinds and onnx.TensorProto.UINT8 in kinds
    x = np.random.default_rng(3).random((1, 3, SIDE, SIDE), np.float32)
    (theirs,) = run_as_written(target, {"x": x})
    ours = pyhades.compile(pyhades.load_onnx(target), threads=1)(x)
    memory = pyhades.compile(result.graph, threads=1)(x)
    wanted = pyhades.compile(pyhades.load_onnx(model), threads=1)(x)
    assert np.abs(ours - theirs).mean() < 1e-5 and np.abs(ours - theirs).max() < 0.01
    assert np.array_equal(ours, memory)
    assert 1e-4 < np.abs(ours - wanted).max() < 0.2


def test_biases_are_integers_on_the_grid_of_the_sums(tmp_path):
    target = tmp_path / "int8.onnx"
    quantized(saved(unet(), tmp_path), output=target)
    model = onnx.load(target)
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    made = {node.output[0]: node for node in model.graph.node}
    seen = 0
    for node in model.graph.node:
        if node.op_type != "Conv" or made.get(node.input[1]) is None:
            continue
        bias, weight, x = (made[node.input[i]] for i in (2, 1, 0))
        while x.op_type != "DequantizeLinear":
            x = made[x.input[0]]
        assert constants[bias.input[0]].dtype == np.int32
        product = constants[x.input[1]] * constants[weight.input[1]]
        assert np.array_equal(constants[bias.input[1]], product)
        seen += 1
    assert seen == 3


def test_the_manifest_travels_with_the_file(tmp_path):
    target = tmp_path / "int8.onnx"
    result = quantized(saved(unet(), tmp_path), output=target, mean=0.5, range="minmax")
    with Remover(target, threads=1) as remover, result.remover() as same:
        assert remover.manifest == result.manifest == same.manifest
        assert remover.manifest.mean == (0.5, 0.5, 0.5)
        picture = pictures(1)[0]
        assert np.array_equal(remover.matte(picture), same.matte(picture))


def test_the_record_in_the_metadata(tmp_path):
    target = tmp_path / "int8.onnx"
    result = quantized(saved(unet(), tmp_path), output=target, recipe=Recipe(percentile=99.5))
    record = json.loads(pyhades.load_onnx(target).metadata[RECORD_KEY])
    assert record["recipe"]["percentile"] == 99.5 and record["holds"]
    assert record["pyhades"] == pyhades.__version__
    assert len(record["calibration"]["sha256"]) == 64
    assert [score["picture"] for score in record["scores"]] == ["picture 3"]
    assert record["mean"] == result.mean and record["bound"] == result.bound


def test_shipped_model_with_shipped_photographs():
    result = pyhades.quantize(images=SAMPLES, budget="mae=.004", threads=1)
    assert result.holds and result.mean["iou"] > 0.98
    assert sum(layer.precision == "int8" for layer in result.layers) > 40


def test_budget_takes_products_back(tmp_path):
    model = saved(unet(), tmp_path)
    loose = quantized(model, budget="mae=1")
    tight = quantized(model, budget=Budget(mae=loose.mean["mae"] * 0.8), force=True)
    reasons = [layer.reason for layer in tight.layers]
    assert reasons.count("budget") >= 1
    assert all(layer.error is not None for layer in tight.layers if layer.reason in ("", "budget"))
    assert tight.mean["mae"] <= loose.mean["mae"]


def test_a_budget_that_cannot_hold_writes_nothing_unless_forced(tmp_path):
    model, target = saved(unet(), tmp_path), tmp_path / "int8.onnx"
    with pytest.raises(ArgumentError, match=r"budget mae=1e-09 does not hold.*--force"):
        quantized(model, output=target, budget="mae=1e-9")
    assert not target.exists()
    result = quantized(model, output=target, budget="mae=1e-9", force=True)
    assert not result.holds and target.exists()
    assert not json.loads(pyhades.load_onnx(target).metadata[RECORD_KEY])["holds"]


@pytest.mark.parametrize("text", ["mae", "mae=x", "speed=1", "mae=-1", "", "iou=2"])
def test_budgets_that_mean_nothing_are_refused(text):
    with pytest.raises(ArgumentError, match="budget="):
        Budget.parse(text)


def test_a_model_is_not_replaced_by_its_result(tmp_path):
    model = saved(unet(), tmp_path)
    before = model.read_bytes()
    (tmp_path / "link.onnx").symlink_to(model)
    for target in (model, tmp_path / "link.onnx"):
        with pytest.raises(ArgumentError, match="is the model itself"):
            quantized(model, output=target)
    assert model.read_bytes() == before


def test_errors_name_what_is_wrong(tmp_path):
    model = saved(unet(), tmp_path)
    with pytest.raises(ArgumentError, match="at least one picture"):
        quantized(model, images=[])
    with pytest.raises(ArgumentError, match="expected a folder"):
        quantized(model, images=tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArgumentError, match="no images in this folder"):
        quantized(model, images=tmp_path / "empty")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"bad\.png"):
        quantized(model, images=[tmp_path / "bad.png"])
    with pytest.raises(ArgumentError, match=r"nothing to quantise.*first layer, last layer"):
        quantized(saved(first_and_last(), tmp_path))
    quantized(model, output=tmp_path / "int8.onnx")
    with pytest.raises(ArgumentError, match="quantised already"):
        quantized(tmp_path / "int8.onnx")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("folder", "Is a directory"),
        ("file/int8.onnx", "Not a directory"),
        ("n" * 300, "File name too long"),
    ],
    ids=["folder", "below a file", "too long"],
)
def test_an_output_that_cannot_be_is_told_at_once(tmp_path, name, why):
    model = saved(unet(), tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    steps = []
    with pytest.raises(ConfigurationError, match=f"cannot be written: .*{why}"):
        quantized(model, output=tmp_path / name, step=lambda *step: steps.append(step))
    assert steps == []


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    result = quantized(saved(unet(), tmp_path))
    folder = tmp_path / "out"

    def full(descriptor, pieces, sync):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(whole, "_fill", full)
    with pytest.raises(ConfigurationError, match=r"int8\.onnx: cannot be written: No space left"):
        result.save(folder / "int8.onnx")
    assert list(folder.iterdir()) == []


def test_an_interrupted_call_goes_on_where_it_was(tmp_path, monkeypatch):
    model, target = saved(unet(), tmp_path), tmp_path / "int8.onnx"
    looks = []

    class Interrupted(observe.Observer):
        def look(self, feeds):
            looks.append(feeds)
            if len(looks) == 3:
                raise KeyboardInterrupt
            return super().look(feeds)

    monkeypatch.setattr(calibration, "Observer", Interrupted)
    images = pictures(10)
    with pytest.raises(KeyboardInterrupt):
        quantized(model, images=images, output=target)
    work = calibration.work_folder(target)
    assert len(list(work.iterdir())) == 1 and not target.exists()
    quantized(model, images=images, output=target)
    # All eight for loud channels, of which two were done, and all for ranges.
    assert len(looks) == 3 + (8 - 2) + 8 and not work.exists()
    whole = quantized(model, images=images)
    assert pyhades.load_onnx(target).metadata == whole.metadata()


def test_damaged_statistics_are_made_again(tmp_path, monkeypatch):
    path = tmp_path / "ranges.npz"
    path.write_bytes(b"PK no archive")
    assert calibration._read(path) == ({}, 0)


def test_edges_in_parts_give_the_same(tmp_path, monkeypatch):
    model = saved(unet(), tmp_path)
    whole = quantized(model)
    monkeypatch.setattr(observe, "BYTES_AT_ONCE", 1)
    parts = quantized(model)
    assert whole.to_dict() == parts.to_dict()


def test_open_sizes(tmp_path):
    model, target = saved(unet("side"), tmp_path), tmp_path / "int8.onnx"
    quantized(model, output=target)
    with Remover(target, threads=1) as remover:
        assert remover.predict(pictures(1)[0]).shape == (SIDE, SIDE)
    assert pyhades.load_onnx(target).inputs[0].type.shape == (1, 3, "side", "side")


def test_equalising_and_learning_help(tmp_path):
    model = saved(transformer(), tmp_path)
    best, loud, nearest = (
        quantized(model, recipe=recipe, budget="mae=1").mean["mae"]
        for recipe in (Recipe(), Recipe(equalisation="none"), Recipe(rounding="nearest"))
    )
    assert best < loud and best < nearest


def test_bias_correction_helps(tmp_path):
    model = saved(unet(), tmp_path)
    with_it, without = (
        quantized(model, recipe=Recipe(bias_correction=on), budget="mae=1") for on in (True, False)
    )
    assert with_it.mean != without.mean


def test_pictures_are_spread_and_split(tmp_path):
    for index in range(30):
        Image.fromarray(pictures(1)[0]).save(tmp_path / f"{index:02}.png")
    some = given_pictures(tmp_path, most=10)
    assert len(some) == 10 and some[0].name == "00.png" and some[-1].name == "29.png"
    known, held = split(some)
    assert len(held) == 2 and not set(p.name for p in known) & set(p.name for p in held)
    assert split(some[:1]) == (some[:1], some[:1])
    assert len({p.digest() for p in made_pictures(8)}) == 8 + JUDGED
    assert made_pictures(8)[2].load().dtype == np.uint8


def test_scores_look_at_boundaries():
    mask = np.zeros((50, 50), np.float32)
    mask[10:30, 10:30] = 1
    moved = np.roll(mask, 1, axis=1)
    score = Score.of("moved", moved, mask)
    assert score.mae == pytest.approx(40 / 2500) and score.band > 5 * score.mae
    assert boundary_band(mask > 0.5)[9:11, 15].all() and not boundary_band(mask > 0.5)[20, 20]
    assert Score.of("same", mask * 0, mask * 0) == Score("same", 0, 1, 0)


def test_results_show_themselves(tmp_path):
    result = quantized(saved(unet(), tmp_path))
    work = {layer.name: layer.work for layer in result.layers}
    assert work["first"] == 2 * 16 * 27 * SIDE**2
    small = sum(layer.work for layer in result.layers if layer.precision == "int8")
    assert result.share == small / sum(work.values()) and 0 < result.share < 1
    assert f"products in int8, {result.share:.0%} of the work" in repr(result)
    assert "first layer" in str(result)
    assert "<table>" in result._repr_html_()
    pytest.importorskip("matplotlib")
    assert "within" in result.plot().get_title()
