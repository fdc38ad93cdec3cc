"""The gate says how long each of its stages took, also when one fails."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

GATE = Path(__file__).parents[2] / ".ci"
SCRIPT = f"""
set -euo pipefail
source {GATE / "stages.sh"}
trap 'report_stages $?' EXIT
stage "first: quick"
stage "second: a second"
sleep 1.1
stage "third: fails"
"""


@pytest.mark.parametrize(("last", "code"), [("true", 0), ("false", 1)])
def test_every_stage_is_timed(last, code):
    done = subprocess.run(["bash", "-c", SCRIPT + last], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    table = done.stdout.partition("== the time of each stage\n")[2]
    rows = re.findall(r"^ +(\d+) s  (.+)$", table, re.MULTILINE)
    failed = " (failed)" if code else ""
    assert [name for _, name in rows] == [
        "first: quick", "second: a second", f"third: fails{failed}", "in all",
    ]  # fmt: skip
    first, second, third, total = (int(seconds) for seconds, _ in rows)
    assert second >= 1 and first + second + third <= total < 60


def test_every_stage_has_a_name_of_its_own():
    """Which comes first and is short; what it means stands behind a colon."""
    names = re.findall(r'^ *stage "(.+)"$', (GATE / "run").read_text(), re.MULTILINE)
    short = [name.partition(":")[0] for name in names]
    assert len(set(short)) == len(short) >= 7
    assert all(re.fullmatch(r"[a-z]+", name) for name in short)
