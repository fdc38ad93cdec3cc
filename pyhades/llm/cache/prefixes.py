"""What has been read before, to be found again by its tokens.

A tree of blocks of the KV cache. A block is named by a hash of the name of the one before it, of
its tokens, and at the root of all else that changes what is computed; so equal names are equal
contents. Layers that see everything keep one block per node. Layers with a sliding window keep the
last window before some nodes, the *checkpoints*, whole or not at all. Between them a window is
computed again, see :mod:`pyhades.llm.cache.resuming`. Without such layers every node is one.

Nothing that is kept here is ever in the way: blocks that no sequence holds are given up, those that
were used longest ago first, as soon as they are needed. See docs/decisions/0012.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from functools import partial

from pyhades.llm.cache.addresses import (
    Address,
    Digest,
    Node,
    bytes_of,
    digest_of,
    root_of,
    tokens_of,
)
from pyhades.llm.cache.pool import FREED, Pool
from pyhades.llm.cache.resuming import best_place
from pyhades.llm.models.layers import CACHE_BLOCK

CHECKPOINT_TOKENS = 2048
"""Distance of the checkpoints of a long text.

A window of 128 tokens each adds a sixteenth to what layers that see everything keep of as many
tokens, where half of the layers have one. Between them windows are computed again.
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
    sound
        Depth from which on its windows are right: before, those that were lost are on their way.
    """

    node: Node
    begun: list[int]
    points: set[int]
    last: int = 0
    sound: int = 0

    @property
    def length(self) -> int:
        """Tokens of the text so far."""
        return self.node.depth * CACHE_BLOCK + len(self.begun)

    def copy(self) -> Trail:
        """For another sequence with the same text."""
        return Trail(self.node, list(self.begun), set(), self.last, self.sound)


@dataclass
class PrefixCounts:
    """What reuse has brought so far, in tokens of prompts but where it says otherwise."""

    asked: int = 0
    found: int = 0
    checkpoints: int = 0
    """Windows that were kept."""
    evicted: int = 0
    """Blocks of layers that see everything which were given up."""
    rederived: int = 0
    """Tokens that went through the model once more, for windows."""


class Prefixes:
    """The tree.

    Parameters
    ----------
    pools
        Where blocks come from, per kind of layer; at least one has no window.
    facts
        What changes the contents of blocks besides tokens, by name: the model, formats.
    reach
        Tokens by which a lost window is computed.
    """

    def __init__(self, pools: Mapping[str, Pool], facts: Mapping[str, str], reach: int) -> None:
        self.counts = PrefixCounts()
        self._facts = facts
        self._reach = reach
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
            digests = address.digests
            address.place = best_place(
                self.known(digests),
                self._reach,
                lambda depth: not self._windowed or digests[depth - 1] in self._checkpoints,
            )

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

    def idle_blocks(self, address: Address) -> dict[str, int]:
        """How many idle blocks resuming would take into use, per kind of layer."""
        idle = dict.fromkeys([*self._full, *self._windowed], 0)
        known = address.place.known
        for kind, pool in self._full.items():
            # Where a sequence holds a block, it holds all before it.
            low, high = 0, known
            while low < high:
                middle = (low + high) // 2
                if self._nodes[address.digests[middle]].blocks[kind] in pool.idle:
                    high = middle
                else:
                    low = middle + 1
            idle[kind] = known - low
        for kind, pool in self._windowed.items():
            idle[kind] = sum(block in pool.idle for block in self._window(address, kind))
        return idle

    def _window(self, address: Address, kind: str) -> list[int]:
        """The blocks of the window that a text is resumed with."""
        depth = address.place.checkpoint
        return self._checkpoints[address.digests[depth - 1]][kind] if depth else []

    # Using.

    def begin(self, address: Address) -> tuple[Trail, Blocks]:
        """The trail and the blocks of a new sequence, resumed where its text was found."""
        place = address.place
        root = Node(address.root, None, 0, b"", {})
        path = [root, *(self._nodes[digest] for digest in address.digests[: place.known])]
        blocks: Blocks = {}
        for kind, pool in self._full.items():
            blocks[kind] = [node.blocks[kind] for node in path[1:]]
            for block in blocks[kind]:
                pool.share(block)
        depth, rest = divmod(place.start, CACHE_BLOCK)
        for kind, pool in self._windowed.items():
            window = self._window(address, kind)
            blocks[kind] = [FREED] * (depth - len(window)) + window
            for block in window:
                pool.share(block)
        if place.start < place.known * CACHE_BLOCK:  # others may part from it here as well
            address.points.add(place.known)
        if self._windowed and place.checkpoint:
            self._checkpoints.move_to_end(path[place.checkpoint].digest)
        begun = tokens_of(path[depth + 1].tokens)[:rest] if rest else []
        sound = place.sound if self._windowed else 0
        return Trail(path[depth], begun, address.points, place.sound, sound), blocks

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
            trail.begun[:0] = tokens_of(trail.node.tokens)
            trail.node = trail.node.parent
        del trail.begun[length - trail.node.depth * CACHE_BLOCK :]
        trail.last = min(trail.last, trail.node.depth)

    def save(self, trail: Trail, blocks: Blocks) -> None:
        """Make a checkpoint of the last full block of a sequence, where its windows are right."""
        node = trail.node
        if not self._windowed or not node.depth or node.depth < trail.sound:
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
