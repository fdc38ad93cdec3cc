"""How much room there is, in tokens and in bytes of gpt-oss-20b; and a model that stands for it.

The stand-in has the layers, windows and blocks of gpt-oss-20b and keeps a 512th of its bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.cache.codec import Raw
from pyhades.llm.cache.memory import MemoryLevel
from pyhades.llm.cache.policies import PolicyName
from pyhades.llm.cache.resuming import sees_everything
from pyhades.llm.cache.sizes import cache_tokens, cached_bytes_per_token
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.gpt_oss.sizes import gpt_oss_config
from pyhades.llm.models.layers import CACHE_BLOCK

REAL = gpt_oss_config("gpt-oss-20b")
STAND_IN: ModelConfig = replace(REAL, num_key_value_heads=1, head_dim=1)
"""Only what a cache asks of a model."""
TIMES = REAL.num_key_value_heads * REAL.head_dim
"""So many times as much does the real one keep."""
GB = 10**9


@dataclass(frozen=True)
class Rooms:
    """Room of the levels, in bytes of gpt-oss-20b.

    Attributes
    ----------
    memory
        Of level 1: keys and values in RAM, those of answers in progress and windows among them.
    below
        Of a level below it that takes what level 1 gives up, and keeps it over restarts.
    kv_format
        What the bytes are of: ``"int8"`` needs some half of ``"bf16"``.
    """

    memory: float
    below: float = 0.0
    kv_format: KvFormat = "bf16"

    @property
    def tokens(self) -> int:
        """For which level 1 has room."""
        return cache_tokens(REAL, self.kv_format, round(self.memory))

    @property
    def below_tokens(self) -> int:
        """For which the level below has room, if it kept no windows."""
        return round(self.below / bytes_per_token(self.kv_format))

    def __str__(self) -> str:
        words = f"{self.memory / GB:g} GB ({self.tokens / 1e3:.0f}k tokens)"
        if self.below:
            words += f" + {self.below / GB:g} GB ({self.below_tokens / 1e3:.0f}k tokens)"
        return words


class Disk(MemoryLevel):
    """Stands for a disk: keeps things over restarts, in as many bytes as gpt-oss-20b has."""

    name = "disk"
    outlives = True

    def __init__(self, room_bytes: int, policy: PolicyName, clock: Callable[[], float]) -> None:
        super().__init__(room_bytes, policy, codec=_AsLarge(), clock=clock)


class _AsLarge(Raw):
    """Contents of the stand-in, which count as those that they stand for."""

    def encode(self, contents: NDArray[np.uint8]) -> bytes:
        return _Counted(contents.tobytes())

    def decode(self, data: bytes, shape: Sequence[int]) -> NDArray[np.uint8]:
        return np.frombuffer(data, np.uint8).reshape(shape).copy()


class _Counted(bytes):
    def __len__(self) -> int:
        return super().__len__() * TIMES


def bytes_per_token(kv_format: KvFormat = "bf16", config: ModelConfig = REAL) -> int:
    """Of all layers that see everything."""
    layers = sum(map(sees_everything, config.layer_types))
    return layers * cached_bytes_per_token(config, kv_format)


def bytes_per_window(kv_format: KvFormat = "bf16", config: ModelConfig = REAL) -> int:
    """Of the last window of all layers that have one."""
    layers = len(config.layer_types) - sum(map(sees_everything, config.layer_types))
    blocks = -(-config.sliding_window // CACHE_BLOCK)
    return layers * blocks * CACHE_BLOCK * cached_bytes_per_token(config, kv_format)
