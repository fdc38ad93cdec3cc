"""Forbids this process system calls, as the profiles of containers do."""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Iterable

NO_NEW_PRIVILEGES, SET_FILTER, FILTER = 38, 22, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER_AT, ARCHITECTURE_AT = 0, 4
X86_64 = 0xC000003E
ALLOW, FAIL = 0x7FFF0000, 0x00050000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def deny(numbers: Iterable[int]) -> None:
    """Let system calls of x86-64 fail with EPERM, for all threads started from here on.

    Needs no privilege, and cannot be undone.
    """
    instructions = [(LOAD, 0, 0, ARCHITECTURE_AT), (EQUAL, 1, 0, X86_64), (RETURN, 0, 0, ALLOW)]
    instructions.append((LOAD, 0, 0, NUMBER_AT))
    for number in numbers:
        instructions += [(EQUAL, 0, 1, number), (RETURN, 0, 0, FAIL | errno.EPERM)]
    instructions.append((RETURN, 0, 0, ALLOW))
    packed = b"".join(struct.pack("HBBI", *one) for one in instructions)
    program = _Program(len(instructions), packed)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for arguments in (
        (NO_NEW_PRIVILEGES, 1, 0, 0, 0),
        (SET_FILTER, FILTER, ctypes.addressof(program), 0, 0),
    ):
        if prctl(ctypes.c_int(arguments[0]), *map(ctypes.c_ulong, arguments[1:])):
            raise OSError(ctypes.get_errno(), "the filter was refused")
