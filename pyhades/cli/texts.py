"""Text that users give: UTF-8, or a message that says where it is not."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator
from pathlib import Path

from pyhades.errors import ArgumentError

STANDARD_INPUT = "standard input"
_OTHERS = {
    codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16",
}  # fmt: skip


def decoded(data: bytes, name: str, offset: int = 0) -> str:
    r"""Text of UTF-8, with line ends as ``\n`` and without a byte order mark.

    Parameters
    ----------
    data
        What was read.
    name
        Where from.
    offset
        Bytes that were read before.

    Raises
    ------
    ArgumentError
        It is no UTF-8; names the first byte that is none, from 0 on.
    """
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        at = error.start + len(data) - len(data.removeprefix(codecs.BOM_UTF8))
        other = next((kind for mark, kind in _OTHERS.items() if data.startswith(mark)), None)
        guess = "it may be Latin-1" if other is None else f"it is {other}"
        raise ArgumentError(
            f"{name} is not UTF-8: byte {offset + at} is 0x{data[at]:02x}; {guess}, which "
            f"`iconv -f {other or 'LATIN1'} -t UTF-8` converts"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def text_of(path: Path) -> str:
    """Text of a file; ArgumentError where it cannot be read, or is no UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArgumentError(f"{path}: {error.strerror}") from None
    return decoded(data, str(path))


def standard_input() -> str:
    """All of the standard input as text."""
    return decoded(sys.stdin.buffer.read(), STANDARD_INPUT)


def standard_input_lines() -> Iterator[str]:
    """The lines of the standard input, as they come."""
    offset = 0
    for data in sys.stdin.buffer:
        yield decoded(data, STANDARD_INPUT, offset)
        offset += len(data)
