"""From the bytes of a request to what they say, and from what is answered to bytes."""

from __future__ import annotations

import asyncio
import re
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pyhades.server.errors import ApiError
from pyhades.server.settings import Settings

B = TypeVar("B", bound=msgspec.Struct)
_PATH = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)


async def read_body(request: Request, settings: Settings) -> bytes:
    """The bytes of a request.

    Raises
    ------
    ApiError
        413: there are too many. 408: they did not come.
    """
    most = settings.max_body_bytes
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(settings.body_seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    raise ApiError(
                        413, f"the request has more than {most} bytes", "request_too_large"
                    )
                chunks.append(chunk)
    except TimeoutError:
        raise ApiError(
            408, f"the request did not come within {settings.body_seconds:g} s", "timeout"
        ) from None
    return b"".join(chunks)


def understood(raw: bytes, kind: type[B]) -> tuple[B, list[str]]:
    """What the bytes say, and the names in them that nobody reads.

    Raises
    ------
    ApiError
        400: they are no JSON, or not what a request is.
    """
    try:
        fields = msgspec.json.decode(raw)
        body = msgspec.convert(fields, kind, strict=True)
    except msgspec.ValidationError as error:
        raise _misunderstood(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(400, f"the request is no JSON: {error}", "invalid_json") from None
    except RecursionError:
        raise ApiError(400, "the request is nested too deeply", "invalid_json") from None
    known = kind.__struct_encode_fields__
    return body, sorted(name for name in fields if name not in known)


def _misunderstood(text: str) -> ApiError:
    """Of a message of msgspec, with the argument that it is about."""
    found = _PATH.fullmatch(text)
    message, param = (found.group(1), found.group(2) or None) if found else (text, None)
    missing = re.search(r"missing required field `(\w+)`", message)
    if missing:
        param = f"{param}.{missing.group(1)}" if param else missing.group(1)
        return ApiError(400, f"{param} is missing", "missing_required_parameter", param)
    where = f"{param}: " if param else ""
    return ApiError(400, f"{where}{message[:1].lower()}{message[1:]}", "invalid_type", param)


def nested_names(ignored: list[str]) -> str:
    """For a header: names that were not read, without what a header cannot hold."""
    return ",".join(re.sub(r"[^\w.-]", "?", name, flags=re.ASCII)[:64] for name in ignored[:16])


def json_bytes(value: Any) -> bytes:
    """A value as JSON."""
    return msgspec.json.encode(value)


def as_json(value: Any, status: int = 200) -> Response:
    """A response of JSON."""
    return Response(json_bytes(value), status, media_type="application/json")
