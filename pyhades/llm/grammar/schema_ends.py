"""What the library would follow although no document comes of it, or a wrong one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyhades.llm.grammar.schema_walk import Path, all_schemas, at

_MOST_REMAINDERS = 100_000
"""Of ``multipleOf``: a grammar has a state for each."""
_MOST_LOOKS = 100_000
"""At schemas, before one is taken for one that documents of some size follow."""


def passed_over(schema: Mapping[str, Any]) -> tuple[Path, str] | None:
    """Where the documents of a grammar would not follow its schema, and why."""
    divisors = 0.0
    for path, inner in all_schemas(schema):
        if _may_repeat_names(inner):
            return (*path, "minProperties"), (
                "minProperties counts names beside the required ones, and nothing keeps two of "
                "them from being the same; list them in required"
            )
        for bound in ("exclusiveMinimum", "exclusiveMaximum"):
            if isinstance(inner.get(bound), bool):
                return (*path, bound), "it is a number since draft 6, and not true or false"
        divisors += _divisor(inner)
        if divisors > _MOST_REMAINDERS:
            return (*path, "multipleOf"), f"it has more than {_MOST_REMAINDERS} remainders"
    if not _Ends(schema).has_end(schema):
        return (), "every document would contain another one that follows it, without end"
    return None


def _divisor(schema: Mapping[str, Any]) -> float:
    divisor = schema.get("multipleOf", 0)
    return float(divisor) if isinstance(divisor, (int, float)) else 0.0


def _may_repeat_names(schema: Mapping[str, Any]) -> bool:
    least, required = schema.get("minProperties"), schema.get("required", [])
    if not isinstance(least, int) or not isinstance(required, list):
        return False
    is_open = schema.get("additionalProperties", True) is not False
    return least - len(set(map(str, required))) > 1 and (is_open or "patternProperties" in schema)


class _Ends:
    """Which schemas finite documents follow: those that need no other, then those that need them.

    Attributes
    ----------
    known
        References to schemas of which that is known.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        references = {
            inner["$ref"]: at(root, inner["$ref"])
            for _, inner in all_schemas(root)
            if isinstance(inner.get("$ref"), str)
        }
        self.known: set[str] = set()
        self._looks = 0
        while found := {key for key in references if self.has_end(references[key])}:
            self.known |= found
            references = {key: references[key] for key in references.keys() - found}

    def has_end(self, schema: Any) -> bool:
        self._looks += 1
        if not isinstance(schema, Mapping) or self._looks > _MOST_LOOKS:
            return schema is not False
        if isinstance(schema.get("$ref"), str) and schema["$ref"] not in self.known:
            return False
        if not all(map(self.has_end, _list(schema.get("allOf")))):
            return False
        for key in ("anyOf", "oneOf"):
            variants = _list(schema.get(key))
            if variants and not any(map(self.has_end, variants)):
                return False
        return _may_be_other(schema, "object", "array") or self._has_ending_parts(schema)

    def _has_ending_parts(self, schema: Mapping[str, Any]) -> bool:
        """Of the objects and lists that a schema asks for; it needs one of the two."""
        objects = _may_be(schema, "object") and all(map(self.has_end, _required(schema)))
        return objects or (_may_be(schema, "array") and all(map(self.has_end, _least(schema))))


def _required(schema: Mapping[str, Any]) -> list[Any]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return []
    required = [key for key in _list(schema.get("required")) if isinstance(key, str)]
    return [properties[key] for key in required if key in properties]


def _least(schema: Mapping[str, Any]) -> list[Any]:
    """The items that a list has at least."""
    least = schema.get("minItems", 0)
    first = _list(schema.get("prefixItems"))
    if not isinstance(least, int) or least <= len(first):
        return first[: least if isinstance(least, int) else 0]
    return [*first, schema.get("items", True)]


def _may_be(schema: Mapping[str, Any], kind: str) -> bool:
    return kind in _kinds(schema) or not _kinds(schema)


def _may_be_other(schema: Mapping[str, Any], *kinds: str) -> bool:
    if "const" in schema or "enum" in schema:
        return True
    return not _kinds(schema) or any(kind not in kinds for kind in _kinds(schema))


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    kinds = schema.get("type")
    return [kinds] if isinstance(kinds, str) else _list(kinds)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
