"""The form that an answer is asked to have, in the spellings that clients use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.llm.text.tools import as_mapping

_KEYS = {
    "text": {"type"},
    "json_object": {"type", "schema", "json_schema"},
    "json_schema": {"type", "schema", "json_schema", "name", "description", "strict"},
}
_INNER_KEYS = {"schema", "name", "description", "strict"}


@dataclass(frozen=True)
class ResponseFormat:
    """A JSON schema for the answer.

    Attributes
    ----------
    schema
        Any JSON object where it says nothing.
    name, description
        What the model is told of it.
    is_strict
        Whether answers are kept to it, and it is not only told.
    """

    schema: Mapping[str, Any]
    name: str = "answer"
    description: str = ""
    is_strict: bool = True


def response_format_of(given: Any) -> ResponseFormat | None:
    """What ``response_format`` asks for; None for text of any form.

    Parameters
    ----------
    given
        ``{"type": "json_schema", "json_schema": {"name", "schema"}}`` or the same without the
        inner dict; ``{"type": "json_object"}``, with a ``schema`` where there is one;
        ``{"type": "text"}``; None; or a class of pydantic.

    Raises
    ------
    ArgumentTypeError
        It is no dict.
    ArgumentError
        It is of an unknown type, has keys that are not read, or lacks its schema.
    """
    if given is None:
        return None
    described_by = getattr(given, "model_json_schema", None)
    if isinstance(given, type) and callable(described_by):
        return ResponseFormat(described_by(), given.__name__)
    given = as_mapping(given)
    if not isinstance(given, Mapping):
        raise ArgumentTypeError(
            f"response_format is {type(given).__name__}; it is a dict with a type"
        )
    kind = given.get("type")
    if not isinstance(kind, str) or kind not in _KEYS:
        raise ArgumentError(
            f"response_format of type {kind!r}: known are text, json_object, and json_schema with "
            "a schema, {'type': 'json_schema', 'json_schema': {'name': ..., 'schema': {...}}}"
        )
    _check_keys(given, _KEYS[kind], f"response_format of type {kind!r}")
    if kind == "text":
        return None
    inner = given.get("json_schema")
    described = given if inner is None else inner
    if not isinstance(described, Mapping):
        raise ArgumentError(f"response_format: json_schema is {described!r}, not a dict")
    if inner is not None:
        _check_keys(described, _INNER_KEYS, "json_schema of response_format")
    schema = as_mapping(described.get("schema"))
    if schema is None and kind == "json_object":
        schema = {"type": "object"}
    if not isinstance(schema, Mapping):
        raise ArgumentError(
            f"response_format {dict(given)!r} lacks its schema: json_schema with a schema is "
            "{'type': 'json_schema', 'json_schema': {'name': ..., 'schema': {...}}}"
        )
    name = described.get("name") or ("json_object" if kind == "json_object" else "answer")
    is_strict = described.get("strict") is not False
    return ResponseFormat(schema, str(name), str(described.get("description") or ""), is_strict)


def _check_keys(given: Mapping[str, Any], known: set[str], what: str) -> None:
    """What would not be read is refused: nobody should believe that it was obeyed."""
    unknown = [key for key, value in given.items() if key not in known and value is not None]
    if unknown:
        raise ArgumentError(
            f"{what} has {', '.join(map(repr, unknown))}, which is not read; "
            f"known are {', '.join(sorted(known))}"
        )
