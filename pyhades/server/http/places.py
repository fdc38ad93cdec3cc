"""The places of the server that are no protocol of answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pyhades.errors import ArgumentError
from pyhades.server.http.bodies import as_json, read_body, understood
from pyhades.server.metrics import Metrics
from pyhades.server.protocol.chat import ChatBody
from pyhades.server.protocol.chat import understand as understand_chat
from pyhades.server.service import Service

Place = Callable[[Request], Awaitable[Response]]


class TokenizeBody(msgspec.Struct):
    """A text, or the messages of a chat with what else goes into its prompt."""

    model: str | None = None
    prompt: str | None = None
    content: str | None = None
    messages: list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = None
    reasoning_effort: str | None = None


class DetokenizeBody(msgspec.Struct):
    """Token ids."""

    tokens: list[int]
    model: str | None = None


def places(service: Service, metrics: Metrics) -> list[BaseRoute]:
    """Routes of what there is besides answers."""

    async def health(request: Request) -> Response:
        status = 200 if service.state == "ready" else 503
        return as_json({"status": service.state}, status)

    async def models(request: Request) -> Response:
        names = [service.check_model(None), *service.names[1:]]
        return as_json({"object": "list", "data": [_card(service, name) for name in names]})

    async def model(request: Request) -> Response:
        return as_json(_card(service, service.check_model(request.path_params["name"])))

    async def scrape(request: Request) -> Response:
        return Response(metrics.text(), media_type=metrics.content_type)

    async def tokenize(request: Request) -> Response:
        raw = await read_body(request, service.settings)
        body, _ = understood(raw, TokenizeBody)
        service.check_model(body.model)
        tokens = _tokens(service, body, request.scope["state"]["client"])
        most = service.llm.context_length
        return as_json({"tokens": tokens, "count": len(tokens), "max_model_len": most})

    async def detokenize(request: Request) -> Response:
        raw = await read_body(request, service.settings)
        body, _ = understood(raw, DetokenizeBody)
        service.check_model(body.model)
        text = service.llm.detokenize(body.tokens)
        return as_json({"prompt": text, "content": text})

    return [
        Route("/health", health, methods=["GET"]),
        Route("/v1/models", models, methods=["GET"]),
        Route("/v1/models/{name:path}", model, methods=["GET"]),
        Route("/metrics", scrape, methods=["GET"]),
        Route("/tokenize", tokenize, methods=["POST"]),
        Route("/detokenize", detokenize, methods=["POST"]),
    ]


def _card(service: Service, name: str) -> dict[str, Any]:
    llm = service.llm
    return {
        "id": name, "object": "model", "created": service.began, "owned_by": "pyhades",
        "max_model_len": llm.context_length,
    }  # fmt: skip


def _tokens(service: Service, body: TokenizeBody, client: str) -> list[int]:
    text = body.prompt if body.content is None else body.content
    if body.messages is not None:
        chat = ChatBody(
            messages=body.messages, tools=body.tools, reasoning_effort=body.reasoning_effort
        )
        call = understand_chat(chat, service.desk(body.model, client))
        return list(call.turn.prepare(service.llm, client).prompt_token_ids)  # type: ignore[arg-type, union-attr]
    if text is None:
        raise ArgumentError("prompt is missing; give it, or messages")
    return service.llm.tokenize(text)
