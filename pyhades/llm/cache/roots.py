"""What the names of texts begin with: everything besides tokens that changes what is computed.

Contents that outlive the process are found again by whoever computes the same, to the bit, and by
nobody else: another file of the same shape, another precision or tier have other names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

import pyhades
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.layers import CACHE_BLOCK
from pyhades.llm.models.weights import Experts, Linear, ModelWeights
from pyhades.llm.text.tokenizer import Tokenizer
from pyhades.quant import LAYOUT, PackedWeight

RECORDS = "1"
"""Of what a record holds: a number of its own for every change of its meaning."""
PIECE_BYTES = 32 << 20
"""That a thread sums up at a time."""


def facts_of(
    config: ModelConfig,
    weights: ModelWeights[Any],
    tokenizer: Tokenizer | None,
    *,
    kv_format: KvFormat,
    tier: str,
    digest: str,
) -> dict[str, str]:
    """What tells the contents of one model and setting from all others, by name.

    Parameters
    ----------
    config
        With the rotary frequencies and all else that the weights do not say.
    weights
        Their precision, and what their products take in.
    tokenizer
        None where there is none.
    kv_format
        Of keys and values.
    tier
        Instruction set of the kernels: two tiers round differently.
    digest
        Of the weights, see :func:`weights_digest`.
    """
    return {
        "model": repr(config),
        "weights": digest,
        "precision": weights.precision,
        "activations": weights.activations,
        "keys and values": kv_format,
        "block": str(CACHE_BLOCK),
        "tokenizer": "" if tokenizer is None else tokenizer.digest,
        "tier": tier,
        "layout": f"{LAYOUT}, records {RECORDS}",
        "version": pyhades.__version__,
    }


@dataclass(frozen=True)
class _Part:
    """Some bytes of the weights, and how they are to be read."""

    name: str
    what: str
    data: memoryview

    def summed(self) -> int:
        return isal_zlib.crc32(self.data)


def weights_digest(
    weights: ModelWeights[Any],
    *,
    threads: int = 1,
    told: Callable[[int], object] = lambda count: None,
) -> str:
    """SHA-256 over names, shapes, formats and checksums of all weights.

    Every byte is read once: some ten gigabytes a second from memory.

    Parameters
    ----------
    weights
        As they are packed.
    threads
        That sum up at a time.
    told
        Called with the number of bytes that were read, piece by piece.

    Examples
    --------
    >>> from pyhades.llm.measure.synthetic import random_weights
    >>> from pyhades.llm.models.gpt_oss.sizes import tiny_config
    >>> len(weights_digest(random_weights(tiny_config())))
    64
    """
    parts = list(_parts(weights))
    digest = sha256()
    with ThreadPoolExecutor(threads, "pyhades digest") as pool:
        for part, checksum in zip(parts, pool.map(_Part.summed, parts), strict=True):
            digest.update(f"{part.name} {part.what} {checksum:08x}\n".encode())
            told(part.data.nbytes)
    return digest.hexdigest()


def _parts(weights: ModelWeights[Any]) -> Iterator[_Part]:
    yield from _pieces("embedding.values", weights.embedding.values)
    yield from _pieces("embedding.scales", weights.embedding.scales)
    yield from _pieces("norm", weights.norm)
    yield from _of("head", weights.head)
    for number, layer in enumerate(weights.layers):
        for name, part in layer.parts.items():
            yield from _of(f"layers.{number}.{name}", part)


def _of(name: str, part: Linear | Experts | NDArray[Any]) -> Iterator[_Part]:
    if isinstance(part, Linear | Experts):
        yield from _pieces(f"{name}.weight", part.weight.data, _described(part.weight))
        yield from _pieces(f"{name}.bias", part.bias)
    else:
        yield from _pieces(name, part)


def _described(weight: PackedWeight) -> str:
    return f"{weight.format} {list(weight.shape)} {weight.row_order} {weight.layout}"


def _pieces(name: str, array: NDArray[Any] | None, what: str = "") -> Iterator[_Part]:
    """An array in pieces of bounded size, each of which has a checksum of its own."""
    if array is None:
        return
    described = what or f"{array.dtype.str} {list(array.shape)}"
    data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    for first in range(0, max(data.nbytes, 1), PIECE_BYTES):
        yield _Part(f"{name}+{first}", described, data[first : first + PIECE_BYTES])
