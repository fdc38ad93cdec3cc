"""Safetensors: read what the package writes, write what it reads, refuse what is damaged."""

from __future__ import annotations

import io
import json
import random
import struct

import numpy as np
import pytest
import safetensors

from pyhades.errors import ModelError
from pyhades.formats import SafetensorsFile, SafetensorsWriter
from tests.support.tiny_checkpoints import Stored, write_safetensors


def file_of(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def described(shape=(2,), offsets=(0, 8), dtype="F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.fixture
def opened(tmp_path):
    """Open a file of these bytes."""

    def write(data: bytes) -> SafetensorsFile:
        path = tmp_path / "m.safetensors"
        path.write_bytes(data)
        return SafetensorsFile(path)

    return write


def test_reads_what_the_package_writes(tmp_path):
    tensors = {
        "a": Stored("F32", np.arange(6, dtype=np.float32).reshape(2, 3)),
        "b.c": Stored("BF16", np.arange(5, dtype=np.uint16)),
        "scalar": Stored("F16", np.array(1.5, np.float16)),
        "empty": Stored("U8", np.zeros((3, 0), np.uint8)),
        "ü": Stored("U8", np.arange(7, dtype=np.uint8)),
    }
    write_safetensors(tmp_path / "m.safetensors", tensors, {"format": "pt", "note": "ß"})
    file = SafetensorsFile(tmp_path / "m.safetensors")
    assert file.metadata == {"format": "pt", "note": "ß"}
    assert file.tensors.keys() == tensors.keys()
    for name, stored in tensors.items():
        entry = file.tensors[name]
        assert (entry.dtype, entry.shape) == (stored.dtype, stored.array.shape)
        assert entry.data.tobytes() == stored.array.tobytes()
        assert np.shares_memory(entry.data, file.mapping.data) or not stored.array.size


def test_the_package_reads_what_we_write(opened):
    arrays = {
        "odd": ("U8", np.arange(13, dtype=np.uint8)),
        "matrix": ("F32", np.arange(12, dtype=np.float32).reshape(3, 4).T),
        "half": ("F16", np.ones((2, 2), np.float16)),
    }
    stream = io.BytesIO()
    types = {name: (dtype, array.shape) for name, (dtype, array) in arrays.items()}
    writer = SafetensorsWriter(stream, types, {"key": "value"})
    for name, (_, array) in arrays.items():
        writer.write(name, array)
    writer.finish()
    found = dict(safetensors.deserialize(stream.getvalue()))
    file = opened(stream.getvalue())
    assert file.tensors.keys() == arrays.keys()
    assert file.metadata == {"key": "value"}
    for name, (dtype, array) in arrays.items():
        assert bytes(found[name]["data"]) == array.tobytes()
        assert (found[name]["dtype"], found[name]["shape"]) == (dtype, list(array.shape))
        assert file.tensors[name].data.ctypes.data % 64 == 0
        assert file.tensors[name].data.tobytes() == array.tobytes()


DAMAGED = {
    "has 3 bytes": b"abc",
    "should have 99 bytes": file_of({}, length=99),
    "should have 4294967296 bytes": file_of({}, length=1 << 32),
    "no JSON": file_of(b"{'a'}"),
    "no JSON object": file_of([1]),
    "metadata is no JSON object": file_of({"__metadata__": 1}),
    "metadata 'a' is no text": file_of({"__metadata__": {"a": 1}}),
    "'a' is not described": file_of({"a": {"dtype": "F32"}}),
    "'a' is described twice": file_of(b'{"a": 1, "a": 2}'),
    "'a' has the unknown dtype 'F7'": file_of({"a": described(dtype="F7")}, bytes(8)),
    r"'a' has shape \[-2\]": file_of({"a": described((-2,))}, bytes(8)),
    r"'a' has shape \[2\] and offsets \[8, 0\]": file_of({"a": described((2,), (8, 0))}, bytes(8)),
    r"'a' is F32 \[3\], 12 bytes, but occupies 8": file_of({"a": described((3,))}, bytes(8)),
    "'a' ends at byte": file_of({"a": described()}, bytes(7)),
    "its tensors have 8 bytes, its data 9": file_of({"a": described()}, bytes(9)),
    "'b' overlap those of 'a'": file_of(
        {"a": described((4,), (0, 16)), "b": described((2,), (8, 16))}, bytes(16)
    ),
}


@pytest.mark.parametrize("problem", DAMAGED)
def test_damage_is_named(opened, problem):
    with pytest.raises(ModelError, match=rf"m\.safetensors: .*{problem}.*(again|another)"):
        opened(DAMAGED[problem])


def test_empty_and_missing(opened, tmp_path):
    with pytest.raises(ModelError, match="empty"):
        opened(b"")
    with pytest.raises(ModelError, match="No such file"):
        SafetensorsFile(tmp_path / "none")


def test_random_damage_raises_model_errors_only(tmp_path, opened):
    tensors = {f"t{i}": Stored("F32", np.ones((i, 3), np.float32)) for i in range(8)}
    write_safetensors(tmp_path / "whole", tensors, {"format": "pt"})
    whole = (tmp_path / "whole").read_bytes()
    header = struct.unpack("<Q", whole[:8])[0] + 8
    chance = random.Random(0)
    refused = 0
    for _ in range(1000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(header)] = chance.randrange(256)
        if chance.random() < 0.3:
            del data[chance.randrange(1, len(data)) :]
        try:
            opened(bytes(data))
        except ModelError as error:
            assert "m.safetensors" in str(error)
            refused += 1
    assert refused > 750
