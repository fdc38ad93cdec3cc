"""``pyhades models``, ``inspect`` and ``verify``."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pyhades.cli import main
from pyhades.segmentation.catalogue import ENTRIES, PublishedFile, published
from tests.support.segmentation_models import SIDE, disc, model, node, scores
from tests.support.unreliable_server import UnreliableServer

NETWORK = model([*scores([[9, 0]]), node("Sigmoid", "l", "y")], [1, 1, SIDE, SIDE])


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Offers the model ``u2netp``; the home is empty."""
    for variable in ("PYHADES_CACHE", "U2NET_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "HF_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with UnreliableServer(NETWORK) as server:
        digest = hashlib.sha256(NETWORK).hexdigest()
        file = PublishedFile("u2netp.onnx", server.url, len(NETWORK), digest)
        manifest = ENTRIES["u2netp"].manifest.replace(input_size=(SIDE, SIDE))
        entry = dataclasses.replace(
            ENTRIES["u2netp"], files=(file,), profiles={"reference": manifest}
        )
        monkeypatch.setitem(published.ENTRIES, "u2netp", entry)
        yield server


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "bright.onnx"
    path.write_bytes(NETWORK)
    return path


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(disc()).save(path)
    return path


def test_models_are_listed_with_their_licences(server):
    text = run("models", "list").output
    assert "birefnet-general" in text and "not for commercial use" in text
    rows = {row["name"]: row for row in json.loads(run("models", "list", "--json").output)}
    assert rows["bria-rmbg"]["commercial_use"] is False and rows["u2netp"]["path"] is None
    assert server.ranges == []


def test_pull_path_verify(server, tmp_path):
    missing = run("models", "path", "u2netp")
    assert missing.exit_code == 2 and "pyhades models pull u2netp" in missing.output
    assert run("models", "verify", "u2netp").exit_code == 2
    pulled = run("models", "pull", "u2netp", "-q")
    assert pulled.exit_code == 0 and "licence Apache-2.0" in pulled.stderr
    path = tmp_path / ".cache/pyhades/models/u2netp/u2netp.onnx"
    assert pulled.stdout.strip() == str(path)
    assert run("models", "path", "u2netp").output.strip() == str(path)
    assert "sha256 is right" in run("models", "verify").output
    path.write_bytes(b"?" + NETWORK[1:])
    result = run("models", "verify", "u2netp")
    assert result.exit_code == 1 and "DIFFERS" in result.output
    assert run("models", "pull", "nothing").exit_code == 2


def test_remove_takes_a_name(server, photo, tmp_path, monkeypatch):
    out = tmp_path / "out.png"
    how = ("remove", photo, "-o", out, "--model", "u2netp")
    assert "not on this machine" in run(*how).output and server.ranges == []
    assert run(*how, "--download", "--offline").exit_code == 2
    monkeypatch.setenv("PYHADES_OFFLINE", "1")
    assert "PYHADES_OFFLINE is set" in run(*how, "--download").output and server.ranges == []
    monkeypatch.delenv("PYHADES_OFFLINE")
    assert run(*how, "--download").exit_code == 0 and len(server.ranges) == 1
    assert np.asarray(Image.open(out))[32, 32, 3] > 200


def test_fields_of_the_manifest_are_set(network, photo, tmp_path):
    out = tmp_path / "out.png"
    how = ("remove", photo, "-o", out, "--overwrite", "--only-mask", "--model", network)
    assert run(*how, "--no-check").exit_code == 0
    plain = np.asarray(Image.open(out))
    assert run(*how, "--no-check", "--set", "background=0").exit_code == 0
    np.testing.assert_allclose(np.asarray(Image.open(out)).astype(int), 255 - plain, atol=1)
    assert "expected FIELD=VALUE" in run(*how, "--set", "background").output
    assert "unknown manifest field 'ground'" in run(*how, "--set", "ground=0").output


def test_inspect(network):
    result = run("inspect", network)
    assert result.exit_code == 0 and "guessed, since:" in result.output
    read = json.loads(run("inspect", network, "--json", "--set", "mean=0.5").stdout)
    assert read["manifest"]["mean"] == [0.5] * 3 and read["kernels"]
    assert run("inspect", network, "--isa", "scalar").output.count("scalar") >= 2
    assert run("inspect", "none.onnx").exit_code == 2


def test_verify(network, tmp_path):
    images, masks = tmp_path / "images", tmp_path / "masks"
    for folder in (images, masks):
        folder.mkdir()
    assert run("verify", network, "--images", images).exit_code == 2
    Image.fromarray(disc()).save(images / "a.png")
    Image.fromarray(disc()[..., 0]).save(masks / "a.png")
    result = run("verify", network, "--images", images, "--masks", masks, "-q")
    assert result.exit_code == 0 and "weighted F" in result.output
    read = json.loads(run("verify", network, "--images", images, "-q", "--json").stdout)
    assert read["agrees"] is True and read["rows"][0]["fidelity"]["largest"] < 1e-5
    assert run("verify", network, "--masks", masks).exit_code == 2
    assert run("verify", network, "--images", images, "--tolerance", "0").exit_code in (0, 1)


def test_models_that_give_no_mask_are_refused_with_the_remedy(tmp_path):
    path = tmp_path / "classes.onnx"
    path.write_bytes(
        model([node("GlobalAveragePool", "x", "p"), node("Flatten", "p", "y")], [1, 3])
    )
    result = run("inspect", path)
    assert result.exit_code == 0 and "as a classifier gives" in result.output
    assert "as a classifier gives" in run("verify", path).output
