"""The levels that somebody asks for, opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pyhades.errors import ArgumentError
from pyhades.llm.cache.codec import codec_of
from pyhades.llm.cache.disk import open_disk_level
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.memory import MemoryLevel
from pyhades.llm.cache.options import CacheOptions
from pyhades.llm.cache.records import Level
from pyhades.llm.cache.resuming import sees_everything
from pyhades.llm.cache.sizes import cached_bytes_per_token
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.layers import CACHE_BLOCK
from pyhades.llm.text.level_counts import LevelCounts

Facts = Mapping[str, str]


def open_levels(
    options: CacheOptions, config: ModelConfig, name: str, facts: Callable[[], Facts]
) -> tuple[Levels | None, Facts]:
    """The levels below the blocks in memory, the fastest first; None where none are asked for.

    Parameters
    ----------
    options
        What is asked for.
    config
        The model.
    name
        Of the model, for people.
    facts
        Makes what tells contents of this model from others. It takes a while, and is called only
        where something outlives the process.

    Returns
    -------
    levels, facts
        The facts are those that names begin with; none where nothing outlives the process.

    Raises
    ------
    ArgumentError
        The model has no layer that sees everything, so that nothing can be kept.
    ConfigurationError
        The folder can neither be written nor read.
    """
    if not options.has_levels:
        return None, {}
    if not any(map(sees_everything, config.layer_types)):
        raise ArgumentError(
            f"{name} has no layer that sees everything, so nothing of it can be kept; "
            "leave out cache_dir and cache_memory"
        )
    codec, known = codec_of(options.kv_format), {}
    levels: list[Level] = []
    if options.cache_memory:
        levels.append(MemoryLevel(options.cache_memory, options.cache_policy, codec=codec))
    if options.cache_dir is not None:
        known = dict(facts())
        levels.append(
            open_disk_level(
                options.folder, {"name": name, **known}, options.room_on_disk,
                shapes_of(config, options), options.cache_policy, codec=codec,
            )
        )  # fmt: skip
    return Levels(levels), known


def shapes_of(config: ModelConfig, options: CacheOptions) -> dict[str, tuple[int, int]]:
    """Per kind of layer, how many there are, and the bytes of a block in each."""
    block_bytes = CACHE_BLOCK * cached_bytes_per_token(config, options.kv_format)
    kinds = dict.fromkeys(config.layer_types)
    return {kind: (config.layer_types.count(kind), block_bytes) for kind in kinds}


def told_of(levels: Sequence[LevelCounts], options: CacheOptions) -> str:
    """Which levels there are below the blocks in memory, and how contents are kept there.

    Examples
    --------
    >>> told_of([LevelCounts("memory", room=10**9)], CacheOptions(kv_format="int8"))
    ', cache: 1.0 GB of memory, codec raw'
    """
    told = []
    for level in levels:
        place = f" in {options.folder}" if level.name == "disk" else ""
        told.append(f"{_size(level.room)} of {level.name}{place}")
    return f", cache: {', '.join(told)}, codec {codec_of(options.kv_format).name}"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
