"""What is kept in the pools, and what it is kept for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyhades.llm.cache.addresses import Digest, Names
from pyhades.llm.cache.checkpoints import Checkpoint, Checkpoints
from pyhades.llm.cache.handing_down import HandingDown
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.policies import POLICIES, PolicyName, Purpose, Use
from pyhades.llm.cache.pool import Pool
from pyhades.llm.cache.tree import Node, Tree


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


class Kept:
    """The tree with its checkpoints, and what they hand down.

    Parameters
    ----------
    pools
        Where blocks come from, per kind of layer; at least one has no window.
    names
        How texts are named.
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
    down
        To the levels below; None where there are none.
    """

    def __init__(
        self,
        pools: Mapping[str, Pool],
        names: Names,
        policy: PolicyName,
        levels: Levels | None,
        clock: Callable[[], float],
    ) -> None:
        self.counts = PrefixCounts()
        self.names = names
        self.clock = clock
        full = {kind: pool for kind, pool in pools.items() if not pool.window}
        windowed = {kind: pool for kind, pool in pools.items() if pool.window}
        assert full, "a tree hangs on the blocks of layers that see everything"
        self.tree = Tree(full, POLICIES[policy], self._node_goes)
        self.windows = Checkpoints(windowed, POLICIES[policy], self._window_goes)
        self.down: HandingDown | None = None
        if levels is not None:
            self.down = HandingDown(levels, self.tree, self.windows, clock)

    def reset(self) -> None:
        """Forget everything; the pools are reset by their owner."""
        self.tree.reset()
        self.windows.reset()

    @property
    def version(self) -> int:
        """Changes whenever something comes or goes."""
        return self.tree.version + self.windows.version

    def add(
        self, parent: Node, digest: Digest, tokens: bytes, blocks: dict[str, int], *, is_turn: bool
    ) -> Node:
        """A node for blocks that somebody holds, and that were just read."""
        use = self._new_use(digest, parent.depth + 1, is_turn=is_turn)
        node = self.tree.add(parent, digest, tokens, blocks, use)
        if self.down is not None:
            self.down.node_came(node)
        return node

    def add_window(self, node: Node, blocks: dict[str, list[int]], *, is_turn: bool) -> None:
        """Make a checkpoint of the blocks of a sequence, where there is none and it has them."""
        windows = self.windows.window_of(node.depth, blocks)
        if node.digest in self.windows or windows is None:
            return
        use = self._new_use(node.digest, node.depth, is_turn=is_turn)
        checkpoint = self.windows.keep(node, windows, use)
        self.counts.checkpoints += 1
        if self.down is not None:
            self.down.window_came(checkpoint)

    def _new_use(self, digest: Digest, depth: int, *, is_turn: bool) -> Use:
        now, purpose = self.clock(), Purpose.TURN if is_turn else Purpose.PLAIN
        if self.names.is_shared(digest):
            purpose = Purpose.DECLARED
        return Use(now, depth=depth, purpose=purpose, first=now)

    def _node_goes(self, node: Node) -> None:
        self.windows.give_up(node.digest)
        self.counts.evicted += 1
        if self.down is not None:
            self.down.node_goes(node)

    def _window_goes(self, checkpoint: Checkpoint) -> None:
        if self.down is not None:
            self.down.window_goes(checkpoint)
