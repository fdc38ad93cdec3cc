"""What the reports say, as text and tables of README.md and of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cache_tables import cache_text, second_turn_table
from language_model_tables import language_model_text, many_answers_table, many_answers_text
from markdown import table
from measured import (
    CACHE,
    LANGUAGE_MODEL,
    MANY_ANSWERS,
    OURS,
    PICTURES,
    SECOND_TURN,
    SEGMENTATION,
    SERVING,
    Report,
    Row,
    by_engine,
    by_network,
    clean,
    engines,
    machine_line,
    model_name,
    read,
    tiers,
)
from picture_tables import pictures_text
from serving_tables import serving_table

README = Path(__file__).parents[2] / "README.md"
REFERENCE = Path(__file__).parents[1] / "reference"


def segmentation_table(report: Report) -> str:
    """Every network on every number of threads, and its memory on the most."""
    rows = report["results"]
    counts = sorted({row["threads"] for row in rows})
    rivals = engines(rows)[1:]
    beside = f" ({', '.join(rivals)})" if rivals else ""
    heads = [f"{count} thread{'s' * (count > 1)}, ms{beside}" for count in counts]
    lines = []
    for name, mine in by_network(rows).items():
        cells = [_cell(mine, "median_ms", count, rivals) for count in counts]
        lines.append([name, *cells, _cell(mine, "peak_rss_mb", counts[-1], rivals)])
    return table(["network", *heads, f"memory, MiB{beside}"], lines)


def _cell(rows: Sequence[Row], field: str, threads: int, rivals: Sequence[str]) -> str:
    """Ours, and in brackets those of the rivals; a rival may lack a precision."""
    values = by_engine([r for r in rows if r["threads"] == threads], field)
    others = [f"{values[name]:.0f}" if name in values else "-" for name in rivals]
    return f"{values[OURS]:.0f}" + (f" ({', '.join(others)})" if others else "")


def runs_of(report: Report) -> str:
    """How many runs its medians are of: ``3``, or ``2 to 5``."""
    counts = sorted({row["runs"] for row in report["results"]})
    return " to ".join(dict.fromkeys((str(counts[0]), str(counts[-1]))))


def segmentation_text(report: Report) -> str:
    """The paragraph and the table of segmentation."""
    runs = runs_of(report)
    return (
        f"{machine_line(report)}: batch 1, engines taking turns, medians of {runs} runs; peak "
        "memory of a process that does nothing else.\n\n" + segmentation_table(report)
    )


def comparison_table(report: Report) -> str:
    """Every network, precision and number of threads beside the fastest rival and our float32."""
    rows = report["results"]
    rivals = engines(rows)[1:]
    single = {(row["model"], row["precision"], row["engine"], row["threads"]): row for row in rows}
    lines = []
    for name, mine in by_network(rows).items():
        for threads in sorted({row["threads"] for row in mine}):
            values = by_engine([row for row in mine if row["threads"] == threads], "median_ms")
            ours = next(r for r in mine if r["engine"] == OURS and r["threads"] == threads)
            fastest = min((values[rival] for rival in rivals if rival in values), default=None)
            lines.append([
                name, str(threads), f"{values[OURS]:.0f}",
                *(f"{values[rival]:.0f}" if rival in values else "-" for rival in rivals),
                _times(fastest, ours), _times_others(single, ours, precision="fp32"),
                _times_others(single, ours, threads=1), f"{ours['share_of_peak']:.0%}",
            ])  # fmt: skip
    heads = ["network", "threads", "pyhades, ms", *(f"{rival}, ms" for rival in rivals)]
    heads += ["times the fastest rival", "times fp32", "times 1 thread", "of the float peak"]
    return table(heads, lines)


def _times(other_ms: float | None, ours: Row) -> str:
    return "-" if other_ms is None else f"{other_ms / ours['median_ms']:.2f}"


def _times_others(rows: dict[tuple[str, str, str, int], Row], ours: Row, **change: object) -> str:
    """How much faster a row of ours is than the one that differs from it in one thing."""
    other = {**ours, **change}
    key = (other["model"], other["precision"], other["engine"], other["threads"])
    return "-" if key not in rows or other == ours else _times(rows[key]["median_ms"], ours)


def memory_table(report: Report) -> str:
    """Peak memory on the most threads."""
    rows = report["results"]
    rivals = engines(rows)[1:]
    threads = max(row["threads"] for row in rows)
    lines = []
    for name, mine in by_network(rows).items():
        values = by_engine([row for row in mine if row["threads"] == threads], "peak_rss_mb")
        held = [f"{values[engine]:.0f}" if engine in values else "-" for engine in (OURS, *rivals)]
        lines.append([name, *held])
    return table(["network", *(f"{engine}, MiB" for engine in (OURS, *rivals))], lines)


def tier_sections() -> str:
    """A section per tier: speed beside the rivals, and memory."""
    parts = []
    for name in tiers(SEGMENTATION):
        report = read(name)
        parts.append(
            f"## {report['machine']['tier']}, {clean(report['machine']['cpu'])}\n"
            f"{machine_line(report)}; medians of "
            f"{runs_of(report)} runs.\n\n![Time and memory](../figures/{name}.svg)\n\n"
            f"{comparison_table(report)}\n"
            f"Peak memory of a process that does nothing else:\n\n{memory_table(report)}"
        )
    return "\n".join(parts)


def readme(page: str) -> str:
    """README.md with what the reports say between its marks; not all tiers are there."""
    for name in tiers(SEGMENTATION):
        if marks(name)[0] in page:
            page = between_marks(page, name, segmentation_text(read(name)))
    page = between_marks(page, LANGUAGE_MODEL, language_model_text(read(LANGUAGE_MODEL)))
    return between_marks(page, MANY_ANSWERS, many_answers_text(read(MANY_ANSWERS)))


def segmentation_page(page: str) -> str:
    """The page of segmentation speed with the sections of all tiers between its marks."""
    return between_marks(page, "tiers", tier_sections())


def language_model_page(page: str) -> str:
    """The page of many answers at once, with all tiers."""
    for name in tiers(MANY_ANSWERS):
        report = read(name)
        page = between_marks(page, name, f"{machine_line(report)}.\n\n{many_answers_table(report)}")
    return page


def serving_page(page: str) -> str:
    """The page of servers."""
    for name in tiers(SERVING):
        report = read(name)
        page = between_marks(page, name, f"{machine_line(report)}.\n\n{serving_table(report)}")
    return page


def pictures_page(page: str) -> str:
    """The page of pictures end to end."""
    for name in tiers(PICTURES):
        report = read(name)
        page = between_marks(page, name, f"{machine_line(report)}.\n\n{pictures_text(report)}")
    return page


def cache_page(page: str) -> str:
    """The page of the cache."""
    page = between_marks(page, CACHE, cache_text(read(CACHE)))
    report = read(SECOND_TURN)
    text = f"{model_name(report)}; {machine_line(report)}.\n\n{second_turn_table(report)}"
    return between_marks(page, SECOND_TURN, text)


def marks(name: str) -> tuple[str, str]:
    """What stands before and after a part of a page that is filled in."""
    return f"<!-- {name}: docs/figures/speed.py -->\n", f"<!-- end of {name} -->\n"


def between_marks(page: str, name: str, text: str) -> str:
    """Put a text where a page has the marks of that name."""
    begin, end = marks(name)
    before, found, rest = page.partition(begin)
    assert found and end in rest, f"the page lacks the marks of {name}"
    return before + begin + text + end + rest.partition(end)[2]


PAGES = {
    README: readme,
    REFERENCE / "segmentation_speed.md": segmentation_page,
    REFERENCE / "language_model_speed.md": language_model_page,
    REFERENCE / "server_speed.md": serving_page,
    REFERENCE / "bulk_speed.md": pictures_page,
    REFERENCE / "cache_speed.md": cache_page,
}
"""Pages that hold tables, and how to bring them up to date."""
