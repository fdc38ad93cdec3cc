from __future__ import annotations

import json

import pytest

from pyhades.errors import ArgumentError, ModelError
from pyhades.segmentation.catalogue import CATALOGUE
from pyhades.segmentation.manifest import METADATA_KEY, ModelManifest, find_manifest

MINIMAL = '{"name": "m", "input_size": [10, 20]}'


@pytest.mark.parametrize("name", CATALOGUE)
def test_json_round_trip(name):
    manifest = CATALOGUE[name]
    assert manifest.name == name
    assert ModelManifest.from_json(manifest.to_json()) == manifest


def test_defaults_and_numbers_are_normalised():
    manifest = ModelManifest.from_json(
        '{"name": "m", "input_size": 64, "mean": 0.5, "std": [1, 1, 1]}'
    )
    assert manifest.input_size == (64, 64)
    assert manifest.mean == (0.5, 0.5, 0.5)
    assert isinstance(manifest.std[0], float)


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("[1]", "expected a JSON object, got list"),
        ("{", "not valid JSON"),
        ('{"name": "m"}', "missing input_size"),
        ('{"schema": 2}', "schema 2; this version of pyhades reads 1"),
        ('{"name": "m", "input_size": [10, 20], "colour": 1}', "unknown manifest field 'colour'"),
        ('{"name": "m", "input_size": [10]}', "expected 2 numbers"),
        ('{"name": "m", "input_size": [0, 5]}', "two positive integers"),
        ('{"name": "m", "input_size": [10, 20], "policy": "crop"}', "policy='crop'.*stretch"),
        ('{"name": "m", "input_size": [10, 20], "std": [1, 0, 1]}', "must be positive"),
        ('{"name": "m", "input_size": [9000, 9000]}', "more than 67,108,864 pixels"),
        (
            '{"name": "m", "input_size": 64, "policy": "short-side", "multiple_of": 100}',
            "more than the short side",
        ),
        ('{"name": "m", "input_size": [10, 20], "mean": ["a", 0, 1]}', "expected 3 numbers"),
        ('{"name": "m", "input_size": [10, 20], "multiple_of": 0}', "at least 1"),
        ('{"name": "m", "input_size": [10, 20], "output": true}', "an index or a name"),
        ('{"name": "m", "input_size": [10, 20], "antialias": "yes"}', "true or false"),
    ],
)
def test_mistakes_name_the_place_and_the_field(text, complaint):
    with pytest.raises(ModelError, match=f"^here: .*{complaint}"):
        ModelManifest.from_json(text, "here")


def test_replace_refuses_unknown_fields():
    manifest = ModelManifest("m", (1, 1))
    assert manifest.replace(scale="1/max").scale == "1/max"
    with pytest.raises(ArgumentError, match="unknown manifest field 'size'"):
        manifest.replace(size=3)


@pytest.mark.parametrize("name", ["net.onnx.json", "net.manifest.json"])
def test_a_file_beside_the_model_wins_over_its_metadata(tmp_path, name):
    path = tmp_path / "net.onnx"
    metadata = {METADATA_KEY: MINIMAL}
    found, where = find_manifest(path, metadata)
    assert found.name == "m" and METADATA_KEY in where
    (tmp_path / name).write_text(json.dumps({"name": "beside", "input_size": 5}))
    found, where = find_manifest(path, metadata)
    assert found.name == "beside" and where.endswith(name)
    assert find_manifest(None, {}) is None
