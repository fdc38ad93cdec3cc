"""More cores than there are here: the least of four bounds, each with what it was made of.

Nothing is fitted: two cores cannot tell how a curve goes on. Every bound is a product of numbers
that were measured in the same run, or that a source says, and all of them are told.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from pyhades.bench.pictures.costs import Price
from pyhades.bench.pictures.rows import Row

PIXEL_BYTES = 27
"""That the chain around the network moves for a pixel: decoding writes 3, preparing reads 3, the
matte is written and read with 1 each, cutting out reads 3 and writes 4, the filter of PNG reads and
writes 4 each, deflate reads 4."""
CODECS = ("decode", "encode")
CLAIM_PER_THREAD = 0.60
CLAIM_SOURCE = (
    "the brief's claim, published and not measured by us: 0.60 pictures/s per hardware thread, "
    "InSPyReNet (fast) on 384 threads"
)


@dataclass(frozen=True)
class Inputs:
    """What was measured, for one core.

    Attributes
    ----------
    subject
        Which rows these are for.
    rate
        Pictures per second of a core, whose worker does whole pictures.
    codec_seconds
        Of a core for decoding and encoding, within that.
    moved_bytes
        Of a picture through memory: the operands of the network's instructions, and
        :data:`PIXEL_BYTES`. Caches keep some of it, so that this is the most it can be.
    file_bytes
        Of a picture: its file, and its result.
    cpu
        What it was measured on.
    """

    subject: str
    rate: float
    codec_seconds: float
    moved_bytes: float
    file_bytes: float
    cpu: str

    @classmethod
    def of(
        cls, row: Row, network_bytes: float, megapixels: float, file_bytes: float, cpu: str
    ) -> Inputs:
        """Of a row that was measured, with our network."""
        stages, threads = row.stages_ms, row.threads_per_worker
        codecs = sum(stages[name]["mean"] for name in CODECS if name in stages) / 1e3
        moved = network_bytes + megapixels * 1e6 * PIXEL_BYTES
        # Codecs keep one thread busy, while the others of the worker wait.
        return cls(row.set, row.per_worker / threads, codecs * threads, moved, file_bytes, cpu)


@dataclass(frozen=True)
class Prediction:
    """Of a number of cores; prints in one line.

    Attributes
    ----------
    kind
        Always ``"predicted"``.
    subject, machine, cores
        Which pictures, on what.
    compute, bandwidth, codec, io
        Pictures per second that each of them allows; None where something is not known.
    images_s
        The least of those that are known.
    bound_by
        Which that is.
    io_needed_gb_s
        At that rate.
    inputs
        What went in, by name, with where it is from.
    claim_images_s
        What others say of as many hardware threads.
    """

    subject: str
    machine: str
    cores: int
    threads: int
    compute: float
    bandwidth: float | None
    codec: float | None
    io: float | None
    images_s: float
    bound_by: str
    io_needed_gb_s: float
    inputs: dict[str, str]
    claim_images_s: float
    kind: Literal["predicted"] = "predicted"

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


@dataclass(frozen=True)
class Target:
    """A machine to predict for.

    Attributes
    ----------
    cores, threads
        Cores, each of which gets a worker, and hardware threads.
    bandwidth_gb_s, io_gb_s
        10^9 bytes per second; None where nobody knows.
    """

    name: str
    cores: int
    threads: int
    bandwidth_gb_s: float | None
    bandwidth_from: str
    io_gb_s: float | None
    io_from: str

    @classmethod
    def of(cls, price: Price) -> Target:
        """A machine of the table of prices."""
        return cls(
            price.name, price.cores, price.vcpus, price.bandwidth_gb_s, price.bandwidth_from,
            price.io_gb_s, price.io_from,
        )  # fmt: skip


def predict(inputs: Inputs, target: Target) -> Prediction:
    """The least of what arithmetic, memory, codecs and files allow.

    Workers do whole pictures, so that codecs are part of the arithmetic already; their own bound is
    what cores that did nothing else would do, and tells how near it is.
    """
    cores = target.cores
    bounds: dict[str, float | None] = {
        "compute": cores * inputs.rate,
        "bandwidth": _over(target.bandwidth_gb_s, inputs.moved_bytes),
        "codec": cores / inputs.codec_seconds if inputs.codec_seconds else None,
        "io": _over(target.io_gb_s, inputs.file_bytes),
    }
    known = {name: bound for name, bound in bounds.items() if bound is not None}
    bound_by = min(known, key=lambda name: known[name])
    rate = known[bound_by]
    return Prediction(
        subject=inputs.subject,
        machine=target.name,
        cores=cores,
        threads=target.threads,
        compute=round(cores * inputs.rate, 3),
        bandwidth=_rounded(bounds["bandwidth"]),
        codec=_rounded(bounds["codec"]),
        io=_rounded(bounds["io"]),
        images_s=round(rate, 3),
        bound_by=bound_by,
        io_needed_gb_s=round(rate * inputs.file_bytes / 1e9, 4),
        inputs=_told(inputs, target),
        claim_images_s=round(target.threads * CLAIM_PER_THREAD, 2),
    )


def _over(gb_s: float | None, nbytes: float) -> float | None:
    return None if gb_s is None or not nbytes else gb_s * 1e9 / nbytes


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _told(inputs: Inputs, target: Target) -> dict[str, str]:
    """Every number that went in, with where it is from."""

    def gb_s(value: float | None, source: str) -> str:
        return "not known, does not count" if value is None else f"{value:g} GB/s ({source})"

    return {
        "rate of a core": f"{inputs.rate:g} pictures/s (measured, {inputs.cpu})",
        "codecs": f"{inputs.codec_seconds * 1e3:.2f} ms a picture (measured)",
        "memory moved": f"{inputs.moved_bytes / 1e6:.1f} MB a picture (operands of the network's "
        f"instructions and {PIXEL_BYTES} bytes a pixel; caches keep some)",
        "files": f"{inputs.file_bytes / 1e6:.3f} MB a picture, in and out (measured)",
        "bandwidth": gb_s(target.bandwidth_gb_s, target.bandwidth_from),
        "io": gb_s(target.io_gb_s, target.io_from),
        "core": "as fast as one here, with all cores busy (assumed)",
        "siblings": f"a worker on each of {target.cores} cores, none on siblings (assumed)",
    }  # fmt: skip
