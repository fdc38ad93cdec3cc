"""What was measured, in rows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
Cache = Literal["warm", "cold"]
Distribution = dict[str, float]


@dataclass(frozen=True)
class Cell:
    """An engine and how it is to run."""

    engine: str
    workers: int
    threads: int


@dataclass(frozen=True)
class Row:
    """An engine on a set of pictures.

    Attributes
    ----------
    kind
        Always ``"measured"``.
    set, cache
        Which pictures, and whether their files were in memory.
    engine, precision, workers, threads_per_worker
        Who did it.
    stretches, pictures, failed
        How often it was measured, what was finished in all, and what was not.
    images_s, images_s_min, images_s_max
        Median over stretches, least and most.
    per_worker
        Pictures per second of one.
    speed_up, efficiency
        Beside the fewest workers of the same engine: how many times as fast, and that over how many
        times as many threads; 1 for these themselves.
    latency_ms
        Percentiles, mean and maximum of all stretches together.
    samples
        Pictures that these were taken from.
    stages_ms
        The same of each stage, and its ``share`` of the time of a picture.
    cpu_utilisation
        Time of processors over elapsed time and usable CPUs.
    result_bytes
        Of a picture that was cut out.
    disk_bytes
        Read from disks for each picture; None where the kernel does not tell.
    energy, joules
        Whether it was ``"measured"`` or is ``"unavailable"``, and how much a picture took.
    """

    set: str
    cache: Cache
    engine: str
    precision: str
    workers: int
    threads_per_worker: int
    stretches: int
    pictures: int
    failed: int
    images_s: float
    images_s_min: float
    images_s_max: float
    per_worker: float
    speed_up: float
    efficiency: float
    latency_ms: Distribution
    samples: int
    stages_ms: dict[str, Distribution]
    cpu_utilisation: float
    result_bytes: float
    disk_bytes: float | None
    energy: Literal["measured", "unavailable"]
    joules: float | None
    kind: Literal["measured"] = "measured"

    @property
    def cell(self) -> Cell:
        """Who did it."""
        return Cell(self.engine, self.workers, self.threads_per_worker)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not exceeded by that share of all (nearest rank).

    Examples
    --------
    >>> percentile([3.0, 1.0, 2.0, 4.0], 0.5), percentile([3.0, 1.0, 2.0, 4.0], 0.99)
    (2.0, 4.0)
    """
    ordered = sorted(values)
    # 0.99 * 100 is a little more than 99.
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


def distribution(seconds: Sequence[float]) -> Distribution:
    """Percentiles, mean and maximum, in milliseconds."""
    ms = [second * 1e3 for second in seconds]
    found = {name: percentile(ms, share) for name, share in SHARES.items()}
    found |= {"max": max(ms), "mean": statistics.fmean(ms)}
    return {name: round(value, 3) for name, value in found.items()}


def stage_distributions(pictures: Sequence[Mapping[str, float]]) -> dict[str, Distribution]:
    """Of each stage, in the order of the chain, and its share of all."""
    names = list(dict.fromkeys(name for stages in pictures for name in stages))
    whole = sum(sum(stages.values()) for stages in pictures)
    found = {}
    for name in names:
        seconds = [stages.get(name, 0.0) for stages in pictures]
        share = round(sum(seconds) / whole, 5) if whole else 0.0
        found[name] = distribution(seconds) | {"share": share}
    return found


def summarise(
    cell: Cell,
    picture_set: str,
    cache: Cache,
    precision: str,
    stretches: Sequence[Mapping[str, Any]],
    cpus: int,
) -> Row | None:
    """All stretches of an engine as a row; None where no picture worked."""
    done = [stretch for stretch in stretches if stretch["pictures"] and stretch["latencies"]]
    if not done:
        return None
    rates = [stretch["rate"] for stretch in done]
    latencies = [seconds for stretch in done for seconds in stretch["latencies"]]
    pictures = sum(stretch["pictures"] for stretch in done)
    elapsed = sum(stretch["elapsed"] for stretch in done)
    joules = _summed([stretch["joules"] for stretch in done])
    disk = _summed([stretch["disk"] for stretch in done])
    rate = statistics.median(rates)
    return Row(
        set=picture_set,
        cache=cache,
        engine=cell.engine,
        precision=precision,
        workers=cell.workers,
        threads_per_worker=cell.threads,
        stretches=len(done),
        pictures=pictures,
        failed=sum(stretch["failed"] for stretch in stretches),
        images_s=round(rate, 4),
        images_s_min=round(min(rates), 4),
        images_s_max=round(max(rates), 4),
        per_worker=round(rate / cell.workers, 4),
        speed_up=1.0,
        efficiency=1.0,
        latency_ms=distribution(latencies),
        samples=len(latencies),
        stages_ms=stage_distributions([one for stretch in done for one in stretch["stages"]]),
        cpu_utilisation=round(sum(stretch["cpu"] for stretch in done) / elapsed / cpus, 4),
        result_bytes=round(sum(stretch["written"] for stretch in done) / pictures),
        disk_bytes=None if disk is None else round(disk / pictures),
        energy="unavailable" if joules is None else "measured",
        joules=None if joules is None else round(joules / pictures, 4),
    )


def _summed(values: Sequence[float | None]) -> float | None:
    """None where one of them is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def with_speed_ups(rows: Sequence[Row]) -> list[Row]:
    """The rows, each beside that with the fewest workers of its engine on the same pictures."""
    finished = []
    for row in rows:
        same = [other for other in rows if _subject(other) == _subject(row)]
        fewest = min(same, key=lambda other: other.workers)
        speed_up = row.images_s / fewest.images_s
        efficiency = speed_up * _threads(fewest) / _threads(row)
        rounded = round(speed_up, 4), round(efficiency, 4)
        finished.append(replace(row, speed_up=rounded[0], efficiency=rounded[1]))
    return finished


def _subject(row: Row) -> tuple[object, ...]:
    return row.set, row.cache, row.engine, row.precision


def _threads(row: Row) -> int:
    return row.workers * row.threads_per_worker
