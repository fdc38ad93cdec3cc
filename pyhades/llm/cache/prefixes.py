"""What has been read before, to be found again by its tokens.

A tree of blocks of the KV cache. A block is named by a hash of the name of the one before it, of
its tokens, and at the root of all else that changes what is computed; so equal names are equal
contents. Layers that see everything keep one block per node. Layers with a sliding window keep the
last window before some nodes, the *checkpoints*, whole or not at all. Between them a window is
computed again, see :mod:`pyhades.llm.cache.resuming`. Without such layers every node is one.

Nothing that is kept here is ever in the way: blocks that no sequence holds are given up, those of
the lowest rank first, as soon as they are needed. See docs/decisions/0012 and 0016.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass

from pyhades.llm.cache.addresses import Address, Digest, Names, bytes_of, tokens_of
from pyhades.llm.cache.checkpoints import Blocks, Checkpoint, Checkpoints
from pyhades.llm.cache.exchange import Exchange
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.policies import POLICIES, PolicyName, Purpose, Use
from pyhades.llm.cache.pool import FREED, Pool
from pyhades.llm.cache.purposes import purpose_at_end
from pyhades.llm.cache.records import Key, Part
from pyhades.llm.cache.resuming import best_place
from pyhades.llm.cache.trail import Trail
from pyhades.llm.cache.tree import Node, Tree, root_node
from pyhades.llm.models.layers import CACHE_BLOCK

CHECKPOINT_TOKENS = 2048
"""Distance of the checkpoints of a long text.

A window of 128 tokens each adds a sixteenth to what layers that see everything keep of as many
tokens, where half of the layers have one. Between them windows are computed again.
"""


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
    """The tree with its checkpoints.

    Parameters
    ----------
    pools
        Where blocks come from, per kind of layer; at least one has no window.
    names
        How texts are named.
    reach
        Tokens by which a lost window is computed.
    policy
        What is given up first.
    levels
        Where to keep what there is no room for here, and what is to outlive the process.
    clock
        Seconds since the epoch.

    Attributes
    ----------
    tree
        Blocks of layers that see everything.
    windows
        The checkpoints.
    exchange
        With the levels below; None where there are none.
    """

    def __init__(
        self,
        pools: Mapping[str, Pool],
        names: Names,
        reach: int,
        policy: PolicyName,
        levels: Levels | None,
        clock: Callable[[], float],
    ) -> None:
        self.counts = PrefixCounts()
        self.names = names
        self._reach = reach
        self._clock = clock
        full = {kind: pool for kind, pool in pools.items() if not pool.window}
        windowed = {kind: pool for kind, pool in pools.items() if pool.window}
        assert full, "a tree hangs on the blocks of layers that see everything"
        self.tree = Tree(full, POLICIES[policy], self._node_goes)
        self.windows = Checkpoints(windowed, POLICIES[policy], self._window_goes)
        self.exchange: Exchange | None = None
        if levels is not None:
            self.exchange = Exchange(levels, self.tree, self.windows, reach, names.root, clock)

    def reset(self) -> None:
        """Forget everything; the pools are reset by their owner."""
        self.tree.reset()
        self.windows.reset()

    def __len__(self) -> int:
        """Blocks in the tree."""
        return len(self.tree.nodes)

    @property
    def checkpoints(self) -> int:
        """Windows that are kept."""
        return len(self.windows)

    # Finding.

    def address(self, tokens: Items[int], client: str = "", points: Items[int] = ()) -> Address:
        """The name of a prompt of a client, and where others are likely to go on from it."""
        address = Address(self.names, client)
        address.extend(tokens)
        address.turn = len(address.digests)
        address.points.update(point // CACHE_BLOCK for point in (*points, len(tokens) - 1))
        return address

    def look_up(self, address: Address) -> bool:
        """Note in ``address`` where its text need not be read again; whether it had to look."""
        version = self.tree.version + self.windows.version
        if address.as_of == version:
            return False
        address.as_of = version
        address.place = best_place(
            self.tree.known(address),
            self._reach,
            lambda depth: address.digests[depth - 1] in self.windows,
        )
        return True

    def known(self, address: Address) -> int:
        """How many blocks of a text are in the tree."""
        return self.tree.known(address)

    def idle_blocks(self, address: Address) -> dict[str, int]:
        """How many idle blocks resuming would take into use, per kind of layer."""
        idle = self.tree.idle(address)
        for kind, pool in self.windows.pools.items():
            idle[kind] = sum(block in pool.idle for block in self._window(address, kind))
        return idle

    def _window(self, address: Address, kind: str) -> list[int]:
        """The blocks of the window that a text is resumed with."""
        depth = address.place.checkpoint
        return self.windows.window(address.digests[depth - 1], kind) if depth else []

    # Using.

    def begin(self, address: Address) -> tuple[Trail, Blocks]:
        """The trail and the blocks of a new sequence, resumed where its text was found."""
        place = address.place
        root = root_node(self.names.root)
        path = [root, *(self.tree.nodes[digest] for digest in address.digests[: place.known])]
        blocks: Blocks = {}
        for kind in self.tree.pools:
            blocks[kind] = [node.blocks[kind] for node in path[1:]]
        depth, rest = divmod(place.start, CACHE_BLOCK)
        for kind in self.windows.pools:
            window = self._window(address, kind)
            blocks[kind] = [FREED] * (depth - len(window)) + window
        for pools in (self.tree.pools, self.windows.pools):
            for kind, pool in pools.items():
                for block in blocks[kind]:
                    pool.share(block)
        if place.start < place.known * CACHE_BLOCK:  # others may part from it here as well
            address.points.add(place.known)
        self._use(path[1:], path[place.checkpoint])
        begun = tokens_of(path[depth + 1].tokens)[:rest] if rest else []
        sound = place.sound if self.windows.pools else 0
        trail = Trail(path[depth], begun, address.points, address.client, address.turn,
                      place.sound, sound)  # fmt: skip
        return trail, blocks

    def _use(self, path: Items[Node], match: Node) -> None:
        """Take note that a path was used again, and the checkpoint at which it was resumed."""
        now = self._clock()
        for node in path:
            node.use.last = now
            node.use.count += 1
        checkpoint = self.windows.kept.get(match.digest)
        if checkpoint is not None:
            checkpoint.use.last = now
            checkpoint.use.count += 1
            self.windows.rank(checkpoint)
        if self.exchange is not None:
            self.exchange.used(path, checkpoint)

    def follow(self, trail: Trail, blocks: Blocks, tokens: Iterable[int]) -> None:
        """Take note of tokens that were read into ``blocks``, of which no window has gone yet."""
        trail.begun.extend(tokens)
        while len(trail.begun) >= CACHE_BLOCK and not trail.is_lost:
            node = self._child(trail, bytes_of(trail.begun[:CACHE_BLOCK]), blocks)
            if node is None:
                trail.is_lost = True
                return
            trail.node = node
            del trail.begun[:CACHE_BLOCK]
            is_due = (node.depth - trail.last) * CACHE_BLOCK >= CHECKPOINT_TOKENS
            if is_due or node.depth in trail.points:
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
        if not self.windows.pools or not node.depth or node.depth < trail.sound:
            return
        trail.last = node.depth
        windows = self.windows.window_of(node.depth, blocks)
        if node.digest in self.windows or windows is None:
            return
        is_turn = node.depth == trail.turn or node.depth in trail.points
        use = self._new_use(node.digest, node.depth, is_turn)
        checkpoint = self.windows.keep(node, windows, use)
        self.counts.checkpoints += 1
        if self.exchange is not None:
            self.exchange.window_came(checkpoint)

    def end(self, trail: Trail, blocks: Blocks, is_open: bool | None) -> None:
        """Take note that a sequence comes to its end, and of what it is kept for from now on.

        ``is_open`` says whether it is part of a chain of calls that goes on; None where it was
        broken off.
        """
        self.save(trail, blocks)
        now = self._clock()
        changed: dict[Purpose, list[Key]] = {}
        for node in trail.node.path():
            node.use.last, was = now, node.use.purpose
            is_of_prompt = node.depth <= trail.turn
            purpose = purpose_at_end(was, is_of_prompt=is_of_prompt, is_open=is_open)
            if purpose is not was:
                node.use.purpose = purpose
                changed.setdefault(purpose, []).append(Key(node.digest, Part.BLOCK))
            checkpoint = self.windows.kept.get(node.digest)
            if checkpoint is not None and self._window_ends(checkpoint, trail, is_open):
                key = Key(node.digest, Part.WINDOW)
                changed.setdefault(checkpoint.use.purpose, []).append(key)
        if self.exchange is not None:
            self.exchange.text_ended(trail.node)
            for purpose, keys in changed.items():
                self.exchange.touch(purpose, keys)

    def _window_ends(self, checkpoint: Checkpoint, trail: Trail, is_open: bool | None) -> bool:
        """Whether a window is kept for something else at the end of a text."""
        is_turn = checkpoint.node.depth == trail.turn
        if not is_turn and checkpoint.node is not trail.node:  # a chain goes on from those alone
            is_open = is_open and None
        was = checkpoint.use.purpose
        purpose = purpose_at_end(was, is_of_prompt=is_turn, is_open=is_open)
        if purpose is was:
            return False
        checkpoint.use.purpose = purpose
        self.windows.rank(checkpoint)
        return True

    def _child(self, trail: Trail, tokens: bytes, blocks: Blocks) -> Node | None:
        """The node of the next block of a sequence, which from now on holds the block in it.

        None where the name stands for other tokens.
        """
        parent = trail.node
        digest, depth = self.names.child(parent.digest, tokens, trail.client), parent.depth
        node = self.tree.nodes.get(digest)
        if node is None:
            mine = {kind: blocks[kind][depth] for kind in self.tree.pools}
            use = self._new_use(digest, depth + 1, depth < trail.turn)
            node = self.tree.add(parent, digest, tokens, mine, use)
            if self.exchange is not None:
                self.exchange.node_came(node)
            return node
        if node.tokens != tokens:
            return None
        for kind, pool in self.tree.pools.items():  # read a second time: one of the two is enough
            own = blocks[kind][depth]
            if own != node.blocks[kind]:
                pool.share(node.blocks[kind])
                blocks[kind][depth] = node.blocks[kind]
                pool.release(own)
        return node

    def _new_use(self, digest: Digest, depth: int, is_turn: bool) -> Use:
        now, purpose = self._clock(), Purpose.TURN if is_turn else Purpose.PLAIN
        if self.names.is_shared(digest):
            purpose = Purpose.DECLARED
        return Use(now, depth=depth, purpose=purpose, first=now)

    # Giving up.

    def _node_goes(self, node: Node) -> None:
        self.windows.give_up(node.digest)
        self.counts.evicted += 1
        if self.exchange is not None:
            self.exchange.node_goes(node)

    def _window_goes(self, checkpoint: Checkpoint) -> None:
        if self.exchange is not None:
            self.exchange.window_goes(checkpoint)
