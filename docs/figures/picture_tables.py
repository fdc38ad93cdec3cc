"""Tables of pictures end to end, from reports of ``pyhades bench segmentation``."""

from __future__ import annotations

from markdown import table
from measured import OURS, Report, Row, engines, short

AROUND_A_NETWORK = ("read", "decode", "preprocess", "matte", "encode", "write", "rest")


def throughput_table(report: Report) -> str:
    """How fast each engine goes through the pictures of each set."""
    rivals = engines(report["results"])[1:]
    heads = ["pictures", "engine", "workers x threads", "pictures/s", "speed-up", "CPU"]
    heads += ["ms a picture, p50 / p99", *(f"times {rival}" for rival in rivals)]
    return table(heads, [_line(report, row, rivals) for row in _by_set(report)])


def stage_table(report: Report) -> str:
    """Shares of the time of a picture with the most workers."""
    rows = [row for row in _by_set(report) if row["engine"] == OURS]
    rows = [row for row in rows if row["workers"] == max(r["workers"] for r in rows)]
    names = ["network", *AROUND_A_NETWORK]
    lines = [
        [row["set"], *(f"{row['stages_ms'].get(name, {'share': 0.0})['share']:.1%}"
                       for name in names)]
        for row in rows
    ]  # fmt: skip
    return table(["pictures", *names], lines)


def memory_parts_table(report: Report) -> str:
    """Peak of a process through all sets."""
    lines = []
    for row in report["memory"]:
        parts = row["parts_mb"] if isinstance(row["parts_mb"], dict) else {}
        told = ", ".join(f"{name} {value:.0f}" for name, value in parts.items()) or "-"
        size = f"{row['workers']} x {row['threads_per_worker']}"
        lines.append([_name(row), size, f"{row['peak_mb']:.0f}", told])
    return table(["engine", "workers x threads", "peak, MB", "of which"], lines)


def pictures_text(report: Report) -> str:
    """All tables."""
    return (
        throughput_table(report)
        + "\nWhere the time of a picture goes, with the most workers:\n\n"
        + stage_table(report)
        + "\nMemory of a process, through all sets:\n\n"
        + memory_parts_table(report)
    )


def _by_set(report: Report) -> list[Row]:
    names = [one["name"] for one in report["sets"]]
    order = engines(report["results"])
    return sorted(
        report["results"],
        key=lambda row: (names.index(row["set"]), order.index(row["engine"]), row["workers"]),
    )


def _line(report: Report, row: Row, rivals: list[str]) -> list[str]:
    latency = row["latency_ms"]
    return [
        row["set"], _name(row), f"{row['workers']} x {row['threads_per_worker']}",
        f"{row['images_s']:.2f}", f"{row['speed_up']:.2f}", f"{row['cpu_utilisation']:.0%}",
        f"{latency['p50']:.0f} / {latency['p99']:.0f}",
        *(_times(report, row, rival) for rival in rivals),
    ]  # fmt: skip


def _times(report: Report, row: Row, rival: str) -> str:
    """How much faster ours is with as many workers."""
    others = [
        other["images_s"] for other in report["results"]
        if (other["set"], other["engine"], other["workers"]) == (row["set"], rival, row["workers"])
    ]  # fmt: skip
    return short(row["images_s"] / others[0]) if others and row["engine"] == OURS else ""


def _name(row: Row) -> str:
    return f"**{row['engine']}**" if row["engine"] == OURS else str(row["engine"])
