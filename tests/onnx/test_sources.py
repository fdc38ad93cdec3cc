"""Where a model comes from, and what is said of files that are none."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyhades import load_onnx
from pyhades.errors import ArgumentTypeError, ModelError

onnx = pytest.importorskip("onnx")


def small() -> Any:
    """y = relu(x)."""
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 4))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (2, 4))],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_what_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proto = small()
    data = proto.SerializeToString()
    path = tmp_path / "small.onnx"
    path.write_bytes(data)
    monkeypatch.setenv("HOME", str(tmp_path))
    strided = memoryview(bytes(b for byte in data for b in (byte, 0)))[::2]
    with path.open("rb") as file:
        sources = [
            path, str(path), "~/small.onnx", data, bytearray(data), memoryview(data), strided,
            io.BytesIO(data), file, proto,
        ]  # fmt: skip
        graphs = [load_onnx(source) for source in sources]
    assert len({str(graph) for graph in graphs}) == 1
    assert [graph.source is None for graph in graphs] == [False] * 3 + [True] * 7


@pytest.mark.parametrize("source", [3, None, 2.5, [b""], io.StringIO("text"), b"x".hex])
def test_what_is_no_source(source: Any) -> None:
    with pytest.raises(ArgumentTypeError, match="model"):
        load_onnx(source)


def archive(*members: str) -> bytes:
    """A zip file with these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for member in members:
            file.writestr(member, b"0" * 100)
    return buffer.getvalue()


def safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4)


def frozen_tensorflow_graph() -> bytes:
    node = b"\x0a\x05input\x12\x0bPlaceholder"
    return b"\x0a" + bytes([len(node)]) + node


STRANGERS = {
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:8d\nsize 17\n", "git lfs"),
    "page": (b"\n <!DOCTYPE html><html><title>Google Drive</title>", "HTML page"),
    "gzip": (gzip.compress(b"\x08\x08" * 9), "gzip.*unpack"),
    "zip": (archive("u2net.onnx"), "zip file; unpack"),
    "checkpoint": (archive("archive/data.pkl", "archive/data/0"), "PyTorch.*torch.onnx.export"),
    "script": (archive("m/data.pkl", "m/constants.pkl"), "TorchScript"),
    "keras": (archive("config.json", "model.weights.h5"), "Keras"),
    "pickle": (pickle.dumps({"state": [1]}, 2), "pickle.*PyTorch"),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(60), "TensorFlow Lite"),
    "ort": (b"\x1c\0\0\0ORTM" + bytes(60), "ORT format"),
    "safetensors": (safetensors(), "safetensors.*without a graph"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(60), "HDF5"),
    "frozen": (frozen_tensorflow_graph(), "TensorFlow graph"),
    "openvino": (b'<?xml version="1.0"?>\n<net name="u2net" version="11">', "OpenVINO"),
    "ncnn": (b"7767517\n75 83\nInput data 0 1 data", "ncnn"),
    "text": (b'ir_version: 8\ngraph {\n node { op_type: "Relu" } }', "text form"),
    "manifest": (b'{"name": "u2net"}', "JSON"),
    "picture": (b"\x89PNG\r\n\x1a\n", "picture"),
    "empty": (b"", "empty"),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_strangers_are_called_by_their_names(name: str, tmp_path: Path) -> None:
    data, message = STRANGERS[name]
    path = tmp_path / f"{name}.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=message) as caught:
        load_onnx(path)
    assert str(path) in str(caught.value)
    with pytest.raises(ModelError, match=message):
        load_onnx(data)


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a folder without \.onnx files"):
        load_onnx(tmp_path)
    (tmp_path / "model.onnx").touch()
    with pytest.raises(ModelError, match=r"a file in it: model\.onnx"):
        load_onnx(tmp_path)
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(ModelError, match="tf2onnx"):
        load_onnx(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="no regular file"):
        load_onnx(tmp_path / "pipe")


def with_external_data(path: Path, location: str) -> Path:
    """y = x + w, where w lies in another file."""
    from onnx import TensorProto, helper

    proto = small()
    proto.graph.node[0].CopyFrom(helper.make_node("Add", ["x", "w"], ["y"]))
    weight = proto.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=[4])
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    path.write_bytes(proto.SerializeToString())
    return path


WEIGHT = np.float32([1, 2, 3, 4])


def hub(folder: Path, location: str = "model.onnx_data") -> tuple[Path, Path]:
    """The layout of the Hugging Face cache: the folder of snapshots, and that of the files."""
    snapshot, blobs = folder / "snapshots" / "0a1b" / "onnx", folder / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    with_external_data(blobs / "aaaa", location)
    (blobs / "bbbb").write_bytes(WEIGHT.tobytes())
    (snapshot / "model.onnx").symlink_to("../../../blobs/aaaa")
    (snapshot / "model.onnx_data").symlink_to("../../../blobs/bbbb")
    return snapshot, blobs


def test_external_data_in_the_hugging_face_cache(tmp_path: Path) -> None:
    snapshot, _ = hub(tmp_path)
    graph = load_onnx(snapshot / "model.onnx")
    np.testing.assert_array_equal(graph.nodes[0].inputs[1].data, WEIGHT)


def test_links_lead_to_where_the_model_lies_and_nowhere_else(tmp_path: Path) -> None:
    snapshot, blobs = hub(tmp_path / "hub")
    secret = tmp_path / "secret"
    secret.write_bytes(WEIGHT.tobytes())
    link = snapshot / "model.onnx_data"
    link.unlink()
    link.symlink_to(secret)
    with pytest.raises(ModelError, match="is not inside"):
        load_onnx(snapshot / "model.onnx")
    # The file itself may not name what lies beside the links' targets.
    for location in ("../../../blobs/bbbb", str(blobs / "bbbb"), "../onnx/../../../blobs/bbbb"):
        with_external_data(blobs / "aaaa", location)
        with pytest.raises(ModelError, match="is not inside"):
            load_onnx(snapshot / "model.onnx")


def test_external_data_that_is_a_pointer(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(STRANGERS["pointer"][0])
    with pytest.raises(ModelError, match="Git LFS pointer"):
        load_onnx(with_external_data(tmp_path / "model.onnx", "w.bin"))
