"""The model that ships with the package, on our own engine."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import pyhades
from pyhades.cli import main
from pyhades.segmentation.remover import DEFAULT_MODEL

SAMPLES = sorted(DEFAULT_MODEL.parent.glob("*.jpg"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_samples_have_a_foreground_and_a_background(sample):
    alpha = np.asarray(pyhades.remove_background(sample))[..., 3]
    assert 0.03 < (alpha > 128).mean() < 0.97
    assert (alpha < 16).mean() > 0.02


def test_it_knows_its_manifest_and_licence():
    with pyhades.Remover(threads=1) as remover:
        assert "metadata 'pyhades.manifest'" in repr(remover)
        assert remover.manifest.commercial_use is True


def test_pickling_by_path_gives_the_same_mattes():
    with pyhades.Remover(threads=1, keep_hidden=True) as remover:
        data = pickle.dumps(remover)
        assert len(data) < 2000
        with pickle.loads(data) as copy:
            np.testing.assert_array_equal(copy.matte(SAMPLES[0]), remover.matte(SAMPLES[0]))


def test_demo_says_where_the_results_are(tmp_path):
    result = CliRunner().invoke(main, ["demo", "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    for sample in SAMPLES:
        path = tmp_path / "out" / f"{sample.stem}.png"
        assert str(path) in result.output
        assert Image.open(path).mode == "RGBA"
