"""Responses that are there already: asked for again, listed, cancelled and forgotten."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from pyhades.server.errors import ApiError
from pyhades.server.http.bodies import as_json
from pyhades.server.http.counting import counting
from pyhades.server.http.streams import ClientGone, patient, send_stream
from pyhades.server.protocol import responses
from pyhades.server.service import Service
from pyhades.server.sessions import StoredResponse

_MOST_ITEMS = 100
_ITEMS = 20


def stored_places(service: Service) -> list[BaseRoute]:
    """Routes below ``/v1/responses``."""
    path = responses.ENDPOINT.path

    async def retrieve(request: Request) -> Response:
        client, identity = _asked(request)
        stored = service.stored.find(client, identity)
        if request.query_params.get("stream") != "true":
            return as_json(stored.response)
        return _Followed(service, _events(service, client, stored, _first(request)))

    async def delete(request: Request) -> Response:
        client, identity = _asked(request)
        service.stored.find(client, identity)
        await service.runs.cancel(client, identity)
        service.stored.pop(client, identity)
        return as_json({"id": identity, "object": "response", "deleted": True})

    async def cancel(request: Request) -> Response:
        client, identity = _asked(request)
        if not service.stored.find(client, identity).response["background"]:
            raise ApiError(
                400, "only responses with background=true can be cancelled; others end with the "
                "connection of their client", "invalid_value",
            )  # fmt: skip
        await service.runs.cancel(client, identity)
        return as_json(service.stored.find(client, identity).response)

    async def input_items(request: Request) -> Response:
        client, identity = _asked(request)
        return as_json(_page(service.stored.find(client, identity).asked, request.query_params))

    def told(tokens: int) -> dict[str, Any]:
        return {"object": "response.input_tokens", "input_tokens": tokens}

    return [
        counting(f"{path}/input_tokens", responses.ENDPOINT, service, told),
        Route(f"{path}/{{id}}", retrieve, methods=["GET"]),
        Route(f"{path}/{{id}}", delete, methods=["DELETE"]),
        Route(f"{path}/{{id}}/cancel", cancel, methods=["POST"]),
        Route(f"{path}/{{id}}/input_items", input_items, methods=["GET"]),
    ]


class _Followed(Response):
    """The events of a response, as they come."""

    def __init__(self, service: Service, chunks: AsyncGenerator[bytes, None]) -> None:
        super().__init__()
        self._service = service
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        settings = self._service.settings
        send = patient(send, settings.send_seconds)
        with contextlib.suppress(ClientGone):  # the response goes on without it
            await send_stream(
                self._chunks, "sse", receive, send, ping_seconds=settings.ping_seconds
            )


def _events(
    service: Service, client: str, stored: StoredResponse, first: int
) -> AsyncGenerator[bytes, None]:
    """What a response has told, and what it will tell."""
    run = service.runs.find(client, stored.response["id"])
    if run is not None and run.is_told:
        return run.follow(first)
    if stored.events is None:
        raise ApiError(
            400, "stream: this response was made without background and stream; leave stream out",
            "invalid_value", "stream",
        )  # fmt: skip
    return _replayed(stored.events[first:])


async def _replayed(events: Sequence[bytes]) -> AsyncGenerator[bytes, None]:
    for event in events:
        yield event


def _page(items: Sequence[Mapping[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """Some of the items, the last ones first unless it is asked otherwise."""
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise ApiError(400, f"order={order!r} is not asc or desc", "invalid_value", "order")
    limit = _number(query, "limit", 1, _MOST_ITEMS, _ITEMS)
    listed = list(items if order == "asc" else reversed(items))
    after = query.get("after")
    if after is not None:
        ids = [item["id"] for item in listed]
        if after not in ids:
            raise ApiError(400, f"after: there is no item {after!r}", "invalid_value", "after")
        listed = listed[ids.index(after) + 1 :]
    shown = listed[:limit]
    return {
        "object": "list", "data": shown, "has_more": len(listed) > limit,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }  # fmt: skip


def _first(request: Request) -> int:
    """The number of the first event that is asked for."""
    return _number(request.query_params, "starting_after", -1, 1 << 53, -1) + 1


def _number(query: Mapping[str, str], name: str, least: int, most: int, default: int) -> int:
    given = query.get(name)
    if given is None:
        return default
    if not given.isdecimal() or not least <= int(given[:20]) <= most:
        raise ApiError(400, f"{name}={given[:20]!r} is no number from {least} to {most}",
                       "invalid_value", name)  # fmt: skip
    return int(given)


def _asked(request: Request) -> tuple[str, str]:
    """Who asks, and for which response."""
    return request.scope["state"]["client"], request.path_params["id"]
