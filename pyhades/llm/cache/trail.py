"""Where a sequence stands in the tree."""

from __future__ import annotations

from dataclasses import dataclass

from pyhades.llm.cache.tree import Node
from pyhades.llm.models.layers import CACHE_BLOCK


@dataclass
class Trail:
    """What a sequence has read, as blocks of the tree.

    Attributes
    ----------
    node
        Its last full block.
    begun
        Tokens behind it.
    points
        Depths at which others may want to resume; whoever knows of one adds it.
    client
        Whose text it is.
    turn
        Depth at which the prompt ends.
    last
        Depth of its last checkpoint.
    sound
        Depth from which on its windows are right: before, those that were lost are on their way.
    is_lost
        Whether its blocks have names that others have, too: nothing more of it is kept.
    """

    node: Node
    begun: list[int]
    points: set[int]
    client: str = ""
    turn: int = 0
    last: int = 0
    sound: int = 0
    is_lost: bool = False

    @property
    def length(self) -> int:
        """Tokens of the text so far."""
        return self.node.depth * CACHE_BLOCK + len(self.begun)

    def copy(self) -> Trail:
        """For another sequence with the same text."""
        return Trail(
            self.node, list(self.begun), set(), self.client, self.turn, self.last, self.sound,
            self.is_lost,
        )  # fmt: skip
