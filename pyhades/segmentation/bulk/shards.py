"""Which of several processes or machines does a picture: they agree without talking."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pyhades.errors import ArgumentError


@dataclass(frozen=True)
class Shard:
    """One of ``count`` parts of a run, the first is number 1.

    Examples
    --------
    >>> Shard.parse("2/3")
    Shard(number=2, count=3)
    >>> sum(Shard(number, 3).holds("cats/1.jpg") for number in (1, 2, 3))
    1
    """

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ArgumentError(
                f"shard={self}: the first of {self.count} is 1/{self.count}, "
                f"the last {self.count}/{self.count}"
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``"2/8"``."""
        number, slash, count = text.partition("/")
        if not slash or not number.isdecimal() or not count.isdecimal() or not int(count):
            raise ArgumentError(f"shard={text!r} is not of the form 2/8")
        return cls(int(number), int(count))

    def holds(self, key: str) -> bool:
        """Whether a picture is of this part; the same on every machine and in every version."""
        if self.count == 1:
            return True
        digest = hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"
