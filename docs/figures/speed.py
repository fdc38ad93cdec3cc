"""Draw speed beside the rivals, and fill tables of the pages, from ``pyhades bench`` reports.

``python docs/figures/speed.py`` reads ``reports/*.json``, draws each beside this script, and writes
the parts of README.md and docs/reference/*_speed.md between their marks. tests/docs
fails when one of them is not what the reports say. The reports are made by

``pyhades bench segmentation --model u2netp_320.onnx --model u2net_320.onnx --model
inspyrenet_swinb_384.onnx --model isnet_1024.onnx --model segformer_b0_512.onnx --threads 1,2
--precision fp32,int8 --rival onnxruntime --rival openvino --runs 5 --json
docs/figures/reports/segmentation.json``, with ``--isa avx2`` for ``segmentation_avx2.json``, and
with ``--precision fp32,bf16,int8`` on a CPU that has it for ``segmentation_avx512_bf16.json``,

``python -m bench.synthetic_gguf gpt-oss-20b.gguf`` and ``pyhades bench llm --model gpt-oss-20b.gguf
--rival llama.cpp --threads 2 --depths 0,2048 --prefills 512,2048 --json
docs/figures/reports/language_model.json``, and with ``--batch 1,2,4,8,16,32`` for
``many_answers.json``, of other tiers without the rival, which uses what the CPU has,

``pyhades bench serve --model gpt-oss-20b.gguf --threads 2 --rival llama.cpp --requests 1
--prompt-tokens 16 --output-tokens 64 --json docs/figures/reports/serving.json``,

``pyhades bench segmentation 03mp 1mp 12mp --model u2net_320.onnx --workers 1,2 --rival rembg
--seconds 3 --stretches 3 --json docs/figures/reports/pictures.json`` with the sets of
scripts/make_images.py,

``python -m bench.cache.second_turn --model gpt-oss-20b.gguf --json
docs/figures/reports/second_turn.json``, and, of what no machine decides, ``python -m
bench.cache.curves --json docs/figures/reports/cache.json``,

on a machine that does nothing else. Where that cannot be had, a ``note`` in ``machine`` says so, on
the figure too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cache_figures import cache_figure
from cache_tables import CASES
from drawing import Drawing, width_of
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
    cached,
    machine_line,
    model_name,
    network_name,
    prompt,
    read,
    short,
    tiers,
)
from tables import PAGES

HERE = Path(__file__).parent


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
    what = (
        f"Segmentation networks on {report['machine']['tier']}, {threads} threads: less is better"
    )
    return bars(what, panels, machine_line(report))


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


def many_answers_figure(report: Report) -> str:
    """Tokens per second of all answers together, by how many there are."""
    threads = max(row["threads"] for row in report["results"])
    groups: dict[str, dict[str, float]] = {}
    for batch in sorted({row["batch"] for row in report["results"]}):
        rows = [r for r in report["results"] if (r["threads"], r["batch"]) == (threads, batch)]
        groups[f"{batch} answer{'s' * (batch > 1)}"] = by_engine(rows, "tok_s")
    panel = Panel("tokens written per second, all answers together", groups, short)
    what = f"{model_name(report)} on {report['machine']['tier']}, {threads} threads: more is better"
    return bars(what, [panel], machine_line(report))


def serving_figure(report: Report) -> str:
    """What many clients get together, and what each waits for."""
    rows = [{**row, "first": row["ttft_ms"]["p50"] / 1e3} for row in report["results"]]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(f"{row['clients']} client{'s' * (row['clients'] > 1)}", []).append(row)
    panels = [
        Panel(title, {name: by_engine(of, field) for name, of in groups.items()}, short)
        for title, field in (
            ("tokens per second, all clients together", "tok_s"),
            ("seconds until the first token (less is better)", "first"),
        )
    ]
    what = f"{model_name(report)}, served on {report['machine']['tier']}, 2 threads"
    return bars(what, panels, machine_line(report))


def pictures_figure(report: Report) -> str:
    """Pictures of each set per second with the most workers, and their waiting."""
    workers = max(row["workers"] for row in report["results"])
    rows = [row for row in report["results"] if row["workers"] == workers]
    rows = [{**row, "wait": row["latency_ms"]["p50"]} for row in rows]
    groups = {one["name"]: [r for r in rows if r["set"] == one["name"]] for one in report["sets"]}
    panels = [
        Panel(title, {name: by_engine(of, field) for name, of in groups.items()}, short)
        for title, field in (
            ("pictures per second, from file to file", "images_s"),
            ("milliseconds of one of them (less is better)", "wait"),
        )
    ]
    model = Path(report["machine"]["model"]).stem
    what = f"{network_name(model)}, {workers} workers on {report['machine']['tier']}"
    return bars(what, panels, machine_line(report))


def second_turn_figure(report: Report) -> str:
    """Time to the first token of a second turn, by where the first one is kept."""
    rows = report["results"]
    panels = [
        Panel(
            f"milliseconds to the first token, {new} new tokens",
            {CASES[r["case"]]: {OURS: r["median_ms"]} for r in rows if r["new_tokens"] == new},
            short,
        )
        for new in sorted({row["new_tokens"] for row in rows})
    ]
    history = rows[0]["history_tokens"]
    what = f"{model_name(report)}: the second turn of a chat of {history} tokens, less is better"
    return bars(what, panels, machine_line(report))


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


def figure_of(name: str, report: Report) -> str:
    """The figure of a report."""
    if name.startswith(MANY_ANSWERS):
        return many_answers_figure(report)
    if name.startswith(SERVING):
        return serving_figure(report)
    if name.startswith(PICTURES):
        return pictures_figure(report)
    if name == CACHE:
        return cache_figure(report)
    if name == SECOND_TURN:
        return second_turn_figure(report)
    return language_model_figure(report) if name == LANGUAGE_MODEL else segmentation_figure(report)


def main() -> None:
    """Write the figures and the tables."""
    for name in (
        *tiers(SEGMENTATION),
        *tiers(LANGUAGE_MODEL),
        *tiers(MANY_ANSWERS),
        *tiers(SERVING),
        *tiers(PICTURES),
        CACHE,
        SECOND_TURN,
    ):
        (HERE / f"{name}.svg").write_text(figure_of(name, read(name)), encoding="utf-8")
    for page, filled in PAGES.items():
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
