"""Measures of masks, and a model beside onnxruntime."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from pyhades.errors import ArgumentError
from pyhades.segmentation import Remover, verify
from pyhades.segmentation.verification import Fidelity, Quality, rival
from pyhades.segmentation.verification.distance import nearest
from pyhades.segmentation.verification.fidelity import boundary_iou, eroded
from tests.support.segmentation_models import SIDE, disc, model, node, scores


def drawn():
    """An ellipse and a box, bool [60, 80]."""
    y, x = np.mgrid[:60, :80]
    ellipse = ((x - 35) / 25) ** 2 + ((y - 28) / 17) ** 2 < 1
    return ellipse | ((abs(x - 66) < 8) & (abs(y - 45) < 6))


def predictions():
    """Masks of several kinds, each with 0 and 255 in it."""
    truth = drawn()
    y, x = np.mgrid[:60, :80]
    rng = np.random.default_rng(7)
    soft = np.clip(1.3 - np.hypot((x - 38) / 26, (y - 30) / 18), 0, 1)
    good = np.clip(truth * 230 + rng.integers(-25, 26, truth.shape), 0, 255)
    good[0, 0], good[28, 35] = 0, 255
    wrong = 255 * (abs(x - 50) + abs(y - 20) < 30)
    found = {"soft": np.round(soft * 255 / soft.max()), "good": good, "wrong": wrong}
    return {name: p.astype(np.uint8) for name, p in {**found, "inverted": 255 * ~truth}.items()}


# By pysodmetrics 1.6.2 (MAE, Smeasure, mean of the curve of Emeasure, WeightedFmeasure, largest of
# the curve of Fmeasure) on these very masks; it stretches predictions to 0..1, which changes none.
GOLDEN = {
    "soft": (0.17420833333333333, 0.779609991674942, 0.6919890970400175, 0.6593201018189041,
             0.8891173245614035),
    "good": (0.047312091503267976, 0.9819496795503242, 0.9137973420388457, 0.9190160339429833,
             1.0),
    "wrong": (0.32, 0.48679156285525776, 0.6790379142180201, 0.45842159921956194,
              0.49886158808462194),
    "inverted": (1.0, 0.0, 0.0009767659929151907, 0.0, 0.37006973819595296),
}  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN)
def test_measures_are_those_of_a_public_implementation(name):
    found = Quality.of(predictions()[name], drawn())
    values = (found.mae, found.s_measure, found.e_measure, found.weighted_f, found.max_f)
    np.testing.assert_allclose(values, GOLDEN[name], rtol=0, atol=1e-9)


def test_masks_that_are_right_are_best():
    truth = drawn()
    found = Quality.of((truth * 255).astype(np.uint8), truth)
    assert found.mae == 0 and found.max_f == 1
    assert found.s_measure == pytest.approx(1) and found.weighted_f == pytest.approx(1)


@pytest.mark.parametrize("value", [False, True])
def test_masks_of_one_kind_of_pixels(value):
    truth = np.full((20, 30), value)
    right = Quality.of((truth * 255).astype(np.uint8), truth)
    wrong = Quality.of((~truth * 255).astype(np.uint8), truth)
    assert right.s_measure == 1 and wrong.s_measure == 0 and wrong.mae == 1
    assert right.e_measure > 0.99 and wrong.e_measure < 0.01


@pytest.mark.parametrize("seed", range(4))
def test_the_nearest_foreground(seed):
    rng = np.random.default_rng(seed)
    truth = rng.random((17, 23)) < (0.02, 0.1, 0.5, 0.9)[seed]
    truth[rng.integers(17), rng.integers(23)] = True
    distance, rows, columns = nearest(truth)
    assert truth[rows, columns].all()
    y, x = np.mgrid[:17, :23]
    places = np.argwhere(truth)
    want = np.sqrt(((np.stack([y, x], -1)[:, :, None] - places) ** 2).sum(-1)).min(-1)
    np.testing.assert_allclose(distance, want)
    np.testing.assert_allclose(np.hypot(rows - y, columns - x), want)


def test_bands_along_boundaries():
    mask = np.zeros((40, 50), bool)
    mask[5:30, 10:45] = True
    inner = np.zeros_like(mask)
    inner[8:27, 13:42] = True
    np.testing.assert_array_equal(eroded(mask, 3), inner)
    assert boundary_iou(mask, mask) == 1
    assert boundary_iou(mask, np.roll(mask, 1, 0)) < 0.5
    assert boundary_iou(np.zeros_like(mask), np.zeros_like(mask)) == 1


def test_differences_of_predictions():
    ours = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)
    theirs = ours.copy()
    theirs[3, 3] += 0.25
    found = Fidelity.of(ours, theirs)
    assert found.largest == pytest.approx(0.25) and found.mean == pytest.approx(0.0025)
    assert found.above_level == pytest.approx(0.01)
    assert found.soft_iou == pytest.approx(ours.sum() / theirs.sum())
    empty = np.zeros((4, 4), np.float32)
    assert Fidelity.of(empty, empty) == Fidelity(0, 0, 0, 1, 1)


NETWORK = model([*scores([[9, 0]]), node("Sigmoid", "l", "y")], [1, 1, SIDE, SIDE])


@pytest.fixture
def folders(tmp_path):
    """Two pictures and their masks."""
    images, masks = tmp_path / "images", tmp_path / "masks"
    images.mkdir()
    masks.mkdir()
    for name in ("a", "b"):
        Image.fromarray(disc()).save(images / f"{name}.jpg", quality=98)
        Image.fromarray((disc()[..., 0] > 127).astype(np.uint8) * 255).save(masks / f"{name}.png")
    return images, masks


def test_a_model_beside_onnxruntime_and_masks(folders):
    images, masks = folders
    found = verify(NETWORK, sorted(images.iterdir()), masks)
    assert found.agrees and found.largest < 1e-5 and "onnxruntime" in found.rival
    assert [row.picture for row in found.rows] == ["a.jpg", "b.jpg"]
    for row in found.rows:
        assert row.quality.max_f > 0.99 and row.quality == row.rival_quality
    read = json.loads(json.dumps(found.to_dict()))
    assert read["mean_quality"]["mae"] == pytest.approx(found.rows[0].quality.mae)
    assert "agree: the largest difference" in str(found) and "weighted F" in found._repr_html_()


def test_a_difference_is_found(folders, monkeypatch):
    predict = Remover.predict

    def a_little_more(self, image):
        return predict(self, image) * np.float32(0.9 if "constant" in repr(self) else 0.98)

    monkeypatch.setattr(Remover, "predict", a_little_more)
    monkeypatch.setattr(rival.OnnxRuntime, "__call__", lambda self, planes: planes[:, :1] * 0)
    found = verify(NETWORK, sorted(folders[0].iterdir()))
    assert not found.agrees and "DISAGREE" in str(found)


@pytest.mark.parametrize("kind", ["nhwc", "float16", "states"])
def test_both_engines_are_fed_alike(kind, folders):
    how = {"inputs": {"p": [1, 3, SIDE, SIDE]}}
    nodes = [node("Identity", "p", "x"), *scores([[9, 0]]), node("Sigmoid", "l", "y")]
    output = [1, 1, SIDE, SIDE]
    if kind == "nhwc":
        how = {"inputs": {"p": [1, SIDE, SIDE, 3]}}
        nodes[0] = node("Transpose", "p", "x", perm=[0, 3, 1, 2])
    elif kind == "float16":
        how["input_dtype"] = 10
        nodes[0] = node("Cast", "p", "x", to=1)
    else:
        how["inputs"]["h_in"] = output
        nodes.append(node("Add", "y h_in", "h_out"))
        output = {"y": output, "h_out": output}
    found = verify(model(nodes, output, **how), sorted(folders[0].iterdir()))
    assert found.agrees and found.rows


def test_without_onnxruntime_the_interpreter_takes_its_place(folders, monkeypatch):
    monkeypatch.setattr(rival, "has_onnxruntime", lambda: False)
    found = verify(NETWORK, sorted(folders[0].iterdir()))
    assert found.rival == "the interpreter" and found.agrees
    assert len(found.rows) == 1 and "not installed" in str(found)


def test_masks_that_do_not_fit(folders):
    images, masks = folders
    Image.new("L", (3, 3)).save(masks / "b.png")
    with pytest.raises(ArgumentError, match=r"b\.png: the mask has the shape \(3, 3\)"):
        verify(NETWORK, sorted(images.iterdir()), masks)
    (masks / "b.png").unlink()
    with pytest.raises(ArgumentError, match=r"no mask called b\.png"):
        verify(NETWORK, sorted(images.iterdir()), masks)
