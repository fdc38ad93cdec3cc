"""What type checkers are told agrees with what the functions take."""

from __future__ import annotations

import inspect
import typing

import numpy as np

from pyhades.segmentation import Remover


def test_overloads_of_matte_have_all_parameters():
    """Only ``dtype`` differs between them: its type decides that of the result."""
    implementation = inspect.signature(Remover.matte).parameters
    overloads = [inspect.signature(function) for function in typing.get_overloads(Remover.matte)]
    assert len(overloads) == 2
    for overload in overloads:
        assert list(overload.parameters) == list(implementation)
        for name, parameter in overload.parameters.items():
            expected = implementation[name]
            assert parameter.kind == expected.kind
            assert name == "dtype" or parameter.annotation == expected.annotation
    returned = [str(overload.return_annotation) for overload in overloads]
    assert returned == ["NDArray[np.uint8]", "NDArray[np.float32]"]


def test_matte_takes_what_its_overloads_name(remover, photo):
    for dtype in (np.uint8, np.float32):
        matte = remover.matte(photo[..., ::-1], dtype=dtype, channel_order="bgr")
        np.testing.assert_array_equal(matte, remover.matte(photo, dtype=dtype))
