"""Reports of ``pyhades bench``, as the figures and the tables read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

REPORTS = Path(__file__).parent / "reports"

OURS = "pyhades"
SEGMENTATION, LANGUAGE_MODEL, MANY_ANSWERS = "segmentation", "language_model", "many_answers"
SERVING, PICTURES = "serving", "pictures"
CACHE, SECOND_TURN = "cache", "second_turn"
NETWORKS = {
    "u2netp_320": "U\N{SUPERSCRIPT TWO}-Netp 320",
    "u2net_320": "U\N{SUPERSCRIPT TWO}-Net 320",
    "inspyrenet_swinb_384": "InSPyReNet SwinB 384",
    "isnet_1024": "IS-Net 1024",
    "segformer_b0_512": "SegFormer-B0 512",
}
"""How networks are called, by the name of their file; others are called as their file is."""

Report = dict[str, Any]
Row = dict[str, Any]


def read(name: str) -> Report:
    """A committed report."""
    report: Report = json.loads((REPORTS / f"{name}.json").read_text(encoding="utf-8"))
    return report


def tiers(kind: str) -> list[str]:
    """Names of the reports of a kind, one per tier of instructions, the best tier first."""
    return sorted(path.stem for path in REPORTS.glob(f"{kind}*.json"))


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


def by_network(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each network in each precision, by what they are called together."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(f"{network_name(row['model'])}, {row['precision']}", []).append(row)
    return groups


def cache_traces(rows: Sequence[Row]) -> list[str]:
    """The traces of a simulation, in order."""
    return list(dict.fromkeys(row["trace"] for row in rows))


def cache_policies(rows: Sequence[Row], trace: str | None = None) -> list[str]:
    """The policies, of all traces or of one."""
    return list(dict.fromkeys(r["policy"] for r in rows if trace in (None, r["trace"])))


def cache_rooms(rows: Sequence[Row], field: str) -> list[float]:
    """How much room there was, in GB."""
    return sorted({row[field] for row in rows})


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
    releases = machine | machine.get("engines", {})
    others = [
        _with_release(name, releases[name])
        for name in engines(report["results"])
        if name in releases and name != OURS
    ]
    if machine.get("unheld"):
        others.append(f"{' and '.join(machine['unheld'])} on all that the CPU has")
    if "note" in machine:
        others.append(machine["note"])
    return ", ".join(
        [clean(machine["cpu"]), machine["tier"], f"pyhades {machine['pyhades']}", *others]
    )


def _with_release(engine: str, version: str) -> str:
    """An engine and its version, without the commit that it was built from."""
    if not version[:1].isdigit():
        return version  # names the package that holds the engine
    return f"{engine} {version.partition('-')[0]}"


def clean(cpu: str) -> str:
    """Without the marks of trade."""
    return re.sub(r"\((R|TM)\)", "", cpu).strip()
