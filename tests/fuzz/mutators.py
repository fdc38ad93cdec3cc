"""Mutations: of bytes, of messages field by field, of JSON."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Callable
from typing import Any

from pyhades.onnx.schema import Field, Kind, Message
from pyhades.onnx.translate import supported_operators
from pyhades.onnx.wire import Record

Random = random.Random

INTEGERS = [0, 1, -1, 2, 3, 4, 7, 8, 16, 255, 256, 65535, 2**31 - 1, 2**31, -(2**31), 2**32]
INTEGERS += [2**40, 2**62, 2**63 - 1, -(2**63)]
FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-30, 1e30, math.inf, -math.inf, math.nan, 1e-45, 2.0**31]
WORDS = ["", "nearest", "linear", "cubic", "constant", "reflect", "edge", "wrap", "SAME_UPPER"]
WORDS += ["VALID", "NOTSET", "sum", "mul", "max", "none", "DCR", "half_pixel", "align_corners"]
WORDS += ["ij,jk->ik", "...i->...", "x", "y", "tanh", "forward", "reverse", "\0", "é" * 40]


def mutated_bytes(data: bytes, rng: Random) -> bytes:
    """A few changes of single bytes and of runs of them."""
    result = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 8])):
        if not result:
            break
        at = rng.randrange(len(result))
        run = rng.randrange(1, 1 + min(16, len(result) - at))
        match rng.randrange(7):
            case 0:
                result[at] ^= 1 << rng.randrange(8)
            case 1:
                result[at] = rng.randrange(256)
            case 2:
                result[at:at] = rng.randbytes(run)
            case 3:
                del result[at : at + run]
            case 4:
                source = rng.randrange(len(result))
                result[at : at + run] = result[source : source + run]
            case 5:
                result[at : at + 1] = rng.choice(
                    [b"\xff" * 9 + b"\1", b"\x80\x80\4", b"\0", b"\x7f"]
                )
            case _:
                del result[at:]
    return bytes(result)


class Slot:
    """One field of one message within a model."""

    def __init__(self, record: Record, field: Field) -> None:
        self.record = record
        self.field = field


def slots(record: Record, message: Message, found: list[Slot] | None = None) -> list[Slot]:
    """All fields that are set, of a message and of those within."""
    found = [] if found is None else found
    for field in message.fields.values():
        value = record.get(field.name)
        if value is None:
            continue
        found.append(Slot(record, field))
        if isinstance(field.kind, Message):
            for each in value if field.repeated else [value]:
                slots(each, field.kind, found)
    return found


def mutated_record(model: Record, message: Message, rng: Random) -> Record:
    """A copy with one to four fields changed."""
    result = copy.deepcopy(model)
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 4])):
        _change(rng.choice(found := slots(result, message)), found, rng)
    return result


def _change(slot: Slot, everything: list[Slot], rng: Random) -> None:
    record, field = slot.record, slot.field
    value = record[field.name]
    alike = [
        other
        for other in everything
        if other.field.name == field.name and other.field.kind is field.kind
    ]
    if not field.repeated:
        if rng.random() < 0.1:
            del record[field.name]
        else:
            record[field.name] = _other(value, slot, alike, rng)
        return
    items = list(value)
    match rng.randrange(6):
        case 0 if items:
            del items[rng.randrange(len(items))]
        case 1 if items:
            items.insert(rng.randrange(len(items)), copy.deepcopy(rng.choice(items)))
        case 2:
            rng.shuffle(items)
        case 3:
            other = rng.choice(alike)
            items = copy.deepcopy(list(other.record[field.name]))
        case 4 if field.kind is Kind.INT:
            items = [rng.choice(INTEGERS) for _ in range(rng.randrange(9))]
        case _ if items:
            at = rng.randrange(len(items))
            items[at] = _other(items[at], slot, alike, rng)
    record[field.name] = items


def _other(value: Any, slot: Slot, alike: list[Slot], rng: Random) -> Any:
    """Another value of the same kind."""
    field = slot.field
    if field.name == "op_type" and rng.random() < 0.7:
        return rng.choice(supported_operators())
    if field.kind is Kind.INT:
        near = [value + 1, value - 1, 2 * value, -value]
        return _as_int64(rng.choice([*INTEGERS, *near]))
    if field.kind in (Kind.FLOAT, Kind.DOUBLE):
        return rng.choice([*FLOATS, -value if math.isfinite(value) else 0.0])
    if field.kind is Kind.BYTES:
        words = [word.encode() for word in WORDS]
        return rng.choice([mutated_bytes(bytes(value), rng), *rng.sample(words, 3)])
    pool = [other.record.get(field.name) for other in alike]
    pool = [item for each in pool for item in (each if isinstance(each, list) else [each])]
    if field.kind is Kind.STRING:
        return rng.choice([*pool, *rng.sample(WORDS, 2)]) or ""
    return copy.deepcopy(rng.choice(pool))


def _as_int64(value: int) -> int:
    return (value + 2**63) % 2**64 - 2**63


def mutated_json(value: Any, rng: Random) -> str:
    """Text of a JSON value with a few values replaced; sometimes no JSON any more."""
    changed = copy.deepcopy(value)
    odd: list[Callable[[], Any]] = [
        lambda: rng.choice(INTEGERS),
        lambda: rng.choice(FLOATS),
        lambda: rng.choice(WORDS),
        lambda: None,
        lambda: True,
        list,
        dict,
        lambda: [rng.choice(INTEGERS) for _ in range(rng.randrange(4))],
        lambda: [[[]]],
        lambda: 10**400,
    ]
    for _ in range(rng.randrange(1, 4)):
        key = rng.choice([*changed, "extra"])
        if rng.random() < 0.2:
            changed.pop(key, None)
        elif isinstance(changed.get(key), list) and changed[key] and rng.random() < 0.5:
            changed[key][rng.randrange(len(changed[key]))] = rng.choice(odd)()
        else:
            changed[key] = rng.choice(odd)()
    text = json.dumps(changed)
    if rng.random() < 0.3:
        return mutated_bytes(text.encode(), rng).decode("utf-8", "replace")
    return text
