"""GGUF: read what the package writes, refuse what is damaged."""

from __future__ import annotations

import random
import struct

import gguf
import numpy as np
import pytest

from pyhades.errors import ModelError, UnsupportedOperatorError
from pyhades.formats import GgufFile
from tests.support.tiny_checkpoints import random_model, tiny_config
from tests.support.tiny_gguf import write_gguf


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def pair(key: bytes, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def tensor(name: bytes, shape=(4,), number=0, offset=0) -> bytes:
    return (
        text(name)
        + struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        + struct.pack("<IQ", number, offset)
    )


def file_of(tensors=(), pairs=(), data=b"", version=3, counts=None) -> bytes:
    header = b"GGUF" + struct.pack("<IQQ", version, *(counts or (len(tensors), len(pairs))))
    header += b"".join(pairs) + b"".join(tensors)
    return header + bytes(-len(header) % 32) + data


@pytest.fixture
def opened(tmp_path):
    """Open a file of these bytes."""

    def write(data: bytes) -> GgufFile:
        path = tmp_path / "m.gguf"
        path.write_bytes(data)
        return GgufFile(path)

    return write


def test_reads_what_the_package_writes(tmp_path):
    path = tmp_path / "m.gguf"
    writer = gguf.GGUFWriter(path, "test")
    writer.add_bool("flag", True)
    writer.add_int8("small", -3)
    writer.add_uint64("large", 1 << 40)
    writer.add_float64("pi", 3.25)
    writer.add_string("text", "größe")
    writer.add_array("texts", ["a", "", "ß"])
    writer.add_array("numbers", [1, -2, 3])
    writer.add_array("floats", [0.5, 1.5])
    arrays = {
        "f32": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "f16": np.arange(5, dtype=np.float16),
    }
    for name, array in arrays.items():
        writer.add_tensor(name, array)
    blocks = np.arange(2 * 34, dtype=np.uint8).reshape(2, 34)
    writer.add_tensor("q8", blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    file = GgufFile(path)
    simple = {"flag": True, "small": -3, "large": 1 << 40, "pi": 3.25, "text": "größe"}
    assert simple.items() <= file.metadata.items()
    assert file.metadata["texts"] == ["a", "", "ß"]
    assert file.metadata["numbers"].tolist() == [1, -2, 3]
    assert file.metadata["floats"].tolist() == [0.5, 1.5]
    for name, array in arrays.items():
        entry = file.tensors[name]
        assert (entry.dtype, entry.shape) == (name.upper(), array.shape)
        assert entry.data.tobytes() == array.tobytes()
    assert (file.tensors["q8"].dtype, file.tensors["q8"].shape) == ("Q8_0", (2, 32))
    assert file.tensors["q8"].data.tobytes() == blocks.tobytes()
    assert np.shares_memory(file.tensors["q8"].data, file.mapping.data)


def test_arrays_of_arrays(opened):
    inner = struct.pack("<IQ", 0, 2) + b"\1\2"
    value = struct.pack("<IQ", 9, 2) + inner + inner
    (first, second) = opened(file_of(pairs=[pair(b"a", 9, value)])).metadata["a"]
    assert first.tolist() == second.tolist() == [1, 2]


TENSOR = tensor(b"a")
DAMAGED = {
    "does not begin with 'GGUF'": b"GGML" + bytes(40),
    "goes past the end": b"GGUF\3",
    "announces 99 items": file_of(counts=(99, 0)),
    "announces 1152921504606846976 items": file_of(counts=(0, 1 << 60)),
    "'k' has the unknown type 77": file_of(pairs=[pair(b"k", 77, bytes(8))]),
    "'k' is an array of arrays of arrays": file_of(
        pairs=[pair(b"k", 9, struct.pack("<IQ", 9, 1) * 9)]
    ),
    "key 'k' comes twice": file_of(pairs=[pair(b"k", 0, b"1")] * 2),
    "no UTF-8": file_of(pairs=[pair(b"\xff", 0, b"1")]),
    "a text goes past": file_of(
        pairs=[pair(b"k", 9, struct.pack("<IQQ", 8, 1, 1 << 40))], data=bytes(32)
    ),
    "general.alignment is 5": file_of(
        pairs=[pair(b"general.alignment", 4, struct.pack("<I", 5))]
    ),
    "'a' has 5 axes": file_of([tensor(b"a", (1,) * 5)]),
    "'a' ends at byte": file_of([TENSOR], data=bytes(15)),
    "'a' begins at 8, no multiple of 32": file_of([tensor(b"a", offset=8)], data=bytes(64)),
    "'a' is described twice": file_of([TENSOR, TENSOR], data=bytes(64)),
    r"'a' is Q8_0 \[4\], no whole blocks": file_of([tensor(b"a", number=8)], data=bytes(64)),
    r"'a' is Q4_K \[128\], no whole blocks of 256": file_of(
        [tensor(b"a", (128,), number=12)], data=bytes(144)
    ),
    "'b' overlap those of 'a'": file_of(
        [tensor(b"a", (16,)), tensor(b"b", offset=32)], data=bytes(64)
    ),
}  # fmt: skip


@pytest.mark.parametrize("problem", DAMAGED)
def test_damage_is_named(opened, problem):
    with pytest.raises(ModelError, match=rf"m\.gguf: .*{problem}.* again"):
        opened(DAMAGED[problem])


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (file_of([tensor(b"a", (256,), number=19)], data=bytes(50)), "'a' has the type IQ1_S"),
        (file_of([tensor(b"a", number=99)], data=bytes(64)), "'a' has the type number 99"),
        (file_of(version=1), "of version 1"),
        (file_of(version=3 << 24), "for big-endian machines"),
    ],
)
def test_what_is_not_read_is_named(opened, data, problem):
    with pytest.raises(UnsupportedOperatorError, match=rf"m\.gguf: .*{problem}"):
        opened(data)


def test_random_damage_raises_model_errors_only(tmp_path, opened):
    model = random_model(tiny_config(num_hidden_layers=1))
    whole = write_gguf(model, tmp_path / "whole.gguf").read_bytes()
    header = min(entry.data_offset for entry in gguf.GGUFReader(tmp_path / "whole.gguf").tensors)
    chance = random.Random(0)
    refused = 0
    for _ in range(700):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(header)] = chance.randrange(256)
        if chance.random() < 0.3:
            del data[chance.randrange(1, len(data)) :]
        try:
            opened(bytes(data))
        except ModelError as error:
            assert "m.gguf" in str(error)
            refused += 1
    assert refused > 200
