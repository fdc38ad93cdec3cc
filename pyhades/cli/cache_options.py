"""Options of every command that opens a language model, about what it keeps and how it writes."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from pyhades.cli.options import Command, together
from pyhades.kernels.paged_attention import KV_FORMATS
from pyhades.llm.cache.policies import PolicyName

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def size(text: str) -> int:
    """Bytes, such as ``16GB``, ``512MiB`` or ``1000000``.

    Raises
    ------
    ValueError
        It is no size.

    Examples
    --------
    >>> size("1.5GB"), size("2kib")
    (1500000000, 2048)
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no size such as 16GB or 512MiB")
    number, unit, is_binary = found.groups()
    return int(float(number) * math.pow(1024 if is_binary else 1000, _POWERS[unit.lower()]))


_OPTIONS = (
    click.option("--kv-format", type=click.Choice(KV_FORMATS), default="bf16", show_default=True),
    click.option("--kv-memory", type=size, help="Bytes for keys and values, such as 4GB."),
    click.option(
        "--cache-dir", type=click.Path(path_type=Path, file_okay=False),
        help="Folder in which what was read outlives the process; its files hold the prompts.",
    ),
    click.option("--cache-bytes", type=size, help="Room in that folder, such as 50GB."),
    click.option("--cache-memory", type=size, help="For what --kv-memory has no room for."),
    click.option("--cache-policy", type=click.Choice(get_args(PolicyName)), default="class",
                 show_default=True, help="What is given up first."),
    click.option("--speculation/--no-speculation", default=None,
                 help="Write several tokens at a time; by default where it pays."),
)  # fmt: skip
_NAMES = ("kv_format", "kv_memory", "cache_dir", "cache_bytes", "cache_memory", "cache_policy",
          "speculation")  # fmt: skip


def cache_options(command: Command) -> Command:
    """``--kv-memory``, ``--cache-dir`` and the like as one argument ``cache``.

    It has keywords of :class:`pyhades.LLM`.
    """

    @functools.wraps(command)
    def with_options(*arguments: Any, **given: Any) -> Any:
        cache = {name: given.pop(name) for name in _NAMES}
        cache["cache_memory"] = cache["cache_memory"] or 0
        return command(*arguments, cache=cache, **given)

    decorate: Callable[[Any], Any] = together(*_OPTIONS)
    return decorate(with_options)  # type: ignore[no-any-return]
