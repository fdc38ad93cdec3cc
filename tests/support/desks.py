"""A desk without a server: its ids are counted, and its clock stands still."""

from __future__ import annotations

import itertools

from pyhades.server.protocol.face import Desk
from pyhades.server.sessions import OpenChains, StoredResponses
from pyhades.server.settings import Settings
from tests.support.toy_tokenizer import toy_tokenizer


def desk(client: str = "alice", **shared) -> Desk:
    """A desk of a client; ``chains`` and ``stored`` may be those of another one."""
    numbers = itertools.count()
    fields = {"chains": OpenChains(100), "stored": StoredResponses(100), **shared}
    return Desk(
        model="script", client=client, settings=Settings(secret=b"s" * 32),
        tokenizer=toy_tokenizer(), fingerprint="fp_0", now=lambda: 1e9,
        new_id=lambda: f"{next(numbers):032x}", **fields,
    )  # fmt: skip
