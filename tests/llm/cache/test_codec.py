"""What goes through a codec comes back to the bit, or not at all."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pyhades.llm.cache.codec import CODECS, SHRINKS, DamagedError, Planes, Raw, codec_of

SPECIAL = [0x0000, 0x8000, 0x7F80, 0xFF80, 0x7FC0, 0xFFFF, 0x0001, 0x807F, 0x7F7F, 0x0080]
"""Zeros, infinities, NaNs, denormals, the largest and the least as bfloat16."""


def bf16(values: np.ndarray) -> np.ndarray:
    return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)


def gaussian(count: int, seed: int = 0) -> np.ndarray:
    return bf16(np.random.default_rng(seed).standard_normal(count))


def returns(codec, contents: np.ndarray) -> None:
    data = codec.encode(contents)
    decoded = codec.decode(data, contents.shape)
    assert decoded.dtype == np.uint8 and decoded.shape == contents.shape
    np.testing.assert_array_equal(decoded, contents)
    assert decoded.flags.writeable
    assert len(data) <= contents.nbytes + 1


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
class TestEveryCodec:
    @given(st.data())
    def test_is_lossless_for_any_bytes(self, codec, data):
        shape = data.draw(arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=40))
        returns(codec, data.draw(arrays.arrays(np.uint8, shape)))

    @given(st.lists(st.sampled_from(SPECIAL), max_size=3000), st.integers(0, 1000))
    def test_is_lossless_for_special_values(self, codec, special, common):
        ordinary = gaussian(common).view(np.uint16)
        values = np.concatenate([np.asarray(special, np.uint16), ordinary])
        np.random.default_rng(common).shuffle(values)
        returns(codec, values.view(np.uint8))

    def test_is_lossless_for_every_value(self, codec):
        returns(codec, np.arange(65536, dtype=np.uint16).view(np.uint8).reshape(4, 2, -1))

    @pytest.mark.parametrize("size", [0, 1, 2, 3, 31, 32, 33, 4095, 4097, 100_001])
    def test_is_lossless_for_any_size(self, codec, size):
        returns(codec, gaussian(size // 2 + 1)[:size])

    def test_does_not_need_contiguous_contents(self, codec):
        returns(codec, gaussian(4096).reshape(2, 64, 64)[:, ::2])

    @pytest.mark.parametrize("size", [0, 1, 100, 8190, 8194])
    def test_refuses_data_of_another_shape(self, codec, size):
        data = codec.encode(gaussian(4096))
        with pytest.raises(DamagedError):
            codec.decode(data, (size,))


def test_bf16_shrinks():
    contents = gaussian(1 << 16)
    assert contents.nbytes / len(Planes().encode(contents)) > 1.45


def test_equal_contents_are_equal_data():
    contents = gaussian(1 << 12)
    first = Planes().encode(contents)
    Planes().encode(gaussian(1 << 14, seed=1))
    assert Planes().encode(contents) == first


def test_mantissas_that_shrink_are_deflated_too():
    contents = bf16(np.repeat(np.arange(1, 9), 4096))
    assert contents.nbytes / len(Planes().encode(contents)) > 3
    returns(Planes(), contents)


def test_mantissas_alone_may_shrink():
    values = np.random.default_rng(0).integers(0, 256, 8192, dtype=np.uint16) << 7 | 1
    returns(Planes(), values.view(np.uint8))
    assert len(Planes().encode(values.view(np.uint8))) < 8192 * 1.1


def test_what_hardly_shrinks_is_kept_as_it_is():
    contents = np.random.default_rng(0).integers(0, 256, 1 << 14, dtype=np.uint8)
    assert Planes().encode(contents) == b"\0" + contents.tobytes()
    assert SHRINKS == 1 / 64


@pytest.mark.parametrize("size", range(12))
def test_data_cut_short_are_refused(size):
    with pytest.raises(DamagedError):
        Planes().decode(Planes().encode(gaussian(4096))[:size], (8192,))


@given(st.binary(max_size=200), st.integers(0, 300))
def test_any_data_are_decoded_or_refused(data, size):
    for codec in CODECS.values():
        try:
            assert codec.decode(data, (size,)).nbytes == size
        except DamagedError as error:
            assert str(error)


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_damaged_byte_never_gives_another_size(position, change):
    contents = gaussian(2048)
    data = bytearray(Planes().encode(contents))
    data[position % len(data)] ^= change
    with contextlib.suppress(DamagedError):
        assert Planes().decode(bytes(data), contents.shape).shape == contents.shape


def test_a_bomb_is_not_inflated():
    contents = np.zeros(1 << 24, np.uint8)
    with pytest.raises(DamagedError):
        Planes().decode(Planes().encode(contents), (1 << 10,))


def test_the_format_decides():
    assert isinstance(codec_of("bf16"), Planes) and isinstance(codec_of("int8"), Raw)
    assert all(codec.name == name for name, codec in CODECS.items())
    assert "isal" in repr(codec_of("bf16")) and "as they are" in repr(codec_of("int8"))
