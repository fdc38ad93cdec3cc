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

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items

from pyhades.llm.cache.addresses import Address, Names, tokens_of
from pyhades.llm.cache.bringing_back import BringingBack
from pyhades.llm.cache.checkpoints import Blocks
from pyhades.llm.cache.kept import Kept
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.policies import PolicyName
from pyhades.llm.cache.pool import FREED, Pool
from pyhades.llm.cache.resuming import best_place
from pyhades.llm.cache.trails import Trail
from pyhades.llm.cache.tree import Node, root_node
from pyhades.llm.models.layers import CACHE_BLOCK


class Prefixes(Kept):
    """What is kept, and how texts find what they begin with.

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
    below
        What the levels below have of texts; None where there are none.
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
        super().__init__(pools, names, policy, levels, clock)
        self._reach = reach
        self.below: BringingBack | None = None
        if levels is not None:
            self.below = BringingBack(levels, self, reach)

    def __len__(self) -> int:
        """Blocks in the tree."""
        return len(self.tree.nodes)

    @property
    def checkpoints(self) -> int:
        """Windows that are kept."""
        return len(self.windows)

    def address(self, tokens: Items[int], client: str = "", points: Items[int] = ()) -> Address:
        """The name of a prompt of a client, and where others are likely to go on from it."""
        address = Address(self.names, client)
        address.extend(tokens)
        address.turn = len(address.digests)
        address.points.update(point // CACHE_BLOCK for point in (*points, len(tokens) - 1))
        return address

    def look_up(self, address: Address) -> None:
        """Note in ``address`` where its text need not be read again."""
        if address.as_of == self.version:
            return
        address.as_of = self.version
        address.place = best_place(
            self.tree.known(address),
            self._reach,
            lambda depth: address.digests[depth - 1] in self.windows,
        )

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
        now = self.clock()
        for node in path:
            node.use.last = now
            node.use.count += 1
        checkpoint = self.windows.kept.get(match.digest)
        if checkpoint is not None:
            checkpoint.use.last = now
            checkpoint.use.count += 1
            self.windows.rank(checkpoint)
        if self.down is not None:
            self.down.used(path, checkpoint)
