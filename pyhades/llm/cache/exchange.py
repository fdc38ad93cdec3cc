"""What goes from the tree to the levels below it, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items
from dataclasses import replace
from weakref import WeakKeyDictionary

from pyhades.llm.cache.addresses import Address, Digest
from pyhades.llm.cache.checkpoints import Checkpoint, Checkpoints, first_of_window
from pyhades.llm.cache.fetch import Fetch
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.policies import Purpose, Use
from pyhades.llm.cache.pool import Pool
from pyhades.llm.cache.records import Key, Part, Record
from pyhades.llm.cache.resuming import best_place
from pyhades.llm.cache.tree import Node, Tree, root_node
from pyhades.llm.models.layers import CACHE_BLOCK

WRITTEN_FROM = 4
"""Blocks of a text from which on it is worth to be written."""
WORTH_FETCHING = 4 * CACHE_BLOCK
"""Tokens that need not be read once something was fetched."""
MOST_FETCHES = 3
"""How often more of a text is fetched: what comes may be gone again before the text begins."""


class Exchange:
    """The tree's side of the levels below.

    Parameters
    ----------
    levels
        Those below the pools.
    tree, windows
        What is kept in the pools.
    reach
        Tokens by which a lost window is computed.
    root
        What texts begin with.
    clock
        Seconds since the epoch.

    Attributes
    ----------
    fetched
        Blocks that came back.
    """

    def __init__(
        self,
        levels: Levels,
        tree: Tree,
        windows: Checkpoints,
        reach: int,
        root: Digest,
        clock: Callable[[], float],
    ) -> None:
        self.levels = levels
        self.fetched = 0
        self._tree = tree
        self._windows = windows
        self._reach = reach
        self._root = root
        self._clock = clock
        self._wanted: WeakKeyDictionary[Address, tuple[int, Items[Key]]] = WeakKeyDictionary()

    # Down.

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

    def _write(self, node: Node) -> None:
        if self.levels.would_write(Key(node.digest, Part.BLOCK)):
            self.levels.write_through(self._block_record(node))

    def _write_window(self, checkpoint: Checkpoint) -> None:
        if self.levels.would_write(Key(checkpoint.node.digest, Part.WINDOW)):
            self.levels.write_through(self._window_record(checkpoint))

    def node_goes(self, node: Node) -> None:
        """A block leaves the pool."""
        if self.levels.would_take(Key(node.digest, Part.BLOCK)):
            self.levels.take_down(self._block_record(node))

    def window_goes(self, checkpoint: Checkpoint) -> None:
        """A window leaves the pool."""
        if self.levels.would_take(Key(checkpoint.node.digest, Part.WINDOW)):
            self.levels.take_down(self._window_record(checkpoint))

    def touch(self, purpose: Purpose, keys: Items[Key]) -> None:
        """Blocks and windows were used, or are kept for something else by now."""
        self.levels.touch(keys, Use(self._clock(), purpose=purpose))

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

    def _block_record(self, node: Node) -> Record:
        blocks = {kind: [block] for kind, block in node.blocks.items()}
        return self._record(node, Part.BLOCK, self._tree.pools, blocks, node.use)

    def _window_record(self, checkpoint: Checkpoint) -> Record:
        pools, blocks = self._windows.pools, checkpoint.windows
        return self._record(checkpoint.node, Part.WINDOW, pools, blocks, checkpoint.use)

    @staticmethod
    def _record(
        node: Node, part: Part, pools: Mapping[str, Pool], blocks: Mapping[str, list[int]], use: Use
    ) -> Record:
        assert node.parent is not None
        contents = {kind: pool.of_blocks[:, blocks[kind]] for kind, pool in pools.items()}
        key = Key(node.digest, part)
        return Record(key, node.parent.digest, node.tokens, contents, replace(use))

    # Back.

    def order(self, address: Address) -> Fetch | None:
        """Have more of a text fetched, where there is enough below; None where there is not."""
        keys = self.wanted(address)
        if not keys:
            return None
        address.fetches += 1
        return self.levels.fetch(keys)

    def wanted(self, address: Address) -> Items[Key]:
        """What is to be fetched: blocks in order, then the window to go on with."""
        if address.fetches == MOST_FETCHES:
            return ()
        as_of, keys = self._wanted.get(address, (-1, ()))
        if as_of != address.as_of:
            keys = self._below(address)
            self._wanted[address] = address.as_of, keys
        return keys

    def _below(self, address: Address) -> list[Key]:
        digests, here = address.digests, address.place
        known = here.known
        while known < len(digests) and self.levels.has(Key(digests[known], Part.BLOCK)):
            known += 1
        there = best_place(
            known,
            self._reach,
            lambda depth: (
                digests[depth - 1] in self._windows
                or self.levels.has(Key(digests[depth - 1], Part.WINDOW))
            ),
        )
        if there.start - here.start < WORTH_FETCHING:
            return []
        depth = there.checkpoint or there.known
        keys = [Key(digest, Part.BLOCK) for digest in digests[here.known : depth]]
        if there.checkpoint and digests[depth - 1] not in self._windows:
            keys.append(Key(digests[depth - 1], Part.WINDOW))
        return keys

    def take_in(self, address: Address, fetch: Fetch) -> None:
        """Put what has come into the tree, where nobody holds it and others find it, too.

        It never takes more than is free, and ends the fetch where that is not enough.
        """
        records = fetch.taken()
        if not records:
            return
        known = self._tree.known(address)
        tip = self._tree.nodes[address.digests[known - 1]] if known else root_node(self._root)
        held = [tip] if known else []
        for node in held:  # what has a child that is held stays, too
            for kind, pool in self._tree.pools.items():
                pool.share(node.blocks[kind])
        for record in records:
            if record.key.part is Part.WINDOW:
                is_in = self._take_window(address, record)
            else:
                came = self._take_block(address, record, tip)
                is_in = came is not None
                if came is not None and came is not tip:
                    tip = came
                    held.append(came)
            if not is_in:
                fetch.cancel()
                break
        for node in reversed(held):
            for kind, pool in self._tree.pools.items():
                pool.release(node.blocks[kind])

    def _take_block(self, address: Address, record: Record, tip: Node) -> Node | None:
        """The node that follows ``tip`` in a text, or ``tip``, where the record is in it already.

        None where it does not follow, or there is no room.
        """
        digest, depth, pools = record.key.digest, tip.depth, self._tree.pools
        there = self._tree.nodes.get(digest)
        if there is not None and there.depth <= depth:
            return tip
        is_next = depth < len(address.digests) and digest == address.digests[depth]
        if not is_next or record.tokens != address.blocks[depth] or record.parent != tip.digest:
            return None
        if not _fits(record, pools, dict.fromkeys(pools, 1)):
            return None
        if not all(pool.free_blocks for pool in pools.values()):
            return None
        blocks = {kind: pool.take() for kind, pool in pools.items()}
        for kind, pool in pools.items():
            pool.of_blocks[:, blocks[kind]] = record.contents[kind][:, 0]
        self.fetched += 1
        use = replace(record.use, last=self._clock(), depth=depth + 1)
        return self._tree.add(tip, digest, record.tokens, blocks, use)

    def _take_window(self, address: Address, record: Record) -> bool:
        """Whether the windows are there now."""
        node, pools = self._tree.nodes.get(record.key.digest), self._windows.pools
        if node is None or node.tokens != record.tokens:
            return False
        if node.digest in self._windows:
            return True
        counts = {
            kind: node.depth - first_of_window(node.depth, pool.window)
            for kind, pool in pools.items()
        }
        if not _fits(record, pools, counts):
            return False
        if any(pool.free_blocks < counts[kind] for kind, pool in pools.items()):
            return False
        windows = {kind: [pool.take() for _ in range(counts[kind])] for kind, pool in pools.items()}
        for kind, pool in pools.items():
            pool.of_blocks[:, windows[kind]] = record.contents[kind]
        use = replace(record.use, last=self._clock(), depth=node.depth)
        self._windows.keep(node, windows, use)
        for kind, pool in pools.items():
            for block in windows[kind]:
                pool.release(block)
        return True


def _fits(record: Record, pools: Mapping[str, Pool], blocks: Mapping[str, int]) -> bool:
    """Whether a record has the shape that it should have."""
    shapes = {
        kind: (len(pool.memory), blocks[kind], pool.block_bytes) for kind, pool in pools.items()
    }
    return shapes == {kind: part.shape for kind, part in record.contents.items()}
