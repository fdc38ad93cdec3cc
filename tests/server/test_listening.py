"""The socket that a server listens at."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from pyhades.server.http.hosts import LocalOnly, is_loopback
from pyhades.server.http.lines import SilentLines
from pyhades.server.serving import bound


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


@pytest.fixture(scope="module")
def local():
    """Somebody who is answered "Hi" by a server that only this machine reaches."""
    route = Route("/{path:path}", lambda request: PlainTextResponse("Hi"))
    return TestClient(Starlette(routes=[route], middleware=[Middleware(LocalOnly)]))


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1:8000", "127.8.0.1", "[::1]", "[::1]:8000"]
)
def test_names_of_this_machine(local, host):
    assert local.get("/health", headers={"host": host}).text == "Hi"


@pytest.mark.parametrize(
    "host", ["evil.example", "10.0.0.1:8000", "localhost.evil.example", "", "[::1"]
)
def test_other_names_are_told_what_to_do(local, host):
    response = local.get("/v1/models", headers={"host": host})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "unknown_host")
    assert f"Host names {host!r}" in error["message"] and "--host" in error["message"]
    elsewhere = local.get("/api/tags", headers={"host": host}).json()
    assert elsewhere == {"error": error["message"]}


class Transport:
    """A transport that knows whether it was ended."""

    def __init__(self, unsent: int = 0) -> None:
        self.unsent = unsent
        self.is_ended = False

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.is_ended = True


@dataclass(eq=False)
class Cycle:
    response_complete: bool


@dataclass(eq=False)
class Line:
    cycle: Cycle | None = None
    transport: Transport = field(default_factory=Transport)


def test_lines_on_which_nobody_asks_are_ended():
    answered, working = Cycle(True), Cycle(False)
    new, old, busy = Line(), Line(answered), Line(working)
    unread = Line(answered, Transport(unsent=9))
    lines = SilentLines(10)
    lines.hang_up([new, old, busy, unread], 0.0)
    old.cycle = Cycle(True)  # it has asked again since
    lines.hang_up([new, old, busy, unread], 9.0)
    assert not any(each.transport.is_ended for each in (new, old, busy, unread))
    lines.hang_up([new, old, busy, unread], 11.0)
    assert [each.transport.is_ended for each in (new, old, busy, unread)] == [
        True, False, False, False
    ]  # fmt: skip
    lines.hang_up([old], 20.0)
    assert old.transport.is_ended
