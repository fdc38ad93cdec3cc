"""What every request passes: its record, and the question whose it is.

Pure ASGI: wrappers that hold responses back would hide from the model that a client has gone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pyhades.server.errors import ApiError
from pyhades.server.http.bodies import json_bytes
from pyhades.server.protocol.shapes import error_at
from pyhades.server.record import Record
from pyhades.server.settings import Settings, find_key

LOG = logging.getLogger("pyhades.server")
_QUIET = ("/health", "/metrics", "/page/")
"""How paths begin that are asked for all the time, by machines and browsers."""


class Recorded:
    """Notes what every request was, for the log and the metrics."""

    def __init__(self, app: ASGIApp, *, log_text: bool, observe: Callable[[str, Record], None]):
        self._app = app
        self._log_text = log_text
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = Record(texts=[] if self._log_text else None)
        scope.setdefault("state", {}).update(record=record, client="")

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except BaseException:
            record.status = record.status or 500
            raise
        finally:
            path = scope["path"]
            self._observe(path, record)
            level = logging.DEBUG if path.startswith(_QUIET) else logging.INFO
            LOG.log(level, "%s", record.line(scope["method"], _printable(path)))


class Guarded:
    """Lets in who brings a key, and no web page of somebody else's.

    Browsers send requests of any page to a server on the same machine: such a request names its
    origin.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings, is_open: Callable[[str], bool]):
        self._app = app
        self._settings = settings
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
        except ApiError as error:
            body = json_bytes(error_at(scope["path"], error))
            response = Response(body, error.status, error.headers, "application/json")
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers, settings = Headers(scope=scope), self._settings
        origin = headers.get("origin")
        if origin is not None and not self._is_ours(origin, headers.get("host", "")):
            raise ApiError(
                403, f"requests of pages of {origin} are not allowed; see --allow-origin",
                "origin_not_allowed",
            )  # fmt: skip
        if not settings.api_keys or self._is_open(scope["path"]):
            return
        given = _given_key(headers)
        if given is None:
            raise ApiError(401, "an API key is needed: Authorization: Bearer KEY", "no_api_key")
        key = find_key(given, settings.api_keys)
        if key is None:
            raise ApiError(401, "this API key is not known here", "invalid_api_key")
        scope["state"]["client"] = key.client
        scope["state"]["record"].key = key.name

    def _is_ours(self, origin: str, host: str) -> bool:
        allowed = self._settings.allow_origins
        return "*" in allowed or origin in allowed or urlsplit(origin).netloc == host


def _given_key(headers: Headers) -> str | None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return headers.get("x-api-key")


def _printable(path: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in path[:200])
