"""What goes from the pools to the levels below them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items
from dataclasses import replace

from pyhades.llm.cache.checkpoints import Checkpoint, Checkpoints
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.policies import Purpose, Use
from pyhades.llm.cache.pool import Pool
from pyhades.llm.cache.records import Key, Part, Record
from pyhades.llm.cache.tree import Node, Tree

WRITTEN_FROM = 4
"""Blocks of a text from which on it is worth to be written."""


class HandingDown:
    """Copies of what came, for levels that outlive the process, and of what goes, for others.

    Parameters
    ----------
    levels
        Those below the pools.
    tree, windows
        What is kept in the pools.
    clock
        Seconds since the epoch.
    """

    def __init__(
        self, levels: Levels, tree: Tree, windows: Checkpoints, clock: Callable[[], float]
    ) -> None:
        self._levels = levels
        self._tree = tree
        self._windows = windows
        self._clock = clock

    def node_came(self, node: Node) -> None:
        """Write a block through, and the first ones of its text once it has some."""
        if node.depth == WRITTEN_FROM:
            for each in reversed(list(node.path())):
                self._write(each)
        elif node.depth > WRITTEN_FROM:
            self._write(node)

    def window_came(self, checkpoint: Checkpoint) -> None:
        """Write a window through."""
        if checkpoint.node.depth >= WRITTEN_FROM:
            self._write_window(checkpoint)

    def text_ended(self, last: Node) -> None:
        """Write what could not be written when it came, or has been given up below since."""
        if last.depth < WRITTEN_FROM:
            return
        for node in reversed(list(last.path())):
            self._write(node)
            checkpoint = self._windows.kept.get(node.digest)
            if checkpoint is not None:
                self._write_window(checkpoint)

    def node_goes(self, node: Node) -> None:
        """A block leaves the pool."""
        key = Key(node.digest, Part.BLOCK)
        if self._levels.would_take(key) and not self._levels.copy_down(key):
            self._levels.take_down(self._block_record(node))

    def window_goes(self, checkpoint: Checkpoint) -> None:
        """A window leaves the pool."""
        key = Key(checkpoint.node.digest, Part.WINDOW)
        if self._levels.would_take(key) and not self._levels.copy_down(key):
            self._levels.take_down(self._window_record(checkpoint))

    def used(self, path: Items[Node], checkpoint: Checkpoint | None) -> None:
        """A beginning of a text was used again."""
        keys: dict[Purpose, list[Key]] = {}
        for node in path:
            keys.setdefault(node.use.purpose, []).append(Key(node.digest, Part.BLOCK))
        if checkpoint is not None:
            key = Key(checkpoint.node.digest, Part.WINDOW)
            keys.setdefault(checkpoint.use.purpose, []).append(key)
        for purpose, of_purpose in keys.items():
            self.touch(purpose, of_purpose)

    def touch(self, purpose: Purpose, keys: Items[Key]) -> None:
        """Blocks and windows were used, or are kept for something else by now."""
        self._levels.touch(keys, Use(self._clock(), purpose=purpose))

    def _write(self, node: Node) -> None:
        if self._levels.would_write(Key(node.digest, Part.BLOCK)):
            self._levels.write_through(self._block_record(node))

    def _write_window(self, checkpoint: Checkpoint) -> None:
        if self._levels.would_write(Key(checkpoint.node.digest, Part.WINDOW)):
            self._levels.write_through(self._window_record(checkpoint))

    def _block_record(self, node: Node) -> Record:
        blocks = {kind: [block] for kind, block in node.blocks.items()}
        return _record(node, Part.BLOCK, self._tree.pools, blocks, node.use)

    def _window_record(self, checkpoint: Checkpoint) -> Record:
        pools, blocks = self._windows.pools, checkpoint.windows
        return _record(checkpoint.node, Part.WINDOW, pools, blocks, checkpoint.use)


def _record(
    node: Node, part: Part, pools: Mapping[str, Pool], blocks: Mapping[str, list[int]], use: Use
) -> Record:
    assert node.parent is not None
    contents = {kind: pool.of_blocks[:, blocks[kind]] for kind, pool in pools.items()}
    key = Key(node.digest, part)
    return Record(key, node.parent.digest, node.tokens, contents, replace(use))
