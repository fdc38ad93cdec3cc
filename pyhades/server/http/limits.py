"""How much one request may ask for."""

from __future__ import annotations

from typing import Any

from pyhades.server.errors import ApiError
from pyhades.server.http.bodies import json_bytes
from pyhades.server.settings import Settings
from pyhades.server.turns import ChatTurn, Turn, choices_of, schemas_of, stops_of


def check_limits(turn: Turn, settings: Settings) -> None:
    """Nothing, or why it is too much.

    Raises
    ------
    ApiError
        400, with the argument that asks for too much.
    """
    _check("n", choices_of(turn), settings.max_choices, "answers to a request")
    _check("stop", len(stops_of(turn)), settings.max_stops, "stop strings")
    if isinstance(turn, ChatTurn):
        _check("tools", len(turn.options.get("tools") or ()), settings.max_tools, "tools")
    for schema in schemas_of(turn):
        size = len(json_bytes(schema))
        _check("schema", size, settings.max_schema_bytes, "bytes of a JSON schema")


def _check(param: str, count: Any, most: int, what: str) -> None:
    if count > most:
        raise ApiError(400, f"{param}: {count} {what} are more than {most}", "invalid_value", param)
