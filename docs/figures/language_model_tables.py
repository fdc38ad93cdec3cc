"""What the reports on language models say, as text and tables."""

from __future__ import annotations

from markdown import table
from measured import (
    OURS,
    Report,
    Row,
    by_engine,
    cached,
    engines,
    machine_line,
    model_name,
    prompt,
    short,
)


def language_model_text(report: Report) -> str:
    """The paragraph and the table of the language model."""
    decoding = next(
        row for row in report["results"] if row["workload"] == "decode" and row["engine"] == OURS
    )
    return (
        f"{machine_line(report)}: {model_name(report)}, "
        f"{decoding['bytes_per_token'] / 1e9:.2f} GB per token with an empty cache, "
        f"{decoding['threads']} threads; it takes {decoding['peak_rss_gb']:.1f} GB of memory.\n\n"
        + language_model_table(report)
    )


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


def many_answers_text(report: Report) -> str:
    """The paragraph and the table of many answers at once."""
    threads = max(row["threads"] for row in report["results"])
    return (
        f"{machine_line(report)}: answers of {model_name(report)} written at once, {threads} "
        "threads; what a step reads is counted, other experts for other tokens.\n\n"
        + many_answers_table(report)
    )


def many_answers_table(report: Report) -> str:
    """Speed by the number of answers, and what binds it."""
    threads = max(row["threads"] for row in report["results"])
    rows = [row for row in report["results"] if row["threads"] == threads]
    rivals = engines(rows)[1:]
    lines = []
    for row in rows:
        if row["engine"] != OURS:
            continue
        same = [other for other in rows if other["batch"] == row["batch"]]
        values = by_engine(same, "tok_s")
        others = [short(values[name]) if name in values else "-" for name in rivals]
        lines.append([
            str(row["batch"]), short(values[OURS]), *others, f"{row['times_one']:.2f}",
            f"{row['step_ms_p50']:.0f}", f"{row['experts_per_layer']:.1f}",
            f"{row['share_of_bandwidth']:.0%} of {row['bandwidth_gb_s']:.1f} GB/s", _share(row),
            f"{row['outside_kernels']:.1%}",
        ])  # fmt: skip
    heads = ["answers", "tokens/s", *rivals, "times one", "ms per step", "experts", "of bandwidth"]
    return table([*heads, "of arithmetic", "outside kernels"], lines)
