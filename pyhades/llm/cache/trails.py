"""Sequences on their way through the tree: what they read is found by others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyhades.llm.cache.addresses import bytes_of, tokens_of
from pyhades.llm.cache.checkpoints import Blocks
from pyhades.llm.cache.kept import Kept
from pyhades.llm.cache.tree import Node
from pyhades.llm.models.layers import CACHE_BLOCK

CHECKPOINT_TOKENS = 2048
"""Distance of the checkpoints of a long text.

A window of 128 tokens each adds a sixteenth to what layers that see everything keep of as many
tokens, where half of the layers have one. Between them windows are computed again.
"""


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

    def follow(self, kept: Kept, blocks: Blocks, tokens: Iterable[int]) -> None:
        """Take note of tokens that were read into ``blocks``, of which no window has gone yet."""
        self.begun.extend(tokens)
        while len(self.begun) >= CACHE_BLOCK and not self.is_lost:
            node = self._child(kept, bytes_of(self.begun[:CACHE_BLOCK]), blocks)
            if node is None:
                self.is_lost = True
                return
            self.node = node
            del self.begun[:CACHE_BLOCK]
            is_due = (node.depth - self.last) * CACHE_BLOCK >= CHECKPOINT_TOKENS
            if is_due or node.depth in self.points:
                self.save(kept, blocks)

    def save(self, kept: Kept, blocks: Blocks) -> None:
        """Make a checkpoint of the last full block, where its windows are right."""
        depth = self.node.depth
        if kept.windows.pools and depth and depth >= self.sound:
            self.last = depth
            is_turn = depth == self.turn or depth in self.points
            kept.add_window(self.node, blocks, is_turn=is_turn)

    def back(self, length: int) -> None:
        """Take note that the tokens from ``length`` on were dropped."""
        while self.node.depth * CACHE_BLOCK > length:
            assert self.node.parent is not None
            self.begun[:0] = tokens_of(self.node.tokens)
            self.node = self.node.parent
        del self.begun[length - self.node.depth * CACHE_BLOCK :]
        self.last = min(self.last, self.node.depth)

    def _child(self, kept: Kept, tokens: bytes, blocks: Blocks) -> Node | None:
        """The node of the next block, which from now on holds the block in it.

        None where the name stands for other tokens.
        """
        parent, depth = self.node, self.node.depth
        digest = kept.names.child(parent.digest, tokens, self.client)
        node = kept.tree.nodes.get(digest)
        if node is None:
            mine = {kind: blocks[kind][depth] for kind in kept.tree.pools}
            return kept.add(parent, digest, tokens, mine, is_turn=depth < self.turn)
        if node.tokens != tokens:
            return None
        for kind, pool in kept.tree.pools.items():  # read a second time: one of the two is enough
            own = blocks[kind][depth]
            if own != node.blocks[kind]:
                pool.share(node.blocks[kind])
                blocks[kind][depth] = node.blocks[kind]
                pool.release(own)
        return node
