"""Where in a JSON schema the library's complaint belongs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pyhades.llm.grammar.library import complaint
from pyhades.llm.grammar.schema_walk import DEFINITIONS, Path, at, steps, subschemas

_ONE_OF = (
    "oneOf is only followed where its variants exclude each other, by their types or by a required "
    "constant of each; write anyOf, or require the constant"
)
_MISSING = re.compile(r"Pointer '([^']*)' does not exist")


def refused(schema: Mapping[str, Any]) -> tuple[Path, str] | None:
    """Where the library refuses a schema, and why; None where it does not.

    Parameters
    ----------
    schema
        With the options of the library in ``x-guidance``.
    """
    message = complaint({"json_schema": schema})
    if not message:
        return None
    path, message = _innermost(schema, message)
    return path, _ONE_OF if message.startswith("oneOf") else message


def _innermost(schema: Mapping[str, Any], message: str) -> tuple[Path, str]:
    """The smallest schema inside that is refused when it stands alone."""
    shared = {key: schema[key] for key in (*DEFINITIONS, "x-guidance") if key in schema}
    path: Path = ()
    inner: Any = schema
    seen: set[str] = set()
    while True:
        found = _refused(inner, shared, schema)
        if found is None:
            return path, message
        step, deeper, message = found
        path, inner = path + step, deeper
        reference = deeper.get("$ref") if isinstance(deeper, Mapping) else None
        if isinstance(reference, str) and reference not in seen:
            seen.add(reference)
            target = at(schema, reference)
            if isinstance(target, Mapping):
                path, inner = steps(reference), target


def _refused(
    schema: Any, shared: Mapping[str, Any], root: Mapping[str, Any]
) -> tuple[Path, Any, str] | None:
    for step, inner in subschemas(schema):
        if step[0] in DEFINITIONS or inner is False:
            continue
        alone = {**shared, **inner} if isinstance(inner, Mapping) else inner
        found = complaint({"json_schema": alone})
        if found and not _is_of_standing_alone(found, root):
            return step, inner, found
    return None


def _is_of_standing_alone(message: str, root: Mapping[str, Any]) -> bool:
    """Whether the complaint is only that a reference into the rest leads nowhere."""
    missing = _MISSING.match(message)
    return missing is not None and at(root, f"#{missing.group(1)}") is not True
