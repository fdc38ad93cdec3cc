"""The blocks of one kind of layer: who holds each of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FREED = -1
"""Stands in a block table for a block that has left the window."""


class Pool:
    """The blocks of one kind of layer.

    Users are counted: the sequences that hold a block, and what keeps it for later. A block that
    is kept and that no sequence holds is *idle*: it counts as free, and is reclaimed when no other
    is left.

    Attributes
    ----------
    memory
        uint8 ``[layers, bytes per layer]``; pages appear when they are first written.
    blank
        Number of a block of zeros behind all others, which stands in for those before a window;
        only where there is one.
    window
        How many tokens a query sees, itself included; 0 for all.
    reclaim
        Makes an idle block free, by :meth:`let_go`, or says that there is none to make free.
    on_idle
        Called with a block that has become idle.
    idle
        The idle blocks.
    """

    def __init__(self, layers: int, blocks: int, block_bytes: int, window: int) -> None:
        self.window = window
        self.blocks = self.blank = blocks
        self.block_bytes = block_bytes
        there = blocks + 1 if window else blocks
        self.memory: NDArray[np.uint8] = np.zeros((layers, there * block_bytes), np.uint8)
        self.reclaim: Callable[[], bool] | None = None
        self.on_idle: Callable[[int], object] | None = None
        self.reset()

    def reset(self) -> None:
        """Take every block back."""
        self._users = [0] * self.blocks
        self._kept = [0] * self.blocks
        self._free = list(range(self.blocks - 1, -1, -1))
        self.idle: set[int] = set()

    @property
    def of_blocks(self) -> NDArray[np.uint8]:
        """The memory as uint8 ``[layers, blocks, bytes per block]``."""
        return self.memory.reshape(len(self.memory), -1, self.block_bytes)

    @property
    def free_blocks(self) -> int:
        """Blocks that no sequence holds."""
        return len(self._free) + len(self.idle)

    def is_shared(self, block: int) -> bool:
        """Whether ``block`` has several users, so that it is copied before it is written."""
        return self._users[block] > 1

    def users(self, block: int) -> tuple[int, int]:
        """How many users ``block`` has, and how many of them keep it for later."""
        return self._users[block], self._kept[block]

    def take(self) -> int:
        """A block with one user."""
        while not self._free and self.reclaim is not None and self.reclaim():
            pass
        block = self._free.pop()
        self._users[block] = 1
        return block

    def share(self, block: int) -> None:
        """Count one more user of ``block``."""
        if block != FREED:
            self._users[block] += 1
            self.idle.discard(block)

    def release(self, block: int) -> None:
        """Count one user less; without any, the block is free."""
        if block == FREED:
            return
        users = self._users[block] = self._users[block] - 1
        if not users:
            self._free.append(block)
        elif users == self._kept[block]:
            self.idle.add(block)
            if self.on_idle is not None:
                self.on_idle(block)

    def keep(self, block: int) -> None:
        """Keep a block that somebody holds for later."""
        self._users[block] += 1
        self._kept[block] += 1

    def let_go(self, block: int) -> None:
        """Keep ``block`` for one purpose less."""
        self._kept[block] -= 1
        users = self._users[block] = self._users[block] - 1
        if not users:
            self.idle.discard(block)
            self._free.append(block)

    def own(self, block: int) -> int:
        """``block`` if it has one user, else a copy of it."""
        if self._users[block] == 1:
            return block
        copy = self.take()
        self.of_blocks[:, copy] = self.of_blocks[:, block]
        self.release(block)
        return copy
