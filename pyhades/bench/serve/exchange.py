"""One request over HTTP/1.1, on a connection of its own that may be left at any time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import h11

JSON = (("content-type", "application/json"),)
_PIECE = 1 << 16


@dataclass(frozen=True)
class HttpRequest:
    """What is sent.

    Parameters
    ----------
    path
        Of the server.
    body
        Its bytes.
    method
        Such as ``"POST"``.
    headers
        Beside ``host`` and ``content-length``.
    missing
        Bytes of the body that are announced and never come: the client leaves instead.
    """

    path: str
    body: bytes = b""
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = JSON
    missing: int = 0


class Exchange:
    """A response as it comes: ``status`` and ``headers``, then :meth:`pieces`."""

    def __init__(self, reader: asyncio.StreamReader, connection: h11.Connection) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._reader, self._connection = reader, connection

    async def begin(self) -> None:
        """Wait for the status and the headers."""
        event = await self._event()
        while isinstance(event, h11.InformationalResponse):
            event = await self._event()
        if not isinstance(event, h11.Response):
            raise h11.RemoteProtocolError("the connection was closed without a response")
        self.status = event.status_code
        self.headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, piece by piece as it comes."""
        while not isinstance(event := await self._event(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    async def body(self) -> bytes:
        """All of the body."""
        return b"".join([piece async for piece in self.pieces()])

    async def _event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        event = self._connection.next_event()
        while event is h11.NEED_DATA:
            self._connection.receive_data(await self._reader.read(_PIECE))
            event = self._connection.next_event()
        return event


class HttpClient:
    """Where requests go.

    Parameters
    ----------
    url
        Of the server, such as ``"http://127.0.0.1:8000"``.
    api_key
        Sent with every request, if there is one.
    """

    def __init__(self, url: str, api_key: str | None = None) -> None:
        parts = urlsplit(url)
        self._tls = parts.scheme == "https"
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or (443 if self._tls else 80)
        self._prefix = parts.path.rstrip("/")
        self._key = [] if api_key is None else [("authorization", f"Bearer {api_key}")]

    @contextlib.asynccontextmanager
    async def exchange(self, request: HttpRequest) -> AsyncIterator[Exchange]:
        """Send a request and wait for the head of the response; the connection ends with the block.

        Raises
        ------
        OSError
            There is no connection.
        h11.ProtocolError
            What comes is no HTTP, or nothing.
        """
        reader, writer = await asyncio.open_connection(
            self._host, self._port, ssl=self._tls or None
        )
        try:
            connection = h11.Connection(h11.CLIENT)
            writer.write(self._bytes(connection, request))
            if request.missing:
                await writer.drain()
                writer.write_eof()
            exchange = Exchange(reader, connection)
            await exchange.begin()
            yield exchange
        finally:
            writer.close()

    def _bytes(self, connection: h11.Connection, request: HttpRequest) -> bytes:
        length = len(request.body) + request.missing
        named = [
            ("host", f"{self._host}:{self._port}"),
            ("content-length", str(length)),
            *self._key,
            *request.headers,
        ]
        headers = [(name.encode(), value.encode("latin-1")) for name, value in named]
        target = self._prefix + request.path
        head = h11.Request(method=request.method, target=target, headers=headers)
        events: list[h11.Event] = [head, h11.Data(data=request.body)]
        if not request.missing:
            events.append(h11.EndOfMessage())
        return b"".join(connection.send(event) or b"" for event in events)
