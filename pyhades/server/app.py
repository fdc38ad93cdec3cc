"""The application: every protocol at its place, with what all requests pass before."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pyhades.errors import PyhadesError
from pyhades.server.errors import ApiError, api_error
from pyhades.server.http.bodies import json_bytes
from pyhades.server.http.counting import counting
from pyhades.server.http.middleware import Guarded, Recorded
from pyhades.server.http.ollama import ollama_places
from pyhades.server.http.places import places
from pyhades.server.http.speaking import CLIENT_GONE, Speaker
from pyhades.server.http.stored import stored_places
from pyhades.server.metrics import Metrics
from pyhades.server.openapi import document
from pyhades.server.page import routes as page_routes
from pyhades.server.protocol import anthropic, chat, completions, ollama, responses
from pyhades.server.protocol.face import Endpoint
from pyhades.server.protocol.shapes import error_at
from pyhades.server.service import Service

LOG = logging.getLogger("pyhades.server")
ENDPOINTS: tuple[Endpoint[Any], ...] = (
    chat.ENDPOINT, completions.ENDPOINT, responses.ENDPOINT, anthropic.ENDPOINT,
    ollama.CHAT, ollama.GENERATE,
)  # fmt: skip
Lifespan = Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]]


def build(service: Service, lifespan: Lifespan | None = None) -> Starlette:
    """The application of a service.

    Parameters
    ----------
    service
        Who answers.
    lifespan
        What happens around it, such as loading the model.
    """
    settings = service.settings
    metrics = Metrics(service)
    routes: list[BaseRoute] = [
        Route(endpoint.path, Speaker(endpoint, service, metrics.answered), methods=["POST"])
        for endpoint in ENDPOINTS
    ]
    routes += [*places(service, metrics), *stored_places(service), *ollama_places(service)]
    routes.append(
        counting("/v1/messages/count_tokens", anthropic.ENDPOINT, service, anthropic.counted)
    )
    routes.append(_described(document(needs_key=bool(settings.api_keys))))
    metrics.paths = frozenset(route.path for route in routes if isinstance(route, Route))
    if settings.page:
        routes += page_routes()
    middleware = [
        Middleware(Recorded, log_text=settings.log_text, observe=metrics.observe),
        Middleware(Guarded, settings=settings, is_open=_is_open),
    ]
    if settings.allow_origins:
        middleware.insert(1, _cross_origin(settings.allow_origins))
    return Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers={
            HTTPException: _http_error, ClientDisconnect: _gone, ApiError: _error,
            PyhadesError: _error, Exception: _error,
        },
        lifespan=lifespan or _nothing,
    )  # fmt: skip


def _described(contents: dict[str, Any]) -> Route:
    """The place of the OpenAPI document."""
    raw = json_bytes(contents)

    async def described(request: Request) -> Response:
        return Response(raw, media_type="application/json")

    return Route("/openapi.json", described, methods=["GET"])


def _is_open(path: str) -> bool:
    """Whether a path is answered without a key; the page asks for one itself."""
    return path in ("/", "/health") or path.startswith("/page/")


def _cross_origin(origins: Any) -> Middleware:
    return Middleware(
        CORSMiddleware, allow_origins=list(origins), allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"], expose_headers=["retry-after", "x-pyhades-ignored"],
    )  # fmt: skip


async def _error(request: Request, error: Exception) -> Response:
    known = api_error(error)
    record = request.scope.get("state", {}).get("record")
    if record is not None:
        record.error = known.message
    return _refusal(request, known, known.headers)


async def _gone(request: Request, error: Exception) -> Response:
    """The client went away while it sent its request."""
    return Response(status_code=CLIENT_GONE)


async def _http_error(request: Request, error: Exception) -> Response:
    """Of paths and methods that there are not."""
    assert isinstance(error, HTTPException)
    path, method = request.url.path, request.method
    messages = {
        404: f"there is nothing at {path!r}; see /v1/models and the documentation",
        405: f"{path!r} does not take {method}",
    }
    message = messages.get(error.status_code, str(error.detail))
    known = ApiError(
        error.status_code, message, "unknown_url" if error.status_code == 404 else None
    )
    headers = {**known.headers, **(error.headers or {})}
    return _refusal(request, known, headers)


def _refusal(request: Request, known: ApiError, headers: Mapping[str, str]) -> Response:
    body = json_bytes(error_at(request.url.path, known))
    return Response(body, known.status, headers, "application/json")


@contextlib.asynccontextmanager
async def _nothing(app: Starlette) -> AsyncGenerator[None, None]:
    yield
