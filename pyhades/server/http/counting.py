"""How long the prompt of a request would be, without an answer to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pyhades.server.http.bodies import as_json, read_body, understood
from pyhades.server.http.limits import check_limits
from pyhades.server.protocol.face import Endpoint
from pyhades.server.service import Service
from pyhades.server.turns import Prepared, Turn


def counting(
    path: str, endpoint: Endpoint[Any], service: Service, told: Callable[[int], Any]
) -> Route:
    """A route that counts the tokens of what an endpoint would answer.

    Parameters
    ----------
    path
        Of the URL.
    endpoint
        Whose requests they are.
    service
        Who counts.
    told
        The answer for a count.
    """

    async def count(request: Request) -> Response:
        client: str = request.scope["state"]["client"]
        ticket = service.admission.enter(client)
        try:
            tokens = await _tokens(request, endpoint, service, client)
        finally:
            ticket.leave()
        return as_json(told(tokens))

    return Route(path, count, methods=["POST"])


async def _tokens(request: Request, endpoint: Endpoint[Any], service: Service, client: str) -> int:
    body, _ = understood(await read_body(request, service.settings), endpoint.body)
    call = endpoint.understand(body, service.desk(body.model, client))
    check_limits(call.turn, service.settings)
    # Without room for an answer: it is the prompt that is counted.
    turn: Turn = replace(call.turn, sampling={**call.turn.sampling, "max_tokens": 1})
    prepared: Prepared[Any] = await asyncio.to_thread(turn.prepare, service.llm, client)
    return prepared.prompt_tokens
