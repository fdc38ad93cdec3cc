"""Calls of the kernel about memory and nodes, by number: the C library has no functions for them.

Every call answers with an error number, 0 where it worked; none raises.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import platform
import sys
from collections.abc import Sequence
from typing import Any

NUMBERS = {"mbind": 237, "set_mempolicy": 238, "get_mempolicy": 239, "move_pages": 279}
"""On x86-64; nothing is called on other machines."""

DEFAULT, PREFERRED = 0, 1
"""Policies: near the thread that touches first; on a node as long as it has room."""
MOVE_OWN = 2
"""Of ``mbind``: pages of this process that lie elsewhere are moved."""
NODE_OF_ADDRESS = 1 | 2
"""Of ``get_mempolicy``: answer with the node of the page at an address."""
MOST_NODES = 1024


def supported() -> bool:
    """Whether the numbers are those of this machine."""
    return sys.platform == "linux" and platform.machine() == "x86_64" and sys.maxsize > 2**32


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library


def _call(name: str, *arguments: Any) -> int:
    if not supported():
        return errno.ENOSYS
    ctypes.set_errno(0)
    done = _library().syscall(ctypes.c_long(NUMBERS[name]), *arguments)
    return 0 if done >= 0 else ctypes.get_errno()


def _mask(node: int | None) -> Any:
    """A set of at most one node, as the kernel reads it."""
    words = (ctypes.c_ulong * (MOST_NODES // 64))()
    if node is not None:
        words[node // 64] = 1 << node % 64
    return words


def mbind(address: int, length: int, node: int) -> int:
    """Prefer a node for the pages of a range, also for those that are there already."""
    if node >= MOST_NODES:
        return errno.EINVAL
    return _call(
        "mbind",
        ctypes.c_void_p(address),
        ctypes.c_ulong(length),
        ctypes.c_int(PREFERRED),
        _mask(node),
        ctypes.c_ulong(MOST_NODES + 1),  # the kernel takes one less
        ctypes.c_uint(MOVE_OWN),
    )


def set_mempolicy(node: int | None) -> int:
    """Prefer a node for all that the calling thread touches first; None ends that."""
    if node is not None and node >= MOST_NODES:
        return errno.EINVAL
    policy = DEFAULT if node is None else PREFERRED
    return _call(
        "set_mempolicy", ctypes.c_int(policy), _mask(node), ctypes.c_ulong(MOST_NODES + 1)
    )  # fmt: skip


def get_mempolicy() -> tuple[int, int]:
    """An error number, and the policy of the calling thread."""
    policy = ctypes.c_int(0)
    failed = _call(
        "get_mempolicy", ctypes.byref(policy), None, ctypes.c_ulong(0), None, ctypes.c_ulong(0)
    )
    return failed, policy.value


def node_of(address: int) -> tuple[int, int]:
    """An error number, and the node of the page at an address; the page is read for that."""
    node = ctypes.c_int(-1)
    failed = _call(
        "get_mempolicy",
        ctypes.byref(node),
        None,
        ctypes.c_ulong(0),
        ctypes.c_void_p(address),
        ctypes.c_ulong(NODE_OF_ADDRESS),
    )
    return failed, node.value


def nodes_of(addresses: Sequence[int]) -> tuple[int, list[int]]:
    """An error number, and the node of each page; negative where no page is there yet."""
    count = len(addresses)
    pages = (ctypes.c_void_p * count)(*addresses)
    status = (ctypes.c_int * count)()
    # Without a list of nodes to move them to, nothing is moved.
    failed = _call(
        "move_pages",
        ctypes.c_int(0),
        ctypes.c_ulong(count),
        pages,
        None,
        status,
        ctypes.c_int(0),
    )
    return failed, list(status)
