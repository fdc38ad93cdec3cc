"""A place of the server where a protocol is spoken."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pyhades.server.admission import Ticket
from pyhades.server.errors import api_error
from pyhades.server.http.bodies import json_bytes, nested_names, read_body, understood
from pyhades.server.http.limits import check_limits
from pyhades.server.http.streams import ClientGone, framed, patient, send_stream, unless_gone
from pyhades.server.protocol.face import Call, Endpoint, Event
from pyhades.server.record import Record
from pyhades.server.runs import Run
from pyhades.server.service import Service
from pyhades.server.turns import Prepared

LOG = logging.getLogger("pyhades.server")
CLIENT_GONE = 499
"""Of nginx: nobody sees it but the log."""


class Speaker:
    """An ASGI application that answers at one endpoint.

    Parameters
    ----------
    endpoint
        The protocol.
    service
        Who answers.
    answered
        Is told of answers that end after their request.
    """

    def __init__(
        self, endpoint: Endpoint[Any], service: Service, answered: Callable[[Record], None]
    ) -> None:
        self._endpoint = endpoint
        self._service = service
        self._answered = answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        record: Record = scope["state"]["record"]
        client: str = scope["state"]["client"]
        send = patient(send, self._service.settings.send_seconds)
        try:
            ticket = self._service.admission.enter(client)
            try:
                await self._answer(Request(scope, receive), send, client, ticket, record)
            finally:
                ticket.leave()
        except (ClientGone, ClientDisconnect):
            record.status = CLIENT_GONE
        except Exception as error:
            await self._refusal(error, record)(scope, receive, send)

    def _refusal(self, error: Exception, record: Record) -> Response:
        """The answer to a request that has none."""
        known = api_error(error)
        record.error = known.message
        if known.status == 500:  # nobody has thought of it
            LOG.exception("a request failed", exc_info=error)
        body = json_bytes(self._endpoint.error(known))
        return Response(body, known.status, known.headers, "application/json")

    async def _answer(
        self, request: Request, send: Send, client: str, ticket: Ticket, record: Record
    ) -> None:
        self._service.llm  # noqa: B018  # before a long body is read: is there one?
        raw = await read_body(request, self._service.settings)
        body, record.ignored = understood(raw, self._endpoint.body)
        if record.texts is not None:
            record.texts.append(raw.decode("utf-8", "replace") + " -> ")
        desk = self._service.desk(getattr(body, "model", None), client)
        record.model = desk.model
        call = self._endpoint.understand(body, desk)
        check_limits(call.turn, self._service.settings)
        prepared: Prepared[Any] = await asyncio.to_thread(
            call.turn.prepare, self._service.llm, client
        )
        ticket.queue(prepared.prompt_tokens)
        record.prompt_tokens = prepared.prompt_tokens
        if call.detached is not None:
            run = self._detached(call, client, prepared, ticket.handed_over(), record)
            if call.is_streamed:
                await self._stream(request, send, run.follow(), record)
            else:
                answer = _as_answer(call.face.whole(), record)
                await answer(request.scope, request.receive, send)
        elif call.is_streamed:
            chunks = self._chunks(call, prepared, ticket, record)
            await self._stream(request, send, chunks, record)
        else:
            await self._whole(request, send, call, prepared, ticket, record)

    def _detached(
        self, call: Call[Any], client: str, prepared: Prepared[Any], ticket: Ticket, asked: Record
    ) -> Run:
        """The answer, which goes on by itself and has a line of its own in the log."""
        service, name = self._service, call.detached
        assert name is not None
        framing = self._endpoint.framing
        run = Run(lambda event: framed([event], framing), is_told=call.is_streamed)
        record = Record(key=asked.key, model=asked.model, prompt_tokens=asked.prompt_tokens,
                        texts=None if asked.texts is None else [])  # fmt: skip
        asked.prompt_tokens = 0  # counted once, with the answer

        def at_end() -> None:
            ticket.leave()
            if run.is_told:
                service.stored.keep_events(client, name, run.chunks)
            self._answered(record)
            LOG.info("%s", record.line("BACKGROUND", self._endpoint.path))

        told = _told(call, prepared, ticket, record)
        service.runs.start(client, name, run, call, told, at_end)
        return run

    async def _stream(
        self, request: Request, send: Send, chunks: AsyncGenerator[bytes, None], record: Record
    ) -> None:
        headers = [(name.encode(), value.encode()) for name, value in _notes(record).items()]
        await send_stream(
            chunks, self._endpoint.framing, request.receive, send, headers,
            self._service.settings.ping_seconds,
        )  # fmt: skip

    async def _chunks(
        self, call: Call[Any], prepared: Prepared[Any], ticket: Ticket, record: Record
    ) -> AsyncGenerator[bytes, None]:
        """The bytes of an answer as it comes."""
        async with contextlib.aclosing(_told(call, prepared, ticket, record)) as told:
            async for events in told:
                yield framed(events, self._endpoint.framing)

    async def _whole(
        self, request: Request, send: Send, call: Call[Any], prepared: Prepared[Any],
        ticket: Ticket, record: Record,
    ) -> None:  # fmt: skip
        face = call.face

        async def collected() -> Any:
            face.begin(prepared.prompt_tokens)
            async with contextlib.aclosing(_noted(prepared, ticket, record)) as pieces:
                async for piece in pieces:
                    face.push(piece)
            return face.whole()

        whole = await unless_gone(collected(), request.receive)
        await _as_answer(whole, record)(request.scope, request.receive, send)


async def _told(
    call: Call[Any], prepared: Prepared[Any], ticket: Ticket, record: Record
) -> AsyncGenerator[Iterable[Event], None]:
    """What is told of an answer as it comes; an error is the last of its events."""
    face = call.face
    try:
        yield face.begin(prepared.prompt_tokens)
        async with contextlib.aclosing(_noted(prepared, ticket, record)) as pieces:
            async for piece in pieces:
                yield face.push(piece)
        yield face.finish()
    except Exception as error:
        known = api_error(error)
        record.error = known.message
        if known.status == 500:  # nobody has thought of it
            LOG.exception("an answer failed", exc_info=error)
        yield face.fail(known)


async def _noted(
    prepared: Prepared[Any], ticket: Ticket, record: Record
) -> AsyncGenerator[Any, None]:
    """The pieces of an answer, each of which is noted."""
    async with contextlib.aclosing(aiter(prepared)) as pieces:
        async for piece in pieces:
            if record.first is None:
                ticket.was_read()
            record.note(piece)
            yield piece


def _as_answer(whole: Any, record: Record) -> Response:
    return Response(json_bytes(whole), 200, _notes(record), "application/json")


def _notes(record: Record) -> dict[str, str]:
    """Headers that tell what was not read of a request."""
    return {"x-pyhades-ignored": nested_names(record.ignored)} if record.ignored else {}
