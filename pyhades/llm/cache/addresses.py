"""Names of texts: of their blocks, one after the other, each by that of the one before it."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from collections.abc import Sequence as Items
from hashlib import sha256

from pyhades.llm.cache.resuming import Place
from pyhades.llm.models.layers import CACHE_BLOCK

Digest = bytes


class Names:
    """How blocks are named.

    The root names all that changes what is computed besides tokens. Whose text it is belongs to the
    name of its first block that is not of a declared beginning: those are found by everybody, and
    nothing else is found by anybody but who has read it.

    Parameters
    ----------
    facts
        What changes the contents of blocks, by name: the model, formats.

    Examples
    --------
    >>> names = Names({"model": "tiny"})
    >>> block = bytes_of(range(16))
    >>> names.child(names.root, block, "ann") == names.child(names.root, block, "bob")
    False
    >>> names.declare(range(20))
    >>> names.child(names.root, block, "ann") == names.child(names.root, block, "bob")
    True
    """

    def __init__(self, facts: Mapping[str, str]) -> None:
        self.root = root_of(facts)
        self._shared = {self.root}
        self._ends: set[Digest] = set()

    def declare(self, tokens: Items[int]) -> None:
        """Let everybody find the whole blocks of a text that begins so."""
        digest = self.root
        for first in range(0, len(tokens) - CACHE_BLOCK + 1, CACHE_BLOCK):
            digest = digest_of(digest, bytes_of(tokens[first : first + CACHE_BLOCK]))
            self._shared.add(digest)
        self._ends.add(digest)

    def is_shared(self, digest: Digest) -> bool:
        """Whether a block is of a declared beginning."""
        return digest in self._shared

    def is_end(self, digest: Digest) -> bool:
        """Whether a block is the last one of a declared beginning."""
        return digest in self._ends

    def child(self, parent: Digest, tokens: bytes, client: str) -> Digest:
        """The name of a block in a text of a client."""
        digest = digest_of(parent, tokens)
        if parent not in self._shared or digest in self._shared:
            return digest
        return digest_of(parent, tokens, b"client" + _encoded(client))


class Address:
    """The names of the blocks of a text, by which it is looked up.

    Attributes
    ----------
    digests
        One per whole block.
    blocks
        The tokens of each, as int32: compared with those of what is found.
    place
        Where it can be resumed, as of the last :meth:`Prefixes.look_up`.
    points
        Of its trail, once it has one.
    turn
        Blocks of the prompt, behind which the answer begins.
    compared
        Blocks whose tokens were compared.
    fetches
        How often more of it was ordered from other levels.
    """

    def __init__(self, names: Names, client: str = "") -> None:
        self.client = client
        self.digests: list[Digest] = []
        self.blocks: list[bytes] = []
        self.place = Place()
        self.points: set[int] = set()
        self.turn = 0
        self.compared = 0
        self.fetches = 0
        self.as_of = -1
        self._names = names

    @property
    def read(self) -> int:
        """Tokens that need not be read again."""
        return self.place.start

    def parent(self, depth: int) -> Digest:
        """The name of what comes before the block at ``depth``, which is 1 for the first."""
        return self.digests[depth - 2] if depth > 1 else self._names.root

    def extend(self, tokens: Items[int]) -> None:
        """Name the blocks of a text that begins as it did when this was last called.

        The last token belongs to none of them: it is read in any case, for what comes next.
        """
        whole = (len(tokens) - 1) // CACHE_BLOCK
        for index in range(len(self.digests), whole):
            first = index * CACHE_BLOCK
            block = bytes_of(tokens[first : first + CACHE_BLOCK])
            digest = self._names.child(self.parent(index + 1), block, self.client)
            self.blocks.append(block)
            self.digests.append(digest)
            if self._names.is_end(digest):
                self.points.add(index + 1)
        self.as_of, self.fetches = -1, 0

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


def digest_of(parent: Digest, tokens: bytes, tag: bytes = b"") -> Digest:
    """The name of a block, by that of the one before it; both have a length of their own."""
    return sha256(parent + tokens + tag).digest()


def bytes_of(tokens: Items[int]) -> bytes:
    """Tokens as int32."""
    return array("i", tokens).tobytes()


def tokens_of(block: bytes) -> list[int]:
    """Of int32."""
    return array("i", block).tolist()


def root_of(facts: Mapping[str, str]) -> Digest:
    """What all texts begin with.

    Of facts with their names, each with its length, so that none can pass for another.
    """
    root = sha256()
    for name, value in sorted(facts.items()):
        for text in (name, value):
            data = _encoded(text)
            root.update(len(data).to_bytes(8, "little") + data)
    return root.digest()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # clients may be named by any text
