"""The tree: blocks of layers that see everything, each behind the one before it.

What no sequence holds is given up as soon as its room is needed: leaves of the tree, that of the
lowest rank first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from pyhades.llm.cache.addresses import Address, Digest
from pyhades.llm.cache.eviction import Candidates
from pyhades.llm.cache.policies import Policy, Use
from pyhades.llm.cache.pool import Pool


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
    use
        How it was used.
    children
        How many blocks are kept that come right after it.
    """

    digest: Digest
    parent: Node | None
    depth: int
    tokens: bytes
    blocks: dict[str, int]
    use: Use
    children: int = 0

    def path(self) -> Iterator[Node]:
        """From here back to the first block of the text."""
        node = self
        while node.parent is not None:
            yield node
            node = node.parent


def root_node(digest: Digest) -> Node:
    """What first blocks come after."""
    return Node(digest, None, 0, b"", {}, Use(0.0))


class Tree:
    """Blocks that were read, by their names.

    Parameters
    ----------
    pools
        Of layers that see everything.
    policy
        What is given up first.
    given_up
        Called with a node before its blocks are let go.

    Attributes
    ----------
    nodes
        By name. The parents of each are there, too.
    version
        Changes whenever a node comes or goes.
    """

    def __init__(
        self, pools: Mapping[str, Pool], policy: Policy, given_up: Callable[[Node], object]
    ) -> None:
        self.pools = pools
        self._policy = policy
        self._given_up = given_up
        for kind, pool in pools.items():
            pool.reclaim = self._give_up_lowest
            pool.on_idle = partial(self._block_is_idle, kind)
        self.reset()

    def reset(self) -> None:
        """Forget everything; the pools are reset by their owner."""
        self.nodes: dict[Digest, Node] = {}
        self.version = 0
        self._node_of: dict[str, dict[int, Node]] = {kind: {} for kind in self.pools}
        self._leaves: Candidates[Digest] = Candidates()

    def known(self, address: Address) -> int:
        """How many blocks of a text are there.

        Names are as good as tokens unless somebody has tampered with either, so tokens are
        compared, too: where they differ, nothing was found.
        """
        low, high = 0, len(address.digests)
        while low < high:
            middle = (low + high + 1) // 2
            if address.digests[middle - 1] in self.nodes:
                low = middle
            else:
                high = middle - 1
        for index in range(address.compared, low):
            if self.nodes[address.digests[index]].tokens != address.blocks[index]:
                return index
        address.compared = max(address.compared, low)
        return low

    def idle(self, address: Address) -> dict[str, int]:
        """How many blocks of those that are known no sequence holds, per kind of layer."""
        idle = {}
        for kind, pool in self.pools.items():
            # Where a sequence holds a block, it holds all before it.
            low, high = 0, address.place.known
            while low < high:
                middle = (low + high) // 2
                if self.nodes[address.digests[middle]].blocks[kind] in pool.idle:
                    high = middle
                else:
                    low = middle + 1
            idle[kind] = address.place.known - low
        return idle

    def add(
        self, parent: Node, digest: Digest, tokens: bytes, blocks: dict[str, int], use: Use
    ) -> Node:
        """A node for blocks that somebody holds: they are kept from now on."""
        node = Node(digest, parent, parent.depth + 1, tokens, blocks, use)
        self.nodes[digest] = node
        parent.children += 1
        for kind, pool in self.pools.items():
            self._node_of[kind][blocks[kind]] = node
            pool.keep(blocks[kind])
        self.version += 1
        return node

    def _block_is_idle(self, kind: str, block: int) -> None:
        self._consider(self._node_of[kind][block])

    def _consider(self, node: Node) -> None:
        """Let a node be given up, if it is a leaf that nobody holds."""
        if self._may_go(node):
            self._leaves.put(node.digest, self._policy(node.use))

    def _may_go(self, node: Node) -> bool:
        idle = all(node.blocks[kind] in pool.idle for kind, pool in self.pools.items())
        return idle and not node.children

    def _give_up_lowest(self) -> bool:
        """Make room; whether there is any more to make."""
        while (digest := self._leaves.take()) is not None:
            node = self.nodes.get(digest)
            if node is not None and self._may_go(node):
                self._give_up(node)
                return True
        return False

    def _give_up(self, node: Node) -> None:
        self._given_up(node)
        del self.nodes[node.digest]
        for kind, pool in self.pools.items():
            del self._node_of[kind][node.blocks[kind]]
            pool.let_go(node.blocks[kind])
        self.version += 1
        parent = node.parent
        if parent is not None:
            parent.children -= 1
            if parent.parent is not None:
                self._consider(parent)
