"""Names of texts: of their blocks, one after the other, each by that of the one before it."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from hashlib import sha256

from pyhades.llm.cache.resuming import Place
from pyhades.llm.models.layers import CACHE_BLOCK

Digest = bytes


@dataclass(eq=False, slots=True)
class Node:
    """A block of 16 tokens, after those of its parents.

    Attributes
    ----------
    depth
        Blocks from the root to here, this one included.
    tokens
        Its tokens, as int32.
    blocks
        Those of layers that see everything, per kind.
    """

    digest: Digest
    parent: Node | None
    depth: int
    tokens: bytes
    blocks: dict[str, int]


class Address:
    """The names of the blocks of a text, by which it is looked up.

    Attributes
    ----------
    digests
        One per whole block.
    place
        Where it can be resumed, as of the last :meth:`Prefixes.look_up`.
    points
        Of its trail, once it has one.
    """

    def __init__(self, root: Digest) -> None:
        self.root = root
        self.digests: list[Digest] = []
        self.place = Place()
        self.points: set[int] = set()
        self.as_of = -1

    @property
    def read(self) -> int:
        """Tokens that need not be read again."""
        return self.place.start

    def extend(self, tokens: Items[int]) -> None:
        """Name the blocks of a text that begins as it did when this was last called.

        The last token belongs to none of them: it is read in any case, for what comes next.
        """
        whole = (len(tokens) - 1) // CACHE_BLOCK
        digest = self.digests[-1] if self.digests else self.root
        for index in range(len(self.digests), whole):
            first = index * CACHE_BLOCK
            digest = digest_of(digest, bytes_of(tokens[first : first + CACHE_BLOCK]))
            self.digests.append(digest)
        self.as_of = -1

    def common_depth(self, other: Address) -> int:
        """Blocks with which both texts begin."""
        low, high = 0, min(len(self.digests), len(other.digests))
        while low < high:
            middle = (low + high + 1) // 2
            if self.digests[middle - 1] == other.digests[middle - 1]:
                low = middle
            else:
                high = middle - 1
        return low


def digest_of(parent: Digest, tokens: bytes) -> Digest:
    """The name of a block, by that of the one before it."""
    return sha256(parent + tokens).digest()


def bytes_of(tokens: Items[int]) -> bytes:
    """Tokens as int32."""
    return array("i", tokens).tobytes()


def tokens_of(block: bytes) -> list[int]:
    """Of int32."""
    return array("i", block).tolist()


def root_of(facts: Mapping[str, str], client: str) -> Digest:
    """What the texts of a client begin with.

    Of facts with their names, each with its length, so that none can pass for another.
    """
    root = sha256()
    for name, value in sorted({**facts, "client": client}.items()):
        for text in (name, value):
            data = text.encode("utf-8", "surrogatepass")  # clients may be named by any text
            root.update(len(data).to_bytes(8, "little") + data)
    return root.digest()
