"""What the second turn of a chat is measured by measures what it says."""

from __future__ import annotations

import json

import pytest

from bench.cache import second_turn


@pytest.mark.slow
def test_every_case_is_measured(tmp_path, monkeypatch):
    """With the toy, of a chat of 144 tokens: nine blocks, no matter how long that takes."""
    monkeypatch.setattr(second_turn, "HISTORY", 144)
    report = tmp_path / "report.json"
    second_turn.main(["--rounds", "2", "--new", "40", "--json", str(report)])
    said = json.loads(report.read_text(encoding="utf-8"))
    rows = {row["case"]: row for row in said["results"]}
    assert set(rows) == {"alone", "kernels", "memory", "windows", "disk", "everything"}
    assert all(row["rounds"] == 2 and row["median_ms"] > 0 for row in rows.values())
    assert rows["alone"]["cached_tokens"] == rows["everything"]["cached_tokens"] == 0
    assert rows["memory"]["cached_tokens"] == rows["disk"]["cached_tokens"] == 144
    # Two layers with a window of 128: all of the text lies within their reach.
    assert rows["windows"]["cached_tokens"] == 0
    assert rows["windows"]["rederived_tokens"] == 144
    for name in ("memory", "disk", "windows"):
        assert rows[name]["equal"] == rows[name]["compared"] == 1
    assert said["machine"]["model"] and said["machine"]["peak_gflops"]
