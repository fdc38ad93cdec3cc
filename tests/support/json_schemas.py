"""JSON schemas at random, of all that structured output follows."""

from __future__ import annotations

import random
from typing import Any

Schema = dict[str, Any]


def random_schema(seed: int) -> Schema:
    """A schema whose documents are not long."""
    dice = random.Random(seed)
    definitions = {"leaf": _any(dice, 0), "node": _node(dice)}
    return {**_any(dice, 3), "$defs": definitions}


def _any(dice: random.Random, depth: int) -> Schema:
    kinds = [_nothing, _integer, _number, _text, _pattern, _format, _one_of_values, _several_types]
    if depth:
        kinds += [_list, _tuple, _object, _object, _map, _any_of, _all_of, _reference]
    schema: Schema = dice.choice(kinds)(dice, depth)
    if dice.random() < 0.1:
        schema = {"anyOf": [schema, {"type": "null"}]}
    if dice.random() < 0.1:
        schema = {**schema, "description": 'some {words} with "quotes" and <|end|>'}
    return schema


def _nothing(dice: random.Random, depth: int) -> Schema:
    return {"type": dice.choice(["null", "boolean"])}


def _integer(dice: random.Random, depth: int) -> Schema:
    low = dice.randint(-1000, 1000)
    schema: Schema = {"type": "integer", "minimum": low, "maximum": low + dice.randint(0, 5000)}
    if dice.random() < 0.3:
        schema = {"type": "integer", "exclusiveMinimum": low, "exclusiveMaximum": low + 40}
        schema["multipleOf"] = dice.choice([1, 2, 7])
    return schema


def _number(dice: random.Random, depth: int) -> Schema:
    low = dice.choice([-2, 0, 0.5, 3])
    return {"type": "number", "minimum": low, "maximum": low + dice.choice([1, 2.25, 100])}


def _text(dice: random.Random, depth: int) -> Schema:
    least = dice.randint(0, 3)
    return {"type": "string", "minLength": least, "maxLength": least + dice.randint(0, 8)}


def _pattern(dice: random.Random, depth: int) -> Schema:
    patterns = ["^[a-z]{1,5}$", "^(red|green)-[0-9]{2}$", "^a/b\\.[^x]{0,3}$", '^"[0-9]\\\\$']
    return {"type": "string", "pattern": dice.choice(patterns)}


def _format(dice: random.Random, depth: int) -> Schema:
    return {"type": "string", "format": dice.choice(["date", "uuid", "ipv4", "time"])}


def _one_of_values(dice: random.Random, depth: int) -> Schema:
    values = ["red", "rot", 'ré\n"d"', 1, 12, 1.5, None, True, [1, "a"], {"a": 1}]
    if dice.random() < 0.3:
        return {"const": dice.choice(values)}
    return {"enum": dice.sample(values, dice.randint(1, 5))}


def _several_types(dice: random.Random, depth: int) -> Schema:
    return {"type": ["integer", "null", "boolean"], "minimum": 0, "maximum": 99}


def _list(dice: random.Random, depth: int) -> Schema:
    least = dice.randint(0, 2)
    most = least + dice.randint(0, 2)
    items = _any(dice, depth - 1)
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def _tuple(dice: random.Random, depth: int) -> Schema:
    items = [_any(dice, depth - 1) for _ in range(dice.randint(1, 3))]
    return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}


def _object(dice: random.Random, depth: int) -> Schema:
    names = ["a", "b c", 'd"e', "ü", "longer_name", "$x", "a/b~c"]
    chosen = dice.sample(names, dice.randint(0, 4))
    properties = {name: _any(dice, depth - 1) for name in chosen}
    required = [name for name in chosen if dice.random() < 0.6]
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def _map(dice: random.Random, depth: int) -> Schema:
    inner = _any(dice, 0)
    return {
        "type": "object", "patternProperties": {"^k[0-9]$": inner}, "additionalProperties": False,
        "maxProperties": 2,
    }  # fmt: skip


def _any_of(dice: random.Random, depth: int) -> Schema:
    return {"anyOf": [_any(dice, depth - 1) for _ in range(dice.randint(1, 3))]}


def _all_of(dice: random.Random, depth: int) -> Schema:
    one = {"type": "object", "properties": {"p": _any(dice, 0)}, "required": ["p"]}
    other = {"properties": {"q": _any(dice, 0)}, "required": ["q"]}
    both = {"properties": {"p": True, "q": True}, "additionalProperties": False}
    return {"allOf": [one, other], **both}


def _reference(dice: random.Random, depth: int) -> Schema:
    return {"$ref": dice.choice(["#/$defs/leaf", "#/$defs/node"])}


def _node(dice: random.Random) -> Schema:
    """Of a tree: it refers to itself."""
    deeper = {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]}
    properties = {"value": {"$ref": "#/$defs/leaf"}, "next": deeper}
    return {
        "type": "object", "properties": properties, "required": ["next"],
        "additionalProperties": False,
    }  # fmt: skip
