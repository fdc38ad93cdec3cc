"""The last windows before some places of texts, each kept or given up as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pyhades.llm.cache.addresses import Digest
from pyhades.llm.cache.eviction import Candidates
from pyhades.llm.cache.policies import Policy, Use
from pyhades.llm.cache.pool import FREED, Pool
from pyhades.llm.cache.tree import Node
from pyhades.llm.models.layers import CACHE_BLOCK

Blocks = dict[str, list[int]]
"""Blocks, per kind of layer."""


@dataclass(eq=False, slots=True)
class Checkpoint:
    """The window of every layer that has one, before the end of a block.

    Attributes
    ----------
    node
        The block.
    windows
        Blocks per kind of layer, the last one with it at its end.
    use
        How it was used: as the place at which a text was resumed.
    """

    node: Node
    windows: Blocks
    use: Use


class Checkpoints:
    """Windows, by the name of the block that they end with.

    Parameters
    ----------
    pools
        Of layers with a window; there may be none.
    policy
        What is given up first.
    given_up
        Called with a checkpoint before its blocks are let go.
    """

    def __init__(
        self, pools: Mapping[str, Pool], policy: Policy, given_up: Callable[[Checkpoint], object]
    ) -> None:
        self.pools = pools
        self._policy = policy
        self._given_up = given_up
        for kind, pool in pools.items():
            pool.reclaim = partial(self._give_up_lowest, kind)
        self.reset()

    def reset(self) -> None:
        """Forget everything; the pools are reset by their owner."""
        self.kept: dict[Digest, Checkpoint] = {}
        self.version = 0
        self._order: Candidates[Digest] = Candidates()

    def __len__(self) -> int:
        return len(self.kept)

    def __contains__(self, digest: Digest) -> bool:
        return not self.pools or digest in self.kept

    def window(self, digest: Digest, kind: str) -> list[int]:
        """The blocks of a window."""
        return self.kept[digest].windows[kind]

    def window_of(self, depth: int, blocks: Blocks) -> Blocks | None:
        """Of the blocks of a sequence those of the window; None where they are gone."""
        windows = {
            kind: blocks[kind][first_of_window(depth, pool.window) : depth]
            for kind, pool in self.pools.items()
        }
        return None if any(FREED in window for window in windows.values()) else windows

    def keep(self, node: Node, windows: Blocks, use: Use) -> Checkpoint:
        """Keep blocks that somebody holds."""
        for kind, pool in self.pools.items():
            for block in windows[kind]:
                pool.keep(block)
        checkpoint = self.kept[node.digest] = Checkpoint(node, windows, use)
        self.rank(checkpoint)
        self.version += 1
        return checkpoint

    def rank(self, checkpoint: Checkpoint) -> None:
        """Take note of how it is used by now."""
        self._order.put(checkpoint.node.digest, self._policy(checkpoint.use))

    def give_up(self, digest: Digest) -> None:
        """Let go of a window, if there is one."""
        checkpoint = self.kept.pop(digest, None)
        if checkpoint is None:
            return
        self._order.discard(digest)
        self._given_up(checkpoint)
        for kind, pool in self.pools.items():
            for block in reversed(checkpoint.windows[kind]):
                pool.let_go(block)
        self.version += 1

    def _give_up_lowest(self, kind: str) -> bool:
        """Make room among the blocks of a kind; whether there is any more to make."""
        pool, held = self.pools[kind], []
        while (digest := self._order.take()) is not None:
            checkpoint = self.kept[digest]
            if any(block in pool.idle for block in checkpoint.windows[kind]):
                break
            held.append(checkpoint)  # by those who stand there: it makes no room
        for checkpoint in held:
            self.rank(checkpoint)
        if digest is not None:
            self.give_up(digest)
        return digest is not None


def first_of_window(depth: int, window: int) -> int:
    """Index of the first block that the token after ``depth`` blocks sees."""
    return max(depth * CACHE_BLOCK + 1 - window, 0) // CACHE_BLOCK
