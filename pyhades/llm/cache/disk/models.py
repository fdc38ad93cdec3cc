"""One folder for the caches of many models, which share its room."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from pyhades.errors import ConfigurationError
from pyhades.llm.cache.clock import steady_time
from pyhades.llm.cache.codec import CODECS, Codec
from pyhades.llm.cache.disk.files import ABOUT, FILE_MODE
from pyhades.llm.cache.disk.framing import LAYOUT, Shapes
from pyhades.llm.cache.disk.level import BYTES_OF_SEGMENT, DiskLevel
from pyhades.llm.cache.disk.opening import is_writable, make_folder
from pyhades.llm.cache.policies import DEFAULT_POLICY, Policy, PolicyName

NAME = "name"
"""The fact that is for people."""


def open_disk_level(
    cache_dir: str | os.PathLike[str],
    facts: Mapping[str, str],
    room_bytes: int,
    shapes: Shapes,
    policy: PolicyName | Policy = DEFAULT_POLICY,
    *,
    codec: Codec = CODECS["raw"],
    segment_bytes: int = BYTES_OF_SEGMENT,
    clock: Callable[[], float] = steady_time,
) -> DiskLevel:
    """The level of one model and format, in a folder of its own below ``cache_dir``.

    All models there share the room. Where it is full, the oldest segments of other models go
    first, unless somebody writes them.

    Parameters
    ----------
    cache_dir
        Made if it does not exist.
    facts
        What tells contents of this model from those of others: everything that changes what is
        computed. What is called ``"name"`` is shown to people, and tells nothing apart: a model
        that was moved is still the same.
    room_bytes
        For the files of all models.
    shapes, policy, codec, segment_bytes, clock
        See :class:`pyhades.llm.cache.disk.DiskLevel`.

    Raises
    ------
    ArgumentError
        There is no room for anything, no such policy.
    ConfigurationError
        The folders cannot be made, or neither written nor read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     facts = {"name": "toy", "keys and values": "bf16"}
    ...     level = open_disk_level(folder, facts, 1 << 20, {"full_attention": (2, 64)})
    ...     about(level.folder)["name"]
    'toy'
    """
    root = Path(cache_dir).absolute()
    folder = root / fingerprint(facts, shapes)
    make_folder(root)
    make_folder(folder)
    if about(folder) != dict(facts) and is_writable(folder):
        describe(folder, facts)
    return DiskLevel(
        folder, room_bytes, shapes, policy,
        codec=codec, segment_bytes=segment_bytes, root=root, clock=clock,
    )  # fmt: skip


def fingerprint(facts: Mapping[str, str], shapes: Shapes) -> str:
    """The name of a model's folder: 20 letters and digits.

    Examples
    --------
    >>> one = fingerprint({"weights": "1"}, {})
    >>> len(one), one == fingerprint({"weights": "2"}, {})
    (20, False)
    >>> one == fingerprint({"weights": "1", "name": "toy"}, {})
    True
    """
    telling = sorted(fact for fact in facts.items() if fact[0] != NAME)
    told = [LAYOUT, telling, sorted((k, *map(int, v)) for k, v in shapes.items())]
    return sha256(json.dumps(told).encode()).hexdigest()[:20]


def describe(folder: Path, facts: Mapping[str, str]) -> None:
    """Write down whose records a folder holds, for people: ``about.json``.

    Raises
    ------
    ConfigurationError
        It cannot be written. What stood there before still does.
    """
    data = json.dumps({"layout": LAYOUT, "facts": dict(facts)}, indent=2).encode()
    part = folder / f"{ABOUT}.{secrets.token_hex(4)}.part"
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        part.replace(folder / ABOUT)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ConfigurationError(
            f"cannot write {folder / ABOUT}: {error.strerror}; make room there, or choose another "
            "folder for the cache"
        ) from error


def about(folder: Path) -> dict[str, str]:
    """The facts of :func:`describe`; empty where there are none."""
    try:
        facts = json.loads((folder / ABOUT).read_bytes())["facts"]
        return {str(name): str(value) for name, value in facts.items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}
