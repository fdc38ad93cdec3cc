"""JSON schemas as constraints: how JSON is written, and what is not followed at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.llm.grammar.constraint import MOST_CHARACTERS, Constraint
from pyhades.llm.grammar.schema_tags import require_tags

DEEPEST = 100
"""Objects and lists of a schema inside of each other."""
_DIALECTS = "json-schema.org"
WHITESPACE = r"( |\n {0,32})"
"""Between the parts of JSON: what models write, and no room to write nothing else."""


def json_schema(
    schema: Mapping[str, Any] | bool,
    *,
    compact: bool = False,
    lenient: bool = False,
    where: str = "schema",
) -> Constraint:
    """JSON that follows a schema.

    Properties come in the order of the schema, and the required ones always. A space, or a line
    end with up to 32 spaces, may stand where JSON allows white space.

    Parameters
    ----------
    schema
        A JSON schema, draft 2020-12. What cannot be followed, such as ``not`` or ``uniqueItems``,
        is an ArgumentError when the constraint is used, unless ``lenient``.
    compact
        No white space.
    lenient
        Pass over keywords that cannot be followed.
    where
        What to call it in messages.

    Raises
    ------
    ArgumentTypeError
        It is no JSON schema.
    ArgumentError
        It is too large, or too deep.

    Examples
    --------
    >>> json_schema({"type": "array", "items": {"type": "integer"}}).kind
    'json_schema'
    """
    if not isinstance(schema, (Mapping, bool)):
        raise ArgumentTypeError(f"{where} is {type(schema).__name__}; a JSON schema is a dict")
    if schema is False:
        raise ArgumentError(f"{where} is false, which nothing follows")
    if isinstance(schema, Mapping):
        _check_size(schema, where)
    space = {"whitespace_flexible": False} if compact else {"whitespace_pattern": WHITESPACE}
    document = _copied(schema if isinstance(schema, Mapping) else {}, where)
    document["x-guidance"] = {**space, "lenient": lenient}
    if _DIALECTS not in str(document.get("$schema", "")):
        document.pop("$schema", None)  # a name that nobody here could look up
    require_tags(document)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return Constraint("json_schema", text, where, lenient)


def _copied(schema: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The schema as it is after it was sent somewhere as JSON."""
    try:
        text = json.dumps(dict(schema), ensure_ascii=False, allow_nan=False)
        text.encode()
    except TypeError as error:
        raise ArgumentTypeError(f"{where} is not JSON: {error}") from None
    except ValueError as error:
        raise ArgumentError(f"{where} is not JSON: {error}") from None
    document: dict[str, Any] = json.loads(text)
    return document


def _check_size(schema: Mapping[str, Any], where: str) -> None:
    """Level by level, as a schema that contains itself has no end."""
    level: list[Any] = [schema]
    count = 0
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for value in level:
            inner += value.values() if isinstance(value, Mapping) else value
        count += len(inner)
        if count > MOST_CHARACTERS:
            raise ArgumentError(f"{where} has more than {MOST_CHARACTERS} values")
        level = [value for value in inner if isinstance(value, (Mapping, list, tuple))]
        if not level:
            return
    raise ArgumentError(f"{where} is more than {DEEPEST} levels deep")
