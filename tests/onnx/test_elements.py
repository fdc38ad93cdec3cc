"""Element types that NumPy lacks: every code of each, read as the onnx package reads it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyhades.errors import ModelError, UnsupportedOperatorError
from pyhades.ir.graph import Value
from pyhades.ir.inference import type_of
from pyhades.onnx.elements import ELEMENTS, ElementTable
from pyhades.onnx.schema import TENSOR
from pyhades.onnx.tensors import TensorDecoder
from pyhades.onnx.wire import WireReader

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, numpy_helper  # noqa: E402

NARROW = [e for e in ELEMENTS.values() if e.is_narrow]


def decoded(proto: Any) -> Any:
    record = WireReader(memoryview(proto.SerializeToString()), "tensor").read(TENSOR)
    return TensorDecoder(None).decode(record, "tensor")


def all_codes(bits: int) -> bytes:
    """Bytes in which every code of so many bits occurs, in every place of a byte."""
    return bytes(range(256)) if bits <= 8 else np.arange(1 << 16, dtype="<u2").tobytes()


@pytest.mark.parametrize("element", NARROW, ids=lambda e: e.name)
@pytest.mark.parametrize("raw", [True, False])
def test_every_code(element: Any, raw: bool) -> None:
    data = all_codes(element.bits)
    count = 8 * len(data) // element.bits
    for shape in ([count], [count - 1]):  # what fills up the last byte is no element
        proto = TensorProto(name="t", data_type=element.number, dims=shape)
        if raw:
            proto.raw_data = data
        else:
            width = "<u2" if element.bits == 16 else "u1"
            proto.int32_data.extend(int(code) for code in np.frombuffer(data, width))
        if element.bits >= 8 and shape != [count]:
            with pytest.raises(ModelError, match="elements"):
                decoded(proto)
            continue
        actual, expected = decoded(proto), numpy_helper.to_array(proto)
        assert actual.dtype == element.dtype
        np.testing.assert_array_equal(actual, expected.astype(element.dtype))


@pytest.mark.parametrize("number", [8, 14, 15, 27, 28])
def test_types_without_values_are_refused_by_name(number: int) -> None:
    name = TensorProto.DataType.Name(number).lower()
    with pytest.raises(UnsupportedOperatorError, match=name):
        decoded(TensorProto(name="t", data_type=number, dims=[1], raw_data=b"1234"))


def test_the_table_remembers_what_the_dtype_does_not_tell() -> None:
    table, data = ElementTable(), np.zeros(2, np.int8)
    small, plain = Value("a", type_of(data), data), Value("b", type_of(data), data)
    table.mark(small, ELEMENTS[TensorProto.INT4])
    assert table.of(small).name == "int4" and table.of(plain).name == "int8"
    assert table.of(Value("c")) is None
