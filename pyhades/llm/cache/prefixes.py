"""What has been read before, to be found again by its tokens.

A tree of blocks of the KV cache. A block is named by a hash of the name of the one before it, of
its tokens, and at the root of all else that changes what is computed; so equal names are equal
contents. Layers that see everything keep one block per node. Layers with a sliding window keep the
last window before some nodes, the *checkpoints*, whole or not at all: a text can be resumed at a
checkpoint only. Without such layers every node is one.

Nothing that is kept here is ever in the way: blocks that no sequence holds are given up, those that
were used longest ago first, as soon as they are needed. See docs/decisions/0012.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from functools import partial

from pyhades.llm.cache.addresses import Address, Digest, Node, bytes_of, digest_of, root_of
from pyhades.llm.cache.pool import FREED, Pool
from pyhades.llm.models.layers import CACHE_BLOCK

CHECKPOINT_TOKENS = 1024
"""Distance of the checkpoints of a long text: so many tokens are read again at worst.

A window of 128 tokens each adds an eighth to what layers that see everything keep of as many
tokens, where half of the layers have one.
"""

Blocks = dict[str, list[int]]
"""Blocks of a sequence, per kind of layer."""


@dataclass
class Trail:
    """Where a sequence stands in the tree.

    Attributes
    ----------
    node
        Its last full block.
    begun
        Tokens behind it.
    points
        Depths at which others may want to resume; whoever knows of one adds it.
    last
        Depth of its last checkpoint.
    """

    node: Node
    begun: list[int]
    points: set[int]
    last: int

    def copy(self) -> Trail:
        """For another sequence with the same text."""
        return Trail(self.node, list(self.begun), set(), self.last)


@dataclass
class PrefixCounts:
    """What reuse has brought so far, in tokens of prompts but where it says otherwise."""

    asked: int = 0
    found: int = 0
    checkpoints: int = 0
    """Windows that were kept."""
    evicted: int = 0
    """Blocks of layers that see everything which were given up."""


class Prefixes:
    """The tree.

    Parameters
    ----------
    pools
        Where blocks come from, per kind of layer; at least one has no window.
    facts
        What changes the contents of blocks besides tokens, by name: the model, formats.
    """

    def __init__(self, pools: Mapping[str, Pool], facts: Mapping[str, str]) -> None:
        self.counts = PrefixCounts()
        self._facts = facts
        self._full = {kind: pool for kind, pool in pools.items() if not pool.window}
        self._windowed = {kind: pool for kind, pool in pools.items() if pool.window}
        assert self._full, "a tree hangs on the blocks of layers that see everything"
        for kind, pool in self._full.items():
            pool.reclaim = partial(self._evict_oldest, kind)
        for pool in self._windowed.values():
            pool.reclaim = self._drop_oldest_checkpoint
        self.reset()

    def reset(self) -> None:
        """Forget everything; the pools are reset by their owner."""
        self._nodes: dict[Digest, Node] = {}
        self._node_of: dict[str, dict[int, Node]] = {kind: {} for kind in self._full}
        self._checkpoints: OrderedDict[Digest, Blocks] = OrderedDict()
        self._version = 0

    def __len__(self) -> int:
        """Blocks in the tree."""
        return len(self._nodes)

    @property
    def checkpoints(self) -> int:
        """Windows that are kept."""
        return len(self._checkpoints)

    # Finding.

    def address(self, tokens: Items[int], client: str = "") -> Address:
        """The name of a text.

        Those of different clients differ, so that nobody can find out what others have asked by how
        long his own prompt takes.
        """
        address = Address(root_of(self._facts, client))
        address.extend(tokens)
        return address

    def look_up(self, address: Address) -> None:
        """Note in ``address`` up to where its text need not be read again."""
        if address.as_of != self._version:
            address.as_of = self._version
            address.found = self._deepest_point(address.digests)

    def known(self, digests: Items[Digest]) -> int:
        """How many of the blocks are in the tree: a beginning of them, whose parents all are."""
        low, high = 0, len(digests)
        while low < high:
            middle = (low + high + 1) // 2
            if digests[middle - 1] in self._nodes:
                low = middle
            else:
                high = middle - 1
        return low

    def _deepest_point(self, digests: Items[Digest]) -> Node | None:
        for depth in range(self.known(digests), 0, -1):
            if not self._windowed or digests[depth - 1] in self._checkpoints:
                return self._nodes[digests[depth - 1]]
        return None

    def idle_blocks(self, address: Address) -> dict[str, int]:
        """How many idle blocks resuming would take into use, per kind of layer."""
        idle = dict.fromkeys([*self._full, *self._windowed], 0)
        if address.found is None:
            return idle
        for kind, pool in self._full.items():
            # Where a sequence holds a block, it holds all before it.
            low, high = 0, address.depth
            while low < high:
                middle = (low + high) // 2
                if self._nodes[address.digests[middle]].blocks[kind] in pool.idle:
                    high = middle
                else:
                    low = middle + 1
            idle[kind] = address.depth - low
        for kind, pool in self._windowed.items():
            window = self._checkpoints[address.found.digest][kind]
            idle[kind] = sum(block in pool.idle for block in window)
        return idle

    # Using.

    def begin(self, address: Address) -> tuple[Trail, Blocks]:
        """The trail and the blocks of a new sequence, resumed where its text was found."""
        node = address.found
        blocks: Blocks = {kind: [] for kind in [*self._full, *self._windowed]}
        known = self.known(address.digests)
        if known > address.depth:  # others may come this way, and part from it here as well
            address.points.add(known)
        if node is None:
            root = Node(address.root, None, 0, b"", {})
            return Trail(root, [], address.points, 0), blocks
        path = [self._nodes[digest] for digest in address.digests[: node.depth]]
        for kind, pool in self._full.items():
            blocks[kind] = [step.blocks[kind] for step in path]
            for block in blocks[kind]:
                pool.share(block)
        for kind, pool in self._windowed.items():
            window = self._checkpoints[node.digest][kind]
            blocks[kind] = [FREED] * (node.depth - len(window)) + window
            for block in window:
                pool.share(block)
        if self._windowed:
            self._checkpoints.move_to_end(node.digest)
        return Trail(node, [], address.points, node.depth), blocks

    def follow(self, trail: Trail, blocks: Blocks, tokens: Iterable[int]) -> None:
        """Take note of tokens that were read into ``blocks``, of which no window has gone yet."""
        trail.begun.extend(tokens)
        while len(trail.begun) >= CACHE_BLOCK:
            trail.node = self._child(trail.node, bytes_of(trail.begun[:CACHE_BLOCK]), blocks)
            del trail.begun[:CACHE_BLOCK]
            depth = trail.node.depth
            if depth in trail.points or (depth - trail.last) * CACHE_BLOCK >= CHECKPOINT_TOKENS:
                self.save(trail, blocks)

    def back(self, trail: Trail, length: int) -> None:
        """Take note that the tokens from ``length`` on were dropped."""
        while trail.node.depth * CACHE_BLOCK > length:
            assert trail.node.parent is not None
            trail.begun[:0] = array("i", trail.node.tokens)
            trail.node = trail.node.parent
        del trail.begun[length - trail.node.depth * CACHE_BLOCK :]
        trail.last = min(trail.last, trail.node.depth)

    def save(self, trail: Trail, blocks: Blocks) -> None:
        """Make a checkpoint of the last full block of a sequence."""
        node = trail.node
        if not self._windowed or not node.depth:
            return
        trail.last = node.depth
        if node.digest in self._checkpoints:
            self._checkpoints.move_to_end(node.digest)
            return
        windows = {}
        for kind, pool in self._windowed.items():
            first = max(node.depth * CACHE_BLOCK + 1 - pool.window, 0) // CACHE_BLOCK
            windows[kind] = blocks[kind][first : node.depth]
            if FREED in windows[kind]:
                return
        for kind, pool in self._windowed.items():
            for block in windows[kind]:
                pool.keep(block)
        self._checkpoints[node.digest] = windows
        self.counts.checkpoints += 1
        self._version += 1

    def _child(self, parent: Node, tokens: bytes, blocks: Blocks) -> Node:
        """The node of the next block of a sequence, which from now on holds the block in it."""
        digest = digest_of(parent.digest, tokens)
        depth = parent.depth
        node = self._nodes.get(digest)
        if node is None:
            node = Node(digest, parent, depth + 1, tokens, {})
            self._nodes[digest] = node
            for kind, pool in self._full.items():
                block = node.blocks[kind] = blocks[kind][depth]
                self._node_of[kind][block] = node
                pool.keep(block)
            if not self._windowed:
                self._version += 1
            return node
        assert node.tokens == tokens
        for kind, pool in self._full.items():  # read a second time: one of the two is enough
            mine = blocks[kind][depth]
            if mine != node.blocks[kind]:
                pool.share(node.blocks[kind])
                blocks[kind][depth] = node.blocks[kind]
                pool.release(mine)
        return node

    # Giving up.

    def _evict_oldest(self, kind: str) -> None:
        """Give up the node that has been idle for longest: whatever follows it was given up."""
        node = self._node_of[kind][next(iter(self._full[kind].idle))]
        self._drop_checkpoint(node.digest)
        del self._nodes[node.digest]
        for of_kind, pool in self._full.items():
            del self._node_of[of_kind][node.blocks[of_kind]]
            pool.let_go(node.blocks[of_kind])
        self.counts.evicted += 1
        self._version += 1

    def _drop_oldest_checkpoint(self) -> None:
        self._drop_checkpoint(next(iter(self._checkpoints)))

    def _drop_checkpoint(self, digest: Digest) -> None:
        windows = self._checkpoints.pop(digest, None)
        if windows is None:
            return
        for kind, pool in self._windowed.items():
            for block in reversed(windows[kind]):
                pool.let_go(block)
        self._version += 1
