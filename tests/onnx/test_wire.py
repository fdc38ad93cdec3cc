"""The wire format: numbers at their limits, packing, and what is malformed."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from pyhades.errors import ModelError
from pyhades.onnx.schema import MODEL, TENSOR
from pyhades.onnx.wire import WireReader, encode


def read(data: bytes, message: object = TENSOR) -> dict[str, object]:
    return WireReader(memoryview(data), "file").read(message)  # type: ignore[arg-type]


def test_numbers_at_their_limits() -> None:
    numbers = [0, 1, -1, 127, 128, 2**63 - 1, -(2**63)]
    tensor = onnx.TensorProto(int64_data=numbers, dims=numbers)
    assert read(tensor.SerializeToString())["int64_data"] == numbers
    own = b"".join(bytes(chunk) for chunk in encode({"dims": numbers}, TENSOR))
    assert onnx.TensorProto.FromString(own).dims == numbers


def test_unpacked_and_packed_lists_mix() -> None:
    unpacked = b"\x20"  # field 4 is float_data; as a packed list first, then one by one
    packed = onnx.TensorProto(float_data=[1.0, 2.0]).SerializeToString()
    single = bytes([4 << 3 | 5]) + np.float32(3).tobytes()
    assert read(packed + single)["float_data"] == [1.0, 2.0, 3.0]
    with pytest.raises(ModelError, match=r"TensorProto\.float_data has wire type 0"):
        read(unpacked + b"\x01")


def test_long_lists_become_arrays() -> None:
    numbers = np.arange(-5000, 5000)
    data = onnx.TensorProto(int64_data=numbers.tolist()).SerializeToString()
    np.testing.assert_array_equal(np.asarray(read(data)["int64_data"]), numbers)
    np.testing.assert_array_equal(np.asarray(read(data + data)["int64_data"]), [*numbers, *numbers])
    single = bytes([7 << 3]) + b"\x05"
    assert len(read(data + single)["int64_data"]) == 10001  # type: ignore[arg-type]


def test_unknown_fields_are_skipped() -> None:
    tensor = helper.make_tensor("t", TensorProto.FLOAT, [1], [2.0])
    tensor.doc_string = "a field that we do not read"
    assert read(tensor.SerializeToString())["name"] == "t"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x08", "number is cut off"),
        (b"\x08\xff", "number is cut off"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "longer than ten bytes"),
        (b"\x4a\x05abc", "ends beyond its message"),
        (b"\x4a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "ends beyond its message"),
        (b"\x0b", "wire type 3"),
        (b"\x00\x01", "field number 0"),
        (b"\x42\x01\xff", "not UTF-8"),
        (b"\x22\x03abc", "list of numbers is cut off"),
        (b"\x3a\x02\x01\xff", "list of numbers is cut off"),
        (b"\x3a\x0b" + b"\xff" * 10 + b"\x01", "longer than ten bytes"),
    ],
)
def test_malformed_bytes(data: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=f"file: malformed at byte .*{message}"):
        read(data)


def test_a_message_may_not_end_beyond_the_one_around_it() -> None:
    with pytest.raises(ModelError, match="beyond"):
        read(b"\x3a\x04\x52\x10ab" + b"c" * 40, MODEL)
