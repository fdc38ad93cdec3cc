"""Figures and the tables of the README are what their scripts make of the tree and the reports."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FIGURES = Path(__file__).parents[2] / "docs" / "figures"
REPORTS = sorted(path.stem for path in (FIGURES / "reports").glob("*.json"))


@pytest.fixture
def script(monkeypatch):
    """Import a script of docs/figures, as it is when it is run."""
    monkeypatch.syspath_prepend(str(FIGURES))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return importlib.import_module


def test_the_house_is_drawn_as_it_is(script):
    architecture = script("architecture")
    floors = architecture.floors()
    assert len(floors) > 15
    drawn = architecture.draw(floors)
    committed = architecture.TARGET.read_text(encoding="utf-8")
    assert committed == drawn, "run python docs/figures/architecture.py"
    keys = [floor.key for floor in floors]
    for position, floor in enumerate(floors):
        above = floor.uses & set(keys[:position])
        assert not above, f"{floor.key} looks up to {sorted(above)}"
        assert floor.uses <= set(keys)
    by_key = {floor.key: floor for floor in floors}
    # One known line of each kind: an import, a name of the package, an include, Cython's.
    assert "pyhades/ir" in by_key["pyhades/onnx"].uses
    assert "pyhades/compiler" in by_key["pyhades/segmentation"].uses
    assert "csrc/base" in by_key["csrc/runtime"].uses
    assert "csrc/api" in by_key["pyhades/_native"].uses


def test_imports_are_found(script, tmp_path):
    file = tmp_path / "module.py"
    file.write_text(
        "import numpy\nimport pyhades\nfrom pyhades.ir import graph\nfrom pyhades import _native\n"
        "def later():\n    import pyhades.onnx.wire\n    return pyhades.compile, pyhades.Remover\n"
    )
    floors = ["ir", "_native", "onnx", "compiler", "segmentation"]
    found = script("architecture").imported(file)
    assert found == {f"pyhades/{name}" for name in floors}


@pytest.mark.parametrize("name", REPORTS)
def test_speed_is_that_of_the_report(script, name):
    speed, report = script("speed"), script("measured").read(name)
    drawn = speed.figure_of(name, report)
    committed = (FIGURES / f"{name}.svg").read_text(encoding="utf-8")
    assert committed == drawn, "run python docs/figures/speed.py"
    assert {"cpu", "tier", "threads", "pyhades", "peak_gflops"} <= set(report["machine"])
    # Another number is another picture.
    assert speed.figure_of(name, doubled(name, report)) != drawn


def test_tables_are_those_of_the_reports(script):
    for page, filled in script("tables").PAGES.items():
        text = page.read_text(encoding="utf-8")
        assert text == filled(text), f"{page.name}: run python docs/figures/speed.py"


@pytest.mark.parametrize("name", REPORTS)
def test_tables_follow_the_report(script, name, monkeypatch):
    tables = script("tables")
    signs = tables.marks(name)[0], f"/{name}.svg"
    shown = [page for page in tables.PAGES if any(s in page.read_text("utf-8") for s in signs)]
    assert shown
    changed = doubled(name, script("measured").read(name))
    monkeypatch.setattr(
        tables, "read", lambda asked: changed if asked == name else script("measured").read(asked)
    )
    for page in shown:
        text = page.read_text(encoding="utf-8")
        assert tables.PAGES[page](text) != text


def doubled(name, report):
    """The report with other numbers where figures and tables show them."""
    fields = {"language_model": "decode_tok_s", "many_answers": "tok_s", "serving": "tok_s"}
    fields |= {"pictures": "images_s", "cache": "of_reusable"}
    field = fields.get(name.removesuffix("_avx2"), "median_ms")
    for row in report["results"]:
        if row.get(field) is not None:
            row[field] *= 2
    return report


def test_a_tier_beside_rivals_and_float(script):
    """Times of whom, and what is not known."""
    tables = script("tables")

    def row(engine, precision, threads, ms):
        return {
            "model": "net", "engine": engine, "precision": precision, "threads": threads,
            "median_ms": ms, "peak_rss_mb": ms, "share_of_peak": 0.5,
        }  # fmt: skip

    report = {
        "results": [
            row("pyhades", "fp32", 1, 100.0), row("pyhades", "fp32", 2, 50.0),
            row("pyhades", "int8", 1, 40.0), row("other", "fp32", 1, 150.0),
            row("third", "fp32", 1, 120.0), row("other", "int8", 1, 50.0),
        ]
    }  # fmt: skip
    body = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in tables.comparison_table(report).splitlines()[2:]
    ]
    assert body == [
        ["net, fp32", "1", "100", "150", "120", "1.20", "-", "-", "50%"],
        ["net, fp32", "2", "50", "-", "-", "-", "-", "2.00", "50%"],
        ["net, int8", "1", "40", "50", "-", "1.25", "2.50", "-", "50%"],
    ]


def test_bars_are_as_long_as_their_values(script):
    speed = script("speed")
    panel = speed.Panel("ms", {"network": {"pyhades": 10.0, "other": 40.0}}, speed.short)
    bar = rf'<rect class="f-\w+" [^>]*width="([\d.]+)" height="{speed.BAR}"'
    widths = [float(width) for width in re.findall(bar, speed.bars("t", [panel], ""))]
    assert len(widths) == 2 and widths[1] == pytest.approx(4 * widths[0], rel=0.01)


def test_a_report_without_rivals_is_drawn(script):
    """Whoever has no rival installed sees what they measured."""
    speed, measured = script("speed"), script("measured")
    report = measured.read("language_model")
    report["results"] = [row for row in report["results"] if row["engine"] == measured.OURS]
    assert "llama.cpp" not in script("language_model_tables").language_model_table(report)
    assert speed.language_model_figure(report).count("<rect") > 3


def test_reports_hold_results():
    assert {"segmentation", "language_model", "many_answers"} <= set(REPORTS)
    for path in (FIGURES / "reports").glob("*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["results"]


def test_photograph(script, tmp_path, monkeypatch):
    """With the demonstration model, which comes with the package."""
    pytest.importorskip("matplotlib")
    photograph = script("photograph")
    out = tmp_path / "photograph.webp"
    monkeypatch.setattr(sys, "argv", ["photograph.py", "-o", str(out)])
    photograph.main()
    with Image.open(out) as made, Image.open(photograph.TARGET) as committed:
        assert made.size == committed.size and made.mode == committed.mode == "RGBA"
        width, height = photograph.PANEL
        assert made.size == (3 * width + 2 * photograph.GAP, height)
        # The left panel is the photograph, whoever cuts it out.
        box = (20, 20, width - 20, height - 20)
        left = [np.asarray(image.crop(box), int) for image in (made, committed)]
    assert np.abs(left[0] - left[1]).mean() < 2


def test_ten_lines_are_ten():
    """Those that the README greets with, which tests/docs/test_examples.py runs."""
    page = (FIGURES.parents[1] / "README.md").read_text(encoding="utf-8")
    for heading in ("Ten lines to a cut-out", "Ten lines to a chat"):
        block = page.partition(f"## {heading}")[2].partition("```python\n")[2].partition("```")[0]
        assert 5 <= len([line for line in block.splitlines() if line.strip()]) <= 10
