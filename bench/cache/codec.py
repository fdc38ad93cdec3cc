"""How much smaller codecs make keys and values, and how fast: what ``planes`` was chosen by.

``python -m bench.cache.codec`` prints a table per model and format. zstandard and lz4 are measured
where they are installed; pyhades needs neither.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, get_args

import numpy as np
from isal import igzip_lib

from bench.cache.contents import SOURCES, Contents
from pyhades.bench.machine import describe_machine
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.cache.codec import CODECS, join_planes, split_planes

Bytes = Callable[[bytes], bytes]


@dataclass
class Candidate:
    """Something that could keep contents, and the seconds that it took, per run."""

    name: str
    encode: Callable[[Contents], Any]
    decode: Callable[[Any, tuple[int, ...]], Contents]
    size: Callable[[Any], int]
    encoding: list[float] = field(default_factory=list)
    decoding: list[float] = field(default_factory=list)
    ratio: float = 0.0

    def run(self, blocks: Sequence[Contents]) -> None:
        """Everything once there and back."""
        begin = time.perf_counter()
        encoded = [self.encode(block) for block in blocks]
        middle = time.perf_counter()
        decoded = [self.decode(data, b.shape) for data, b in zip(encoded, blocks, strict=True)]
        self.encoding.append(middle - begin)
        self.decoding.append(time.perf_counter() - middle)
        assert all(map(np.array_equal, decoded, blocks)), f"{self.name} is not lossless"
        self.ratio = sum(b.nbytes for b in blocks) / sum(map(self.size, encoded))

    def row(self, nbytes: int) -> str:
        """Of the table."""
        speeds = [nbytes / statistics.median(t) / 1e6 for t in (self.encoding, self.decoding)]
        return f"| {self.name} | {self.ratio:.3f} | {speeds[0]:.0f} | {speeds[1]:.0f} |"


def ours(name: str) -> Candidate:
    """A codec of pyhades."""
    return Candidate(name, CODECS[name].encode, CODECS[name].decode, len)


def on_planes(name: str, encode: Bytes, decode: Bytes) -> Candidate:
    """A compressor on both planes, each kept as it is where it does not shrink."""

    def both(contents: Contents) -> list[tuple[bytes, bool]]:
        planes = [plane.tobytes() for plane in split_planes(contents.reshape(-1))]
        pairs = [(encode(plane), plane) for plane in planes]
        return [(min(pair, key=len), len(pair[0]) < len(pair[1])) for pair in pairs]

    def back(parts: list[tuple[bytes, bool]], shape: tuple[int, ...]) -> Contents:
        planes = [decode(part) if is_encoded else part for part, is_encoded in parts]
        return join_planes(planes[0], planes[1]).reshape(shape)

    return Candidate(f"planes, {name}", both, back, lambda parts: sum(len(p) for p, _ in parts))


def on_whole(name: str, encode: Bytes, decode: Bytes) -> Candidate:
    """A compressor on contents as they are."""
    return Candidate(
        f"whole, {name}",
        lambda contents: encode(contents.tobytes()),
        lambda data, shape: np.frombuffer(decode(data), np.uint8).reshape(shape),
        len,
    )


def compressors() -> dict[str, tuple[Bytes, Bytes]]:
    """What may be there, by name."""
    found: dict[str, tuple[Bytes, Bytes]] = {}
    for level in range(4):
        found[f"isal {level}"] = (partial(_igzip, level=level), igzip_lib.decompress)
    found["isal 1 without history"] = (partial(_igzip, level=1, bits=1), igzip_lib.decompress)
    found["zlib 1"] = (partial(zlib.compress, level=1), zlib.decompress)
    found["zlib, Huffman alone"] = (_huffman, zlib.decompress)
    if (zstandard := _module("zstandard")) is not None:
        back = zstandard.ZstdDecompressor().decompress
        for level in (-1, 1, 3):
            found[f"zstd {level}"] = (zstandard.ZstdCompressor(level=level).compress, back)
    if (block := _module("lz4.block")) is not None:
        found["lz4"] = (block.compress, block.decompress)
    return found


def _igzip(data: bytes, level: int, bits: int = 15) -> bytes:
    return igzip_lib.compress(data, level, hist_bits=bits)


def _huffman(data: bytes) -> bytes:
    stream = zlib.compressobj(1, strategy=zlib.Z_HUFFMAN_ONLY)
    return stream.compress(data) + stream.flush()


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def entropy_ratio(blocks: Sequence[Contents]) -> float:
    """What no code of single bytes of the planes can exceed."""
    planes = zip(*(split_planes(np.ascontiguousarray(b).reshape(-1)) for b in blocks), strict=True)
    return 16 / sum(_entropy(np.concatenate(plane)) for plane in planes)


def _entropy(values: Contents) -> float:
    shares = np.bincount(values, minlength=256) / values.size
    return float(-(shares[shares > 0] * np.log2(shares[shares > 0])).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7, help="medians of so many, in turn")
    runs = parser.parse_args().runs
    print(describe_machine(None, [1], {}))
    for source, blocks_of in SOURCES.items():
        for kv_format in get_args(KvFormat):
            blocks = [np.ascontiguousarray(block) for block in blocks_of(kv_format)]
            measure(f"{source}, {kv_format}", blocks, runs, has_planes=kv_format == "bf16")


def measure(title: str, blocks: Sequence[Contents], runs: int, *, has_planes: bool) -> None:
    """Print a table for one kind of contents."""
    candidates = [ours(name) for name in CODECS if has_planes or name != "planes"]
    for name, (encode, decode) in compressors().items():
        candidates.append(on_whole(name, encode, decode))
        if has_planes:
            candidates.append(on_planes(name, encode, decode))
    for _ in range(runs):
        for candidate in candidates:
            candidate.run(blocks)
    nbytes = sum(block.nbytes for block in blocks)
    print(f"\n{title}: {len(blocks)} blocks of some {nbytes // len(blocks)} bytes")
    if has_planes:
        print(f"by the entropy of single bytes of planes: {entropy_ratio(blocks):.3f}")
    print("\n| codec | times smaller | encode, MB/s | decode, MB/s |\n|---|---|---|---|")
    for candidate in sorted(candidates, key=lambda c: -c.ratio):
        print(candidate.row(nbytes), flush=True)


if __name__ == "__main__":
    main()
