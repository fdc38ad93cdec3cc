"""What is asked and what is answered, where more or less of the answer stands in the question."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CODE = '''\
class Account:
    """Money of one customer."""

    def __init__(self, owner: str, amount: int = 0) -> None:
        self.owner = owner
        self.amount = amount
        self.history: list[tuple[str, int]] = []

    def deposit(self, amount: int) -> None:
        """Put money in."""
        if amount <= 0:
            raise ValueError("a deposit is more than nothing")
        self.amount += amount
        self.history.append(("deposit", amount))

    def withdraw(self, amount: int) -> None:
        """Take money out."""
        if amount <= 0:
            raise ValueError("a withdrawal is more than nothing")
        if amount > self.amount:
            raise ValueError("there is not enough money")
        self.amount -= amount
        self.history.append(("withdrawal", amount))

    def transfer(self, other: "Account", amount: int) -> None:
        """Give money to another customer."""
        self.withdraw(amount)
        other.deposit(amount)

    def report(self) -> str:
        """What has happened, line by line."""
        lines = [f"account of {self.owner}"]
        for kind, amount in self.history:
            lines.append(f"{kind:>12} {amount:8d}")
        lines.append(f"{'left':>12} {self.amount:8d}")
        return "\\n".join(lines)
'''
PEOPLE = [
    ("Anna Lindgren", 34, "Uppsala", "botanist"), ("Tomas Okafor", 51, "Lagos", "ship's engineer"),
    ("Mei Tanaka", 27, "Sapporo", "luthier"), ("Pedro Alves", 45, "Braga", "archivist"),
    ("Ruth Abernathy", 62, "Leeds", "bell founder"), ("Iwan Petrow", 39, "Varna", "cartographer"),
]  # fmt: skip
STORY = (
    "The lighthouse on the northern cape was built in three summers, for in winter no boat could "
    "land there. Stones came from a quarry behind the village, and each of them was carried over "
    "the ridge by two men and a mule. When the lamp was lit for the first time, the fishermen "
    "stood on the beach and said nothing for a long while. Later one of them wrote that it had "
    "been as if somebody had opened a door in the night. The keeper, a quiet man from the islands, "
    "kept a diary in which he noted wind, ships and the number of birds that had flown against the "
    "glass. "
)
ANSWER = (
    "Sourdough rises because wild yeast and bacteria live together in the starter. Yeast makes "
    "gas, and the bacteria make acids, which slow down other microbes and give the loaf its taste. "
    "Keep the dough warm, fold it every half hour, and wait until a finger leaves a mark that "
    "comes back slowly. If it collapses at once it has waited too long; bake it anyway, it will "
    "still be good. Steam in the first minutes keeps the crust soft, so that the bread can open "
    "where you cut it."
)
SCHEMA: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer"},
            "place_of_residence": {"type": "string"},
            "occupation": {"type": "string"},
        },
        "required": ["name", "age", "place_of_residence", "occupation"],
        "additionalProperties": False,
    },
}


@dataclass(frozen=True)
class Case:
    """A question with its answer.

    Attributes
    ----------
    prediction
        What the request says that the answer will be like.
    schema
        What the answer follows, where a grammar keeps it to that.
    """

    name: str
    question: str
    answer: str
    prediction: str = ""
    schema: Any = None


def cases() -> list[Case]:
    """From those that copy most to those that copy nothing."""
    edited = CODE.replace("amount", "cents").replace("is more than nothing", "has to be positive")
    edit = f"Call amounts cents, and say in errors that they have to be positive.\n\n{CODE}\n\n"
    asked = f"Give name, age, place of residence and occupation as JSON.\n\n{prose()}\n\n"
    quote = "Quote what is said about the lamp and the keeper.\n\n" + STORY * 2 + "\n\n"
    said = "It says: \u201c" + STORY[STORY.index("When") : STORY.index("Later")].strip() + "\u201d"
    said += " And of the keeper: \u201c" + STORY[STORY.index("The keeper") :].strip() + "\u201d"
    return [
        Case("code editing", edit, edited),
        Case("code editing, predicted", edit, edited, prediction=CODE),
        Case("JSON extraction", asked, extracted()),
        Case("JSON extraction, schema", asked, extracted(), schema=SCHEMA),
        Case("quoting", quote, said),
        Case("free chat", "Why does sourdough rise, and how do I bake it?\n\n", ANSWER),
    ]


def prose() -> str:
    """People in sentences."""
    return " ".join(
        f"{name}, {age} years old, lives in {place} and works as a {work}."
        for name, age, place, work in PEOPLE
    )


def extracted() -> str:
    """The same people, as JSON."""
    keys = ("name", "age", "place_of_residence", "occupation")
    return json.dumps([dict(zip(keys, person, strict=True)) for person in PEOPLE])


def copying(source: Sequence[int], share: float, count: int, vocabulary: int) -> list[int]:
    """Tokens that copy a text, each with a probability of ``share``, or are others in its place.

    With 0, no token can be known from those before it.
    """
    chance = random.Random(1)
    return [
        source[place % len(source)] if chance.random() < share else chance.randrange(vocabulary)
        for place in range(count)
    ]
