"""Errors of requests that came to no protocol: each place has the shape that its clients read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyhades.server.errors import ApiError
from pyhades.server.protocol import anthropic_face, ollama_face


def error_at(path: str, error: ApiError) -> Mapping[str, Any]:
    """An error as clients of a place expect it.

    Examples
    --------
    >>> error_at("/api/tags", ApiError(401, "an API key is needed"))
    {'error': 'an API key is needed'}
    """
    if path.startswith("/api/"):
        return ollama_face.error_body(error)
    if path.startswith("/v1/messages"):
        return anthropic_face.error_body(error)
    return error.body()
