"""Answers that are told as they come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine, Iterable
from typing import TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Send

from pyhades.server.http.bodies import json_bytes
from pyhades.server.protocol.face import Event, Framing

T = TypeVar("T")

PING = b": ping\n\n"
"""A comment, which clients of server-sent events pass over."""
_HEADERS = [
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # or nginx waits for more
]
_TYPES: dict[Framing, bytes] = {
    "sse": b"text/event-stream; charset=utf-8",
    "ndjson": b"application/x-ndjson",
}


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


def patient(send: Send, seconds: float) -> Send:
    """A ``send`` for which a client that reads nothing for so long has gone.

    Or what is written for it would be held for ever.
    """

    async def sent(message: Message) -> None:
        try:
            async with asyncio.timeout(seconds):
                await send(message)
        except TimeoutError:
            raise ClientGone from None

    return sent


def framed(events: Iterable[Event], framing: Framing) -> bytes:
    """Events as bytes of a stream."""
    if framing == "ndjson":
        return b"".join(json_bytes(event.data) + b"\n" for event in events if event.data)
    parts = []
    for event in events:
        if event.name is not None:
            parts.append(b"event: " + event.name.encode() + b"\n")
        data = b"[DONE]" if event.data is None else json_bytes(event.data)
        parts.append(b"data: " + data + b"\n\n")
    return b"".join(parts)


async def send_stream(
    chunks: AsyncGenerator[bytes, None],
    framing: Framing,
    receive: Receive,
    send: Send,
    headers: Iterable[tuple[bytes, bytes]] = (),
    ping_seconds: float = 10.0,
) -> None:
    """Tell an answer; where nothing comes for a while, a comment keeps the line open.

    Raises
    ------
    ClientGone
        The client has gone; ``chunks`` are closed, and with them the answer.
    """

    async def told() -> None:
        start: Message = {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", _TYPES[framing]), *_HEADERS, *headers],
        }
        await send(start)
        ping = PING if framing == "sse" else None
        async with contextlib.aclosing(with_pings(chunks, ping, ping_seconds)) as pieces:
            async for chunk in pieces:
                if chunk:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    try:
        await unless_gone(told(), receive)
    finally:
        await chunks.aclose()


async def with_pings(
    chunks: AsyncGenerator[bytes, None], ping: bytes | None, seconds: float
) -> AsyncGenerator[bytes, None]:
    """Chunks, and ``ping`` after every so many seconds without one."""
    coming: asyncio.Future[bytes] | None = None
    try:
        while True:
            coming = asyncio.ensure_future(anext(chunks))
            while ping is not None and not (await asyncio.wait({coming}, timeout=seconds))[0]:
                yield ping
            try:
                yield await coming
            except StopAsyncIteration:
                return
    finally:
        if coming is not None and not coming.done():
            coming.cancel()
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                await coming


async def unless_gone(work: Coroutine[object, object, T], receive: Receive) -> T:
    """What ``work`` gives, which is cancelled as soon as the client goes.

    Raises
    ------
    ClientGone
        It has gone.
    """
    working = asyncio.ensure_future(work)
    going = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({working, going}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        try:
            return working.result()
        except (OSError, ClientDisconnect) as error:  # while something was sent
            raise ClientGone from error
    finally:
        for task in (working, going):
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
