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
REPORTS = ["segmentation", "language_model"]


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
    speed = script("speed")
    report = speed.read(name)
    drawn = speed.FIGURES[name](report)
    committed = (FIGURES / f"{name}.svg").read_text(encoding="utf-8")
    assert committed == drawn, "run python docs/figures/speed.py"
    page = speed.README.read_text(encoding="utf-8")
    assert page == speed.with_texts(page), "run python docs/figures/speed.py"
    assert speed.TEXTS[name](report) in page
    assert {"cpu", "tier", "threads", "pyhades", "peak_gflops"} <= set(report["machine"])
    # Another number is another picture and another table.
    field = {"segmentation": "median_ms", "language_model": "decode_tok_s"}[name]
    for row in report["results"]:
        if row.get(field) is not None:
            row[field] *= 2
    assert speed.FIGURES[name](report) != drawn
    assert speed.TEXTS[name](report) not in page


def test_bars_are_as_long_as_their_values(script):
    speed = script("speed")
    panel = speed.Panel("ms", {"network": {"pyhades": 10.0, "other": 40.0}}, speed.short)
    bar = rf'<rect class="f-\w+" [^>]*width="([\d.]+)" height="{speed.BAR}"'
    widths = [float(width) for width in re.findall(bar, speed.bars("t", [panel], ""))]
    assert len(widths) == 2 and widths[1] == pytest.approx(4 * widths[0], rel=0.01)


def test_a_report_without_rivals_is_drawn(script):
    """Whoever has no rival installed sees what they measured."""
    speed = script("speed")
    report = speed.read("language_model")
    report["results"] = [row for row in report["results"] if row["engine"] == speed.OURS]
    assert "llama.cpp" not in speed.language_model_table(report)
    assert speed.language_model_figure(report).count("<rect") > 3


def test_every_report_is_drawn():
    assert {path.stem for path in (FIGURES / "reports").glob("*.json")} == set(REPORTS)
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
