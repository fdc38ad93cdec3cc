"""What goes wrong, as clients are told of it: in the shape and with the codes of OpenAI's API."""

from __future__ import annotations

import re
from typing import Any

from pyhades.errors import (
    CancelledError,
    CapacityError,
    ClosedError,
    ConfigurationError,
    PyhadesError,
)

_TYPES = {
    401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    429: "rate_limit_error", 500: "server_error", 503: "service_unavailable_error",
}  # fmt: skip
_ARGUMENT = re.compile(r"^(\w+(?:\[\d+\])?)(?=[=:]| has | is | names )")


class ApiError(Exception):
    """An answer that is none.

    Parameters
    ----------
    status
        Of HTTP.
    message
        What is wrong, and what to do.
    code
        For programs, such as ``"context_length_exceeded"``.
    param
        The argument that is at fault.
    retry_after
        Seconds after which it may work.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.retry_after = retry_after

    @property
    def kind(self) -> str:
        """What OpenAI calls its type."""
        return _TYPES.get(self.status, "invalid_request_error")

    @property
    def headers(self) -> dict[str, str]:
        """Of the response."""
        headers = {}
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        if self.status == 401:
            headers["www-authenticate"] = "Bearer"
        return headers

    def body(self) -> dict[str, Any]:
        """In the shape of OpenAI's API."""
        error = {
            "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
        }  # fmt: skip
        return {"error": error}


def api_error(error: BaseException) -> ApiError:
    """What a client is told of an exception.

    Parameters
    ----------
    error
        One of ours, or one that nobody has thought of, of which the client hears no details.
    """
    if isinstance(error, ApiError):
        return error
    text = str(error)
    if isinstance(error, CapacityError):
        return ApiError(400, text, "context_length_exceeded", "messages")
    if isinstance(error, ClosedError | CancelledError):
        return ApiError(503, "the server is stopping; ask again later", "stopping", retry_after=10)
    if isinstance(error, ConfigurationError):
        return ApiError(501, text, "not_available")
    if isinstance(error, PyhadesError):
        found = _ARGUMENT.match(text)
        return ApiError(400, text, "invalid_value", found.group(1) if found else None)
    if isinstance(error, RecursionError):
        return ApiError(400, "the request is nested too deeply", "invalid_value")
    return ApiError(500, "the server failed at this request; its log tells more", "internal_error")
