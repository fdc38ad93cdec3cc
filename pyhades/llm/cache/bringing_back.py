"""What comes back from the levels below the pools."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Items
from dataclasses import replace
from weakref import WeakKeyDictionary

from pyhades.llm.cache.addresses import Address
from pyhades.llm.cache.checkpoints import first_of_window
from pyhades.llm.cache.fetch import Fetch
from pyhades.llm.cache.kept import Kept
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.pool import Pool
from pyhades.llm.cache.records import Key, Part, Record
from pyhades.llm.cache.resuming import best_place
from pyhades.llm.cache.tree import Node, root_node
from pyhades.llm.models.layers import CACHE_BLOCK

WORTH_FETCHING = 4 * CACHE_BLOCK
"""Tokens that need not be read once something was fetched."""
MOST_FETCHES = 3
"""How often more of a text is fetched: what comes may be gone again before the text begins."""


class BringingBack:
    """Finds what the levels below have of texts, and takes it into the pools.

    Parameters
    ----------
    levels
        Those below the pools.
    kept
        What is kept in the pools.
    reach
        Tokens by which a lost window is computed.

    Attributes
    ----------
    blocks
        How many came back.
    """

    def __init__(self, levels: Levels, kept: Kept, reach: int) -> None:
        self.blocks = 0
        self._levels = levels
        self._kept = kept
        self._reach = reach
        self._wanted: WeakKeyDictionary[Address, tuple[int, Items[Key]]] = WeakKeyDictionary()

    def order(self, address: Address) -> Fetch | None:
        """Have more of a text fetched, where there is enough below; None where there is not."""
        keys = self.wanted(address)
        if not keys:
            return None
        address.fetches += 1
        return self._levels.fetch(keys)

    def wanted(self, address: Address) -> Items[Key]:
        """What is to be fetched: blocks in order, then the window to go on with."""
        if address.fetches == MOST_FETCHES:
            return ()
        as_of, keys = self._wanted.get(address, (-1, ()))
        if as_of != address.as_of:
            keys = self._worth_fetching(address)
            self._wanted[address] = address.as_of, keys
        return keys

    def _worth_fetching(self, address: Address) -> list[Key]:
        digests, here, windows = address.digests, address.place, self._kept.windows
        known = here.known
        while known < len(digests) and self._levels.has(Key(digests[known], Part.BLOCK)):
            known += 1

        def has_window(depth: int) -> bool:
            digest = digests[depth - 1]
            return digest in windows or self._levels.has(Key(digest, Part.WINDOW))

        there = best_place(known, self._reach, has_window)
        if there.start - here.start < WORTH_FETCHING:
            return []
        depth = there.checkpoint or there.known
        keys = [Key(digest, Part.BLOCK) for digest in digests[here.known : depth]]
        if there.checkpoint and digests[depth - 1] not in windows:
            keys.append(Key(digests[depth - 1], Part.WINDOW))
        return keys

    def take_in(self, address: Address, fetch: Fetch) -> None:
        """Put what has come into the tree, where nobody holds it and others find it, too.

        It never takes more than is free, and ends the fetch where that is not enough.
        """
        records = fetch.taken()
        if not records:
            return
        tree, pools = self._kept.tree, self._kept.tree.pools
        path = [tree.nodes[digest] for digest in address.digests[: tree.known(address)]]
        for node in path:  # what the text has must not make room for what it gets
            for kind, pool in pools.items():
                pool.share(node.blocks[kind])
        for record in records:
            if not self._take(address, record, path):
                fetch.cancel()
                break
        for node in reversed(path):
            for kind, pool in pools.items():
                pool.release(node.blocks[kind])

    def _take(self, address: Address, record: Record, path: list[Node]) -> bool:
        """Whether a record fits what is there of its text, and there is room for it."""
        if record.key.part is Part.WINDOW:
            return self._take_window(record)
        tip = path[-1] if path else root_node(self._kept.names.root)
        there = self._kept.tree.nodes.get(record.key.digest)
        if there is not None and there.depth <= tip.depth:
            return True
        depth, pools = tip.depth, self._kept.tree.pools
        is_next = address.digests[depth : depth + 1] == [record.key.digest]
        if not is_next or record.tokens != address.blocks[depth] or record.parent != tip.digest:
            return False
        if not _fits(record, pools, dict.fromkeys(pools, 1)):
            return False
        blocks = {kind: pool.take() for kind, pool in pools.items()}
        for kind, pool in pools.items():
            pool.of_blocks[:, blocks[kind]] = record.contents[kind][:, 0]
        use = replace(record.use, last=self._kept.clock(), depth=depth + 1)
        path.append(self._kept.tree.add(tip, record.key.digest, record.tokens, blocks, use))
        self.blocks += 1
        return True

    def _take_window(self, record: Record) -> bool:
        """Whether the windows are there now."""
        windows, pools = self._kept.windows, self._kept.windows.pools
        node = self._kept.tree.nodes.get(record.key.digest)
        if node is None or node.tokens != record.tokens:
            return False
        if node.digest in windows:
            return True
        counts = {
            kind: node.depth - first_of_window(node.depth, pool.window)
            for kind, pool in pools.items()
        }
        if not _fits(record, pools, counts):
            return False
        blocks = {kind: [pool.take() for _ in range(counts[kind])] for kind, pool in pools.items()}
        for kind, pool in pools.items():
            pool.of_blocks[:, blocks[kind]] = record.contents[kind]
        use = replace(record.use, last=self._kept.clock(), depth=node.depth)
        windows.keep(node, blocks, use)
        for kind, pool in pools.items():
            for block in blocks[kind]:
                pool.release(block)
        return True


def _fits(record: Record, pools: Mapping[str, Pool], blocks: Mapping[str, int]) -> bool:
    """Whether a record has the shape that it should have, and there is room for it."""
    shapes = {
        kind: (len(pool.memory), blocks[kind], pool.block_bytes) for kind, pool in pools.items()
    }
    has_room = all(pool.free_blocks >= blocks[kind] for kind, pool in pools.items())
    return has_room and shapes == {kind: part.shape for kind, part in record.contents.items()}
