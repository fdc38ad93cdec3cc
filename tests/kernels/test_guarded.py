"""The guard pages themselves: a net that does not catch is worse than none."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty


@pytest.mark.parametrize("at", ["start", "end"])
def test_one_element_too_far_crashes(at: str) -> None:
    script = (
        "import ctypes, numpy as np\n"
        "from tests.support.guarded import guarded\n"
        f"a = guarded(np.ones(5, np.float32), at={at!r})\n"
        f"address = a.ctypes.data + ({'-4' if at == 'start' else '20'})\n"
        "assert a.sum() == 5\n"
        "print('alive', flush=True)\n"
        "ctypes.c_float.from_address(address).value\n"
        "print('survived')\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout == "alive\n", result.stderr
    assert result.returncode in (-signal.SIGSEGV, -signal.SIGABRT)  # the latter of a sanitizer


def test_strided_copy_keeps_values() -> None:
    values = np.arange(12, dtype=np.int16).reshape(3, 4)
    array = guarded(values, strides=(1, 5))
    np.testing.assert_array_equal(array, values)
    assert array.strides == (2, 10)


def test_stray_write_is_found() -> None:
    array = guarded_empty((3, 4), np.float32, strides=(6, 1))
    array[...] = 0
    assert_gaps_untouched(array)
    np.lib.stride_tricks.as_strided(array, (3, 5), (24, 4))[1, 4] = 1
    with pytest.raises(AssertionError, match="4 bytes outside"):
        assert_gaps_untouched(array)
