"""Server-sent events, read from a stream of bytes."""

from __future__ import annotations

DONE = b"[DONE]"
"""The data that ends a stream of OpenAI's protocol."""


class EventReader:
    """Takes a stream apart, wherever its pieces begin and end.

    Examples
    --------
    >>> reader = EventReader()
    >>> reader.feed(b": ping" + bytes([10, 10]) + b"data: 1" + bytes([10]))
    []
    >>> reader.feed(bytes([10]))
    [b'1']
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of the events that end in ``piece``; comments and other fields are left out."""
        self._line += piece
        *lines, rest = self._line.split(b"\n")
        self._line = rest
        events = []
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(bytes(line[5:].removeprefix(b" ")))
            elif not line and self._data:
                events.append(b"\n".join(self._data))
                self._data = []
        return events
