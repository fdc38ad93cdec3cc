"""Where a text goes on whose beginning was read before.

Layers that see everything keep each block; layers with a window only some windows, the checkpoints.
Between them a lost window is computed again: the tokens before go through the model once more,
while layers that see everything read what stands there and write nothing. A token is right in a
layer where it is in the layers before, as are all that the layer's window shows; so from one
windowed layer to the next, what is right begins a window less one token further to the right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.layers import CACHE_BLOCK


@dataclass(frozen=True)
class Place:
    """Where a text is resumed.

    Attributes
    ----------
    known
        Blocks of which layers that see everything have keys and values.
    start
        Tokens that need not go through the model.
    sound
        Blocks before the first place at which everything is right: a checkpoint, which is where
        the text starts, or all that are known, where the window before them is computed again.
    """

    known: int = 0
    start: int = 0
    sound: int = 0

    @property
    def checkpoint(self) -> int:
        """Depth of the window that it starts with; 0 for none."""
        return self.sound if self.start == self.sound * CACHE_BLOCK else 0


def best_place(known: int, reach: int, has_checkpoint: Callable[[int], bool]) -> Place:
    """Where least has to be read.

    Parameters
    ----------
    known
        Blocks that layers that see everything have.
    reach
        Tokens by which a lost window is computed, see :func:`reach_of`.
    has_checkpoint
        Whether there is a window before the end of so many blocks.

    Examples
    --------
    >>> best_place(100, 62, lambda depth: depth == 98)
    Place(known=100, start=1568, sound=98)
    >>> best_place(100, 62, lambda depth: depth == 90)
    Place(known=100, start=1538, sound=100)
    """
    start = max(known * CACHE_BLOCK - reach, 0)
    nearest = -(-start // CACHE_BLOCK)
    for depth in range(known, nearest - 1, -1):
        if not depth or has_checkpoint(depth):
            return Place(known, depth * CACHE_BLOCK, depth)
    return Place(known, start, known)


def reach_of(config: ModelConfig) -> int:
    """Tokens before a place that, read again, give every window there as if it were never lost.

    Examples
    --------
    >>> from pyhades.llm.models.gpt_oss.sizes import gpt_oss_config
    >>> reach_of(gpt_oss_config())
    1524
    """
    windowed = sum(not sees_everything(kind) for kind in config.layer_types)
    return windowed * (config.sliding_window - 1) if windowed else 0


def sees_everything(kind: str) -> bool:
    """Whether a query of such a layer sees all tokens before it, and not a window of them."""
    return kind != "sliding_attention"
