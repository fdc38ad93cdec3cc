"""The socket that a server listens at."""

from __future__ import annotations

import contextlib
import socket

import pytest

from pyhades.server.serving import bound, is_loopback


def test_small_pieces_are_sent_at_once():
    """asyncio asks for that only where a socket says that it is one of TCP."""
    with contextlib.closing(bound("127.0.0.1", 0)) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_a_port_that_is_taken_is_told():
    with contextlib.closing(bound("127.0.0.1", 0)) as listening:
        listening.listen()
        port = listening.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            bound("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("::1", True),
        ("127.8.0.1", True),
        ("localhost", True),
        ("::", False),
        ("example.org", False),
    ],
)
def test_what_only_this_machine_reaches(host, expected):
    assert is_loopback(host) is expected
