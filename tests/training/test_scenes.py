"""Scenes depend on their seed alone and come with a true alpha."""

from __future__ import annotations

import numpy as np
import pytest

from training import scenes
from training.canvas import Frame, Layer
from training.outlines import ellipse
from training.pool import HELD_OUT, SHARD, fill, load
from training.samples import SAMPLES
from training.scenery import SCENERIES
from training.scenes import BUSTS, WHOLES, compose
from training.textures import PATTERNS

SIZE = (48, 64)


@pytest.mark.parametrize("seed", [0, 1, 2, HELD_OUT])
def test_equal_seeds_give_equal_scenes(seed: int) -> None:
    first, second = compose(seed, SIZE), compose(seed, SIZE)
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.alpha, second.alpha)


def test_different_seeds_give_different_scenes() -> None:
    assert (compose(3, SIZE).image != compose(4, SIZE).image).mean() > 0.5


def test_shapes_and_types() -> None:
    scene = compose(5, SIZE)
    assert scene.image.shape == (*SIZE, 3) and scene.image.dtype == np.uint8
    assert scene.alpha.shape == SIZE and scene.alpha.dtype == np.uint8


def test_alpha_is_mostly_decided_with_soft_edges() -> None:
    alphas = np.stack([compose(seed, SIZE).alpha for seed in range(40)])
    assert 0.15 < (alphas > 250).mean() < 0.6
    assert 0.01 < ((alphas > 5) & (alphas < 250)).mean() < 0.15


@pytest.mark.slow
def test_some_scenes_have_no_subject() -> None:
    empty = sum(not compose(seed, SIZE).alpha.any() for seed in range(100))
    assert 1 <= empty <= 12


@pytest.mark.parametrize("painter", [entry for entry, _ in (*BUSTS, *WHOLES)])
def test_every_painter_shows_a_subject(painter: scenes.Painter) -> None:
    shares = [(compose(seed, SIZE, painter).alpha > 127).mean() for seed in range(4)]
    assert max(shares) > 0.03


@pytest.mark.parametrize("entry", [entry for entry, _ in SCENERIES])
def test_every_scenery_stays_in_range(entry) -> None:
    picture = entry(np.random.default_rng(1), SIZE)
    assert picture.shape == (*SIZE, 3)
    assert picture.min() >= 0 and picture.max() <= 1


@pytest.mark.parametrize("entry", [entry for entry, _ in PATTERNS])
def test_every_pattern_stays_in_range(entry) -> None:
    field = entry(np.random.default_rng(2), SIZE)
    assert field.shape == SIZE
    assert field.min() >= 0 and field.max() <= 1


def test_layer_is_premultiplied_and_placed() -> None:
    frame = Frame.place((40, 60), (0.25, 0.5), 0.25)
    layer = Layer(np.random.default_rng(0), (40, 60), frame)
    layer.fill(ellipse(0, 0, 1, 1), np.float32([1.0, 0.5, 0.0]))
    colour, cover = layer.finish()
    assert (colour <= cover[..., None] + 1 / 255).all()
    rows, columns = np.nonzero(cover > 0.5)
    assert abs(rows.mean() - 19.5) < 0.6 and abs(columns.mean() - 14.5) < 0.6
    assert abs(len(rows) - np.pi * 100) < 25


def test_erase_cuts_a_hole() -> None:
    layer = Layer(np.random.default_rng(0), (40, 40), Frame.place((40, 40), (0.5, 0.5), 0.5))
    layer.fill(ellipse(0, 0, 0.9, 0.9), np.float32([1, 1, 1]))
    layer.erase(ellipse(0, 0, 0.4, 0.4))
    _, cover = layer.finish()
    assert cover[20, 20] == 0 and cover[20, 8] == 1


def test_pool_resumes_where_it_stopped(tmp_path) -> None:
    assert len(list(fill(tmp_path, 1, 32, scenes=2))) == 1
    written = list(fill(tmp_path, 2, 32, scenes=2))
    assert len(written) == 1 and written[0].name.endswith("00001.npy")
    assert len(load(tmp_path, 2, 32)) == 2 and not list(tmp_path.glob("*.part"))


def test_held_out_seeds_are_never_trained_on() -> None:
    assert 100_000 * SHARD < HELD_OUT
    assert all(seed > HELD_OUT for _, _, seed in SAMPLES)
