"""Draw speed beside the rivals, and write the README's tables, from ``pyhades bench`` reports.

``python docs/figures/speed.py`` reads ``reports/*.json`` and writes ``segmentation.svg`` and
``language_model.svg`` beside this script, and the parts of README.md between its marks. tests/docs
fails when one of them is not what the reports say. The reports are made by

``pyhades bench segmentation --model u2netp_320.onnx --model u2net_320.onnx --model
inspyrenet_swinb_384.onnx --threads 1,2 --rival onnxruntime --runs 7 --json
docs/figures/reports/segmentation.json``

``python -m bench.synthetic_gguf gpt-oss-20b.gguf`` and ``pyhades bench llm --model gpt-oss-20b.gguf
--rival llama.cpp --threads 2 --depths 0,2048 --prefills 512,2048 --json
docs/figures/reports/language_model.json``

on a machine that does nothing else. Where that cannot be had, a ``note`` in ``machine`` says so, on
the figure too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drawing import Drawing, width_of

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
REPORTS = HERE / "reports"

OURS = "pyhades"
NETWORKS = {
    "u2netp_320": "U\N{SUPERSCRIPT TWO}-Netp 320",
    "u2net_320": "U\N{SUPERSCRIPT TWO}-Net 320",
    "inspyrenet_swinb_384": "InSPyReNet SwinB 384",
}
"""How networks are called, by the name of their file; others are called as their file is."""

Report = dict[str, Any]
Row = dict[str, Any]

WIDTH, MARGIN = 860, 28
HEAD, FOOT = 84, 44
BAR, GROUP_GAP = 17, 20
LABELS, VALUES = 168, 64
"""Widths kept for the names of groups, and for the numbers behind the bars."""


@dataclass(frozen=True)
class Panel:
    """Bars of one quantity: per group, the value of each engine."""

    title: str
    groups: dict[str, dict[str, float]]
    written: Callable[[float], str]


def read(name: str) -> Report:
    """A committed report."""
    report: Report = json.loads((REPORTS / f"{name}.json").read_text(encoding="utf-8"))
    return report


def short(value: float) -> str:
    """Two digits below ten, else whole numbers."""
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def network_name(model: str) -> str:
    """What a network is called."""
    return NETWORKS.get(model, model)


def engines(rows: Iterable[Row]) -> list[str]:
    """All engines, ours first."""
    return sorted({row["engine"] for row in rows}, key=lambda name: (name != OURS, name))


def by_engine(rows: Sequence[Row], field: str) -> dict[str, float]:
    """One value per engine, ours first."""
    found = {row["engine"]: row[field] for row in rows}
    return {name: found[name] for name in engines(rows)}


def segmentation_figure(report: Report) -> str:
    """Time and memory of each network at the most threads that were measured."""
    rows = report["results"]
    threads = max(row["threads"] for row in rows)
    groups = by_network([row for row in rows if row["threads"] == threads])
    panels = [
        Panel(title, {name: by_engine(mine, field) for name, mine in groups.items()}, short)
        for title, field in (
            ("milliseconds per image", "median_ms"),
            ("MiB of memory", "peak_rss_mb"),
        )
    ]
    what = f"Segmentation networks, {threads} threads: less is better"
    return bars(what, panels, machine_line(report))


def by_network(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each network in each precision, by what they are called together."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(f"{network_name(row['model'])}, {row['precision']}", []).append(row)
    return groups


def language_model_figure(report: Report) -> str:
    """Writing and reading at the most threads that were measured."""
    threads = max(row["threads"] for row in report["results"])
    rows = [row for row in report["results"] if row["threads"] == threads]
    panels = [
        Panel(
            title,
            {
                label(size): by_engine([r for r in chosen if r[key] == size], field)
                for chosen in [[r for r in rows if r["workload"] == workload]]
                for size in sorted({r[key] for r in chosen})
            },
            short,
        )
        for title, workload, key, field, label in (
            ("tokens written per second", "decode", "depth", "decode_tok_s", cached),
            ("tokens read per second", "prefill", "prefill_tokens", "prefill_tok_s", prompt),
        )
    ]
    what = f"{model_name(report)}, {threads} threads: more is better"
    return bars(what, panels, machine_line(report))


def cached(depth: int) -> str:
    """Name a depth."""
    return f"{depth} tokens in the cache" if depth else "empty cache"


def prompt(size: int) -> str:
    """Name a prompt."""
    return f"prompt of {size} tokens"


def model_name(report: Report) -> str:
    """What was measured."""
    return str(report["machine"]["model"]).removesuffix(".gguf")


def machine_line(report: Report) -> str:
    """What the numbers depend on."""
    machine = report["machine"]
    others = [
        f"{name} {machine[name]}".replace("llama.cpp llama-cpp-python", "llama-cpp-python")
        for name in engines(report["results"])
        if name in machine and name != OURS
    ]
    if "note" in machine:
        others.append(machine["note"])
    return ", ".join(
        [clean(machine["cpu"]), machine["tier"], f"pyhades {machine['pyhades']}", *others]
    )


def clean(cpu: str) -> str:
    """Without the marks of trade."""
    return re.sub(r"\((R|TM)\)", "", cpu).strip()


def bars(title: str, panels: Sequence[Panel], foot: str) -> str:
    """Panels beside each other, one bar per engine in each group."""
    most = max(len(panel.groups) * _group_height(panel) for panel in panels)
    height = HEAD + 26 + most + FOOT
    drawing = Drawing(WIDTH, height, title)
    drawing.text(MARGIN, 38, title, 17, "strong", weight=650)
    names = list(dict.fromkeys(n for p in panels for g in p.groups.values() for n in g))
    _legend(drawing, names)
    width = (WIDTH - 2 * MARGIN - 28 * (len(panels) - 1)) / len(panels)
    for index, panel in enumerate(panels):
        _panel(drawing, panel, MARGIN + index * (width + 28), width)
    drawing.text(MARGIN, height - 20, foot, 11)
    return drawing.svg()


def _group_height(panel: Panel) -> float:
    engines_in = max(len(group) for group in panel.groups.values())
    return 18 + engines_in * (BAR + 3) + GROUP_GAP


def _legend(drawing: Drawing, names: Sequence[str]) -> None:
    x = float(MARGIN)
    for name in names:
        drawing.rect(x, 54, 12, 12, "ours" if name == OURS else "rival", radius=3)
        drawing.text(x + 18, 64, name, 12.5, "strong" if name == OURS else "text")
        x += 18 + width_of(name, 12.5) + 22


def _panel(drawing: Drawing, panel: Panel, x: float, width: float) -> None:
    longest = max(value for group in panel.groups.values() for value in group.values())
    scale = (width - VALUES) / longest
    y = float(HEAD) + 12
    drawing.text(x, y, panel.title, 12.5, "text", weight=600)
    y += 26
    for name, group in panel.groups.items():
        drawing.text(x, y, name, 12.5, "strong")
        y += 8
        for engine, value in group.items():
            is_ours = engine == OURS
            style = "ours" if is_ours else "rival"
            drawing.rect(x, y, max(value * scale, 2), BAR, style, radius=4)
            drawing.text(
                x + value * scale + 7, y + 13, panel.written(value), 12.5,
                "strong" if is_ours else "text", weight=650 if is_ours else 400,
            )  # fmt: skip
            y += BAR + 3
        y += GROUP_GAP + 10


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


def language_model_table(report: Report) -> str:
    """Writing and reading, with the share of the roof that ours reaches."""
    threads = max(row["threads"] for row in report["results"])
    rows = [row for row in report["results"] if row["threads"] == threads]
    rivals = engines(rows)[1:]
    lines = []
    for row in rows:
        if row["engine"] != OURS or row["workload"] == "prompt":
            continue
        is_decode = row["workload"] == "decode"
        key, field = ("depth", "decode_tok_s") if is_decode else ("prefill_tokens", "prefill_tok_s")
        same = [r for r in rows if r["workload"] == row["workload"] and r[key] == row[key]]
        values = by_engine(same, field)
        what = f"write, {cached(row[key])}" if is_decode else f"read a {prompt(row[key])}"
        roof = (
            f"{row['share_of_bandwidth']:.0%} of {row['bandwidth_gb_s']:.1f} GB/s"
            if is_decode
            else _share(row)
        )
        others = [short(values[name]) if name in values else "" for name in rivals]
        lines.append([what, short(values[OURS]), *others, roof])
    return table(["workload", "tokens/s", *rivals, "share of the roof"], lines)


def _share(row: Row) -> str:
    if row["share_of_int8_peak"] is None:
        return ""
    return f"{row['share_of_int8_peak']:.0%} of {row['int8_gops']:.0f} int8 GOP/s"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def segmentation_text(report: Report) -> str:
    """The paragraph and the table of segmentation."""
    runs = report["results"][0]["runs"]
    return (
        f"{where(report)}: batch 1, engines taking turns, medians of {runs} runs; peak "
        "memory of a process that does nothing else.\n\n" + segmentation_table(report)
    )


def language_model_text(report: Report) -> str:
    """The paragraph and the table of the language model."""
    decoding = next(
        row for row in report["results"] if row["workload"] == "decode" and row["engine"] == OURS
    )
    return (
        f"{where(report)}: {model_name(report)}, "
        f"{decoding['bytes_per_token'] / 1e9:.2f} GB per token with an empty cache, "
        f"{decoding['threads']} threads; it takes {decoding['peak_rss_gb']:.1f} GB of memory.\n\n"
        + language_model_table(report)
    )


def where(report: Report) -> str:
    """The machine as the beginning of a sentence."""
    return machine_line(report)


FIGURES = {"segmentation": segmentation_figure, "language_model": language_model_figure}
TEXTS = {"segmentation": segmentation_text, "language_model": language_model_text}


def with_texts(page: str) -> str:
    """README.md with what the reports say between its marks."""
    for name, text in TEXTS.items():
        begin, end = f"<!-- {name}: docs/figures/speed.py -->\n", f"<!-- end of {name} -->\n"
        before, found, rest = page.partition(begin)
        assert found and end in rest, f"README.md lacks the marks of {name}"
        page = before + begin + text(read(name)) + end + rest.partition(end)[2]
    return page


def main() -> None:
    """Write the figures and the tables."""
    for name, figure in FIGURES.items():
        (HERE / f"{name}.svg").write_text(figure(read(name)), encoding="utf-8")
    README.write_text(with_texts(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
