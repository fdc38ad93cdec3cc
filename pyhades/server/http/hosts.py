"""By which names a server is asked for that only this machine reaches."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from pyhades.server.errors import ApiError
from pyhades.server.http.bodies import json_bytes
from pyhades.server.protocol.shapes import error_at


class LocalOnly:
    """Answers those only who call this machine by a name of its own.

    A web page may let its own name lead to this machine; what it asks then is not from here.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = Headers(scope=scope).get("host", "")
            if not is_loopback(_name(host)):
                body = json_bytes(error_at(scope["path"], _refused(host)))
                response = Response(body, 400, media_type="application/json")
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _name(host: str) -> str:
    """Of a header, without port and brackets; empty where it means nothing."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _refused(host: str) -> ApiError:
    return ApiError(
        400,
        f"the header Host names {host[:200]!r}, but this server listens to its own machine only, "
        "as localhost; start it with --host 0.0.0.0 to be asked from elsewhere, or let a proxy "
        "send Host: localhost",
        "unknown_host",
    )
