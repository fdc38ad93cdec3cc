"""Measure a model on held-out scenes: ``python -m training.evaluate MODEL.onnx --out DIR``.

Writes ``evaluation.json``, a contact sheet ``predictions.png`` (picture, true alpha, predicted
alpha, cut-out over green), and ``photograph.jpg``: a real portrait, which matplotlib ships.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from training.pool import HELD_OUT
from training.scenes import Scene, compose
from training.textures import Array, resize_field

MANIFEST_KEY = "pyhades.manifest"
_GREEN = np.array([120, 255, 155], np.float32)
_SHEET_ROWS, _SHEET_PAIRS = 8, 3
_SMALL = 0.05  # share of the picture


@dataclass(frozen=True)
class Score:
    """Quality over a set of scenes.

    `iou` is the mean over scenes with a subject of intersection over union at alpha 0.5, and
    `iou_small` that over subjects on less than a twentieth of the picture; `mae` is the mean
    absolute error of alpha in [0, 1], and `mae_empty` that of scenes without a subject.
    """

    scenes: int
    iou: float
    iou_small: float
    mae: float
    mae_empty: float


class Model:
    """An exported network run by onnxruntime, the independent judge."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0]
        self.size: tuple[int, int] = tuple(self._input.shape[2:])
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.manifest: dict[str, Any] = json.loads(metadata[MANIFEST_KEY])

    def __call__(self, image: NDArray[np.uint8]) -> Array:
        """Predict alpha ``[h, w]`` of a picture uint8 ``[h, w, 3]`` of the model's size."""
        scaled = image.astype(np.float32) / np.float32(255)
        mean, std = (np.array(self.manifest[key], np.float32) for key in ("mean", "std"))
        normal = (scaled - mean) / std
        planes = np.ascontiguousarray(normal.transpose(2, 0, 1)[None])
        alpha: Array = self._session.run(None, {self._input.name: planes})[0][0, 0]
        return alpha


def intersection_over_union(predicted: NDArray[Any], truth: NDArray[Any]) -> float:
    """Compute the IoU of two mattes thresholded at a half."""
    first, second = predicted > 0.5, truth > 0.5
    return float((first & second).sum() / max((first | second).sum(), 1))


def score(model: Model, count: int, first: int = HELD_OUT) -> Score:
    """Average the quality over `count` scenes of consecutive seeds."""
    overlaps, small, errors, empty = [], [], [], []
    for seed in range(first, first + count):
        scene = compose(seed, model.size)
        truth = scene.alpha.astype(np.float32) / 255
        predicted = model(scene.image)
        error = float(np.abs(predicted - truth).mean())
        errors.append(error)
        share = (truth > 0.5).mean()
        if share == 0:
            empty.append(error)
            continue
        overlaps.append(intersection_over_union(predicted, truth))
        if share < _SMALL:
            small.append(overlaps[-1])
    return Score(count, *(float(np.mean(each or [0])) for each in (overlaps, small, errors, empty)))


def _portrait() -> Image.Image:
    """Load the photograph that ships with matplotlib (Grace Hopper; public domain)."""
    from matplotlib import cbook

    with Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        return image.convert("RGB")


def photograph(size: tuple[int, int]) -> Scene:
    """Stretch the photograph to `size`; its true alpha is unknown, so zero."""
    resized = _portrait().resize(size[::-1], Image.Resampling.BILINEAR)
    return Scene(np.asarray(resized), np.zeros(size, np.uint8))


def photograph_panel(model: Model) -> Image.Image:
    """Show the photograph, its predicted alpha and the cut-out over green side by side."""
    picture = _portrait()
    small = model(photograph(model.size).image)
    alpha = resize_field(small, picture.size[::-1], Image.Resampling.BILINEAR)[..., None]
    pixels = np.asarray(picture, np.float32)
    cut_out = pixels * alpha + _GREEN * (1 - alpha)
    panel = np.concatenate([pixels, np.repeat(alpha * 255, 3, 2), cut_out], 1)
    return Image.fromarray(np.clip(panel, 0, 255).astype(np.uint8)).reduce(2)


def contact_sheet(model: Model, first: int = HELD_OUT) -> Image.Image:
    """Show the photograph and some held-out scenes with what the model makes of them."""
    count = _SHEET_ROWS * _SHEET_PAIRS
    scenes = [photograph(model.size)]
    scenes += [compose(seed, model.size) for seed in range(first, first + count - 1)]
    rows = []
    for row in range(_SHEET_ROWS):
        cells = []
        for scene in scenes[row * _SHEET_PAIRS : (row + 1) * _SHEET_PAIRS]:
            alpha = model(scene.image)[..., None]
            cut_out = scene.image * alpha + _GREEN * (1 - alpha)
            grey = [np.repeat(matte, 3, 2) for matte in (scene.alpha[..., None], alpha * 255)]
            cells += [scene.image, *grey, cut_out]
        rows.append(np.concatenate(cells, 1))
    return Image.fromarray(np.clip(np.concatenate(rows), 0, 255).astype(np.uint8))


@click.command()
@click.argument("model", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--scenes", default=400, show_default=True, help="Held-out scenes to compose.")
def main(model: Path, out: Path, scenes: int) -> None:
    """Score MODEL on held-out scenes and show it on a photograph."""
    network = Model(model)
    result = asdict(score(network, scenes))
    out.mkdir(parents=True, exist_ok=True)
    (out / "evaluation.json").write_text(json.dumps(result, indent=2) + "\n")
    contact_sheet(network).save(out / "predictions.png")
    photograph_panel(network).save(out / "photograph.jpg", quality=85)
    click.echo(json.dumps(result))


if __name__ == "__main__":
    main()
