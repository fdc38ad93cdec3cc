"""Serves the files of the page: those that are listed here, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256
from importlib import resources
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

STATIC = resources.files("pyhades.server.page") / "static"
INDEX = "index.html"
BESIDE_IT = (
    "style.css",
    "icon.svg",
    "main.js",
    "conversation.js",
    "turn.js",
    "view.js",
    "dialogs.js",
    "markdown.js",
    "settings.js",
    "chat.js",
    "meter.js",
    "api.js",
    "sse.js",
    "vendor/marked.esm.js",
    "vendor/marked.LICENSE",
    "vendor/purify.es.mjs",
    "vendor/dompurify.LICENSE",
)
"""What the page loads or links to. The page names them relative to itself, for proxies."""

MEDIA_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".LICENSE": "text/plain",
}
"""Said here, because what a machine thinks of these endings differs."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # No string becomes markup except through the sanitiser.
        "require-trusted-types-for 'script'",
        "trusted-types dompurify",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    # Kept by browsers, but asked for each time: a new version is never mixed with an old one.
    "cache-control": "no-cache",
}


def routes() -> list[BaseRoute]:
    """The page at ``/``, and beside it, in ``/page/``, what it loads.

    They need no key: the page asks for one when the server wants it.
    """
    return [
        Route("/", _file(INDEX)),
        *(Route(f"/page/{name}", _file(name)) for name in BESIDE_IT),
    ]


def _file(name: str) -> Callable[[Request], Awaitable[Response]]:
    """Answer with a file of the package, which is read once, or with 304."""
    content = (STATIC / name).read_bytes()
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {**HEADERS, "etag": etag}
    media_type = MEDIA_TYPES[PurePosixPath(name).suffix]

    async def answer(request: Request) -> Response:
        known = request.headers.get("if-none-match", "").split(",")
        if etag in (tag.strip().removeprefix("W/") for tag in known):
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return answer
