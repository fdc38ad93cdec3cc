"""Ways through a JSON schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

DEFINITIONS = ("$defs", "definitions")
"""Keywords of schemas that only references lead to."""
_OF_NAMES = ("properties", "patternProperties", "dependentSchemas", *DEFINITIONS)
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not", "if", "then", "else", "contains",
           "propertyNames", "unevaluatedItems", "unevaluatedProperties")  # fmt: skip

Path = tuple[str, ...]


def pointer(path: Path) -> str:
    """A JSON pointer.

    Examples
    --------
    >>> pointer(("properties", "a/b"))
    '/properties/a~1b'
    """
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path)


def subschemas(schema: Any) -> Iterator[tuple[Path, Any]]:
    """The schemas right inside of one, with the way to them."""
    if not isinstance(schema, Mapping):
        return
    for key in _OF_NAMES:
        if isinstance(schema.get(key), Mapping):
            yield from (((key, name), inner) for name, inner in schema[key].items())
    for key in _LISTS:
        if isinstance(schema.get(key), list):
            yield from (((key, str(at)), inner) for at, inner in enumerate(schema[key]))
    for key in _SINGLE:
        if isinstance(schema.get(key), Mapping):
            yield (key,), schema[key]


def all_schemas(schema: Any) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """A schema and all inside of it, with the way to them."""
    waiting: list[tuple[Path, Any]] = [((), schema)]
    while waiting:
        path, inner = waiting.pop()
        if isinstance(inner, Mapping):
            yield path, inner
            waiting += ((path + step, deeper) for step, deeper in subschemas(inner))


def at(root: Any, reference: str) -> Any:
    """What a reference into the same schema leads to; True where it leads elsewhere."""
    found = root
    for key in steps(reference):
        if isinstance(found, list) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        elif isinstance(found, Mapping) and key in found:
            found = found[key]
        else:
            return True
    return found if reference.startswith("#") else True


def steps(reference: str) -> Path:
    """The way that a reference describes."""
    keys = reference.removeprefix("#").split("/")[1:]
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in keys)
