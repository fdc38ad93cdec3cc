"""A report as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from pyhades.bench.pictures.outlook import CLAIM_SOURCE, Prediction
from pyhades.bench.pictures.report import Report
from pyhades.bench.pictures.rows import SHARES, Row

Cells = list[str]


def as_markdown(report: Report) -> str:
    """All tables, the machine first."""
    sections = [
        ("Machine", machine_lines(report)),
        ("Pictures", _pictures(report)),
        ("Throughput (measured)", throughput(report.measured.rows)),
        ("Time of a picture, ms (measured)", _latencies(report.measured.rows)),
        ("Stages, ms (measured)", _stages(report.measured.rows)),
        ("Memory, MB (measured)", _memory(report)),
        ("Not measured, or failed", _troubles(report)),
        ("More cores (predicted)", _predictions(report.predictions)),
        ("Cost", _costs(report)),
        ("Prices", _prices(report)),
    ]
    return "\n".join(f"## {title}\n\n{text}\n" for title, text in sections if text)


def machine_lines(report: Report) -> str:
    """What the numbers depend on, a line each."""
    lines = [f"- {key}: {_told(value)}" for key, value in report.machine.items() if value]
    return "\n".join(lines)


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown; empty where there are no rows."""
    if not rows:
        return ""
    lines = [list(heading), ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def throughput(rows: Sequence[Row]) -> str:
    """Pictures per second by workers."""
    heading = [
        "pictures", "cache", "engine", "workers x threads", "pictures/s", "least to most",
        "per worker", "speed-up", "efficiency", "CPU", "J a picture", "from disk, MB", "failed",
    ]  # fmt: skip
    return table(heading, [
        [
            *_subject(row), f"{row.images_s:.3f}", f"{row.images_s_min:.3f} to "
            f"{row.images_s_max:.3f}", f"{row.per_worker:.3f}", f"{row.speed_up:.3f}",
            f"{row.efficiency:.1%}", f"{row.cpu_utilisation:.0%}",
            row.energy if row.joules is None else f"{row.joules:.2f} (measured)",
            "unknown" if row.disk_bytes is None else f"{row.disk_bytes / 1e6:.3f}",
            str(row.failed),
        ]
        for row in rows
    ])  # fmt: skip


def _subject(row: Row) -> Cells:
    engine = f"{row.engine} {row.precision}"
    return [row.set, row.cache, engine, f"{row.workers} x {row.threads_per_worker}"]


SUBJECT = ["pictures", "cache", "engine", "workers x threads"]
COLUMNS = [*SHARES, "max", "mean"]


def _latencies(rows: Sequence[Row]) -> str:
    return table([*SUBJECT, "samples", *COLUMNS], [
        [*_subject(row), str(row.samples), *(f"{row.latency_ms[name]:.1f}" for name in COLUMNS)]
        for row in rows
    ])  # fmt: skip


def _stages(rows: Sequence[Row]) -> str:
    return table([*SUBJECT, "stage", "share", *COLUMNS], [
        [*_subject(row), name, f"{found['share']:.1%}", *(f"{found[c]:.2f}" for c in COLUMNS)]
        for row in rows
        for name, found in row.stages_ms.items()
    ])  # fmt: skip


def _pictures(report: Report) -> str:
    return table(["set", "count", "megapixels", "KB a file", "on"], [
        [
            one.name, str(len(one.paths)), f"{one.megapixels:.2f}", f"{one.mean_bytes / 1e3:.0f}",
            one.filesystem,
        ]
        for one in report.task.sets
    ])  # fmt: skip


def _memory(report: Report) -> str:
    def told(parts: dict[str, float]) -> str:
        return ", ".join(f"{name} {value:.1f}" for name, value in parts.items()) or "unknown"

    heading = ["engine", "workers x threads", "peak", "per added worker", "parts", "by node"]
    return table(heading, [
        [
            row.engine, f"{row.workers} x {row.threads_per_worker}", f"{row.peak_mb:.0f}",
            "" if row.per_added_worker_mb is None else f"{row.per_added_worker_mb:.0f}",
            told(row.parts_mb), told(row.nodes_mb),
        ]
        for row in report.measured.memory
    ])  # fmt: skip


def _troubles(report: Report) -> str:
    refused = [
        f"- {one.engine}, {one.workers} workers{f', {one.set}' if one.set else ''}: {one.reason}"
        for one in report.measured.refused
    ]
    failed = [
        f"- {one['engine']}, {one['picture']}: {one['reason']}" for one in report.measured.failures
    ]
    return "\n".join(refused + failed)


def _predictions(predictions: Sequence[Prediction]) -> str:
    def told(value: float | None) -> str:
        return "unknown" if value is None else f"{value:.1f}"

    heading = [
        "pictures", "machine", "cores", "kind", "compute", "bandwidth", "codec", "io",
        "pictures/s", "bound by", "files, GB/s", "claim for as many threads",
    ]  # fmt: skip
    rows = [
        [
            one.subject, one.machine, str(one.cores), one.kind, told(one.compute),
            told(one.bandwidth), told(one.codec), told(one.io), f"{one.images_s:.1f}",
            one.bound_by, f"{one.io_needed_gb_s:.3f}", f"{one.claim_images_s:.1f} (published)",
        ]
        for one in predictions
    ]  # fmt: skip
    if not rows:
        return ""
    parts = [table(heading, rows), "Inputs:", _inputs(predictions), f"The claim: {CLAIM_SOURCE}."]
    return "\n\n".join(parts)


def _inputs(predictions: Sequence[Prediction]) -> str:
    """What went into predictions: what they share once, then the rest."""
    lines = []
    for subject in dict.fromkeys(one.subject for one in predictions):
        mine = [one for one in predictions if one.subject == subject]
        same = {
            name: value
            for name, value in mine[0].inputs.items()
            if all(one.inputs[name] == value for one in mine)
        }
        lines += [f"- {subject}, {name}: {value}" for name, value in same.items()]
        for one in mine:
            rest = [f"{k}: {v}" for k, v in one.inputs.items() if k not in same]
            lines.append(f"- {subject}, {one.machine}: {'; '.join(rest)}")
    return "\n".join(lines)


def _costs(report: Report) -> str:
    def told(value: float | None, form: str = ",.2f") -> str:
        return "unknown" if value is None else format(value, form)

    heading = [
        "what", "rate is", "pictures/s", "USD/h", "USD a million", "USD a billion",
        "days for a billion", "price",
    ]  # fmt: skip
    return table(heading, [
        [
            one.subject, one.rate_is, f"{one.images_s:.2f}", told(one.usd_per_hour, ".3f"),
            told(one.usd_per_million), told(one.usd_per_billion, ",.0f"),
            f"{one.days_for_a_billion:,.1f}", one.price,
        ]
        for one in report.costs
    ])  # fmt: skip


def _prices(report: Report) -> str:
    heading = ["machine", "CPU", "vCPUs / cores", "USD/h", "kind", "term", "date", "source"]
    return table(heading, [
        [
            one.name, one.cpu, f"{one.vcpus} / {one.cores}", f"{one.usd_per_hour:.3f}", one.kind,
            one.term, one.date, one.source,
        ]
        for one in report.prices
    ])  # fmt: skip


def _told(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {one}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
