"""JSON schemas as applications have them, each with a document that follows it."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}


def record(optional: Schema | None = None, **properties: Schema) -> Schema:
    """An object with all of some properties, perhaps with others, and nothing else."""
    return {
        "type": "object",
        "properties": properties | (optional or {}),
        "required": list(properties),
        "additionalProperties": False,
    }


def listed(items: Schema, **limits: int) -> Schema:
    """A list."""
    return {"type": "array", "items": items, **limits}


def maybe(schema: Schema) -> Schema:
    """What may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


ADDRESS = record(street=TEXT, town=TEXT, code={"type": "string", "pattern": "^[0-9]{4,6}$"},
                 country={"type": "string", "pattern": "^[A-Z]{2}$"})  # fmt: skip
FILTER: Schema = {
    "$ref": "#/$defs/term",
    "$defs": {
        "term": {"anyOf": [{"$ref": "#/$defs/leaf"}, {"$ref": "#/$defs/group"}]},
        "leaf": record(field=TEXT, op={"enum": ["=", "<", ">", "in", "like"]},
                       value={"anyOf": [TEXT, NUMBER, listed(TEXT)]}),
        "group": record(join={"enum": ["and", "or"]}, terms=listed({"$ref": "#/$defs/term"})),
    },
}  # fmt: skip
PAGE: Schema = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": record(
            kind={"enum": ["page", "row", "column", "text", "button", "image"]},
            label=maybe(TEXT),
            style=maybe(record({"margin": COUNT}, colour={"type": "string", "maxLength": 20})),
            children=listed({"$ref": "#/$defs/node"}),
        )
    },
}
MANIFEST: Schema = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,60}$"},
        "version": {"type": "string", "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+$"},
        "private": {"type": "boolean"},
        "scripts": {"type": "object", "additionalProperties": TEXT},
        "dependencies": {"type": "object", "additionalProperties": TEXT},
    },
    "required": ["name", "version"],
}
WIDE = record(**{f"question_{number}": {"enum": ["yes", "no", "unclear"]} for number in range(120)})

CASES: dict[str, tuple[Schema, Any]] = {
    "weather": (
        record({"unit": {"enum": ["celsius", "kelvin"]}}, city=TEXT),
        {"city": "Reykjavík", "unit": "celsius"},
    ),
    "sentiment": (
        record(label={"enum": ["good", "bad", "mixed"]}, score={**NUMBER, "minimum": 0,
               "maximum": 1}, reasons=listed(TEXT, maxItems=5)),
        {"label": "mixed", "score": 0.45, "reasons": ["The food was fine", "but we waited long"]},
    ),
    "entities": (
        record(entities=listed(record(text=TEXT, kind={"enum": ["person", "place", "firm"]},
               start=COUNT, end=COUNT))),
        {"entities": [{"text": "Ada Lovelace", "kind": "person", "start": 0, "end": 12},
                      {"text": "London", "kind": "place", "start": 27, "end": 33}]},
    ),
    "invoice": (
        record({"note": TEXT}, number=TEXT, date={"type": "string", "format": "date"},
               seller=ADDRESS, buyer=ADDRESS, currency={"enum": ["EUR", "USD", "GBP", "CHF"]},
               lines=listed(record(text=TEXT, count=COUNT, price=NUMBER), minItems=1),
               total=NUMBER),
        {"number": "2026-0117", "date": "2026-11-28",
         "seller": {"street": "Rue 1", "town": "Lyon", "code": "69001", "country": "FR"},
         "buyer": {"street": "Hafen 2", "town": "Kiel", "code": "24103", "country": "DE"},
         "currency": "EUR", "lines": [{"text": "Chairs, oak", "count": 4, "price": 120.5}],
         "total": 482},
    ),
    "person": (
        record(name=TEXT, mail={"type": "string", "format": "email"}, born=maybe({"type": "string",
               "format": "date"}), skills=listed(TEXT), jobs=listed(record({"until": TEXT},
               firm=TEXT, role=TEXT, since={"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"}))),
        {"name": "Ana Silva", "mail": "ana@example.org", "born": None, "skills": ["C++", "SQL"],
         "jobs": [{"firm": "Acme", "role": "engineer", "since": "2019-04"}]},
    ),
    "steps": (
        record(steps=listed(record(thought=TEXT, result=TEXT), maxItems=20), answer=TEXT),
        {"steps": [{"thought": "8x + 7 = -23, so 8x = -30", "result": "x = -3.75"}],
         "answer": "-3.75"},
    ),
    "filter": (
        FILTER,
        {"join": "and", "terms": [{"field": "price", "op": "<", "value": 30.5}, {"join": "or",
         "terms": [{"field": "brand", "op": "in", "value": ["A", "B"]}]}]},
    ),
    "page": (
        PAGE,
        {"kind": "page", "label": None, "style": None, "children": [{"kind": "button", "label":
         "Buy", "style": {"colour": "teal", "margin": 4}, "children": []}]},
    ),
    "manifest": (
        MANIFEST,
        {"name": "my-app", "version": "1.2.0", "private": True,
         "scripts": {"test": "pytest -q"}, "dependencies": {"left": "^1.0"}},
    ),
    "questions": (WIDE, {f"question_{number}": "no" for number in range(120)}),
    "any_object": ({"type": "object"}, {"a": {"b": [1, 2.5, None, "text of some length"]}}),
}  # fmt: skip
