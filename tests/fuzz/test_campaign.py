"""Ten thousand damaged files and manifests, in processes of their own, so that a crash is seen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SEEDS, COUNT = range(4), 2500

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")


@pytest.mark.parametrize("seed", SEEDS)
def test_damaged_inputs_do_no_harm(seed: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--here", f"--seed={seed}", f"--count={COUNT}"]
    command.append(f"--keep={tmp_path}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr[-4000:]}"
    # The mutations are of a strength that leaves some files alive.
    assert " ran" in done.stdout


def test_the_judge_sees_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.fuzz import judge
    from tests.fuzz.corpus import corpus, encoded

    data = encoded(corpus()[0])
    assert judge.judge_model(data, measured=True) is judge.Verdict.RAN
    monkeypatch.setattr(judge, "SECONDS", 1e-5)
    with pytest.raises(judge.TooSlow):
        judge.judge_model(data)
    monkeypatch.setattr(judge, "SECONDS", 60)
    monkeypatch.setattr(judge, "BYTES_ANYWAY", 0)
    monkeypatch.setattr(judge, "BYTES_PER_BYTE", 1)
    with pytest.raises(judge.TooHungry):
        judge.judge_model(data, measured=True)


def test_the_composed_files_run() -> None:
    """But for those whose operators are not there; mutations of what is refused test little."""
    from tests.fuzz.corpus import corpus, encoded
    from tests.fuzz.judge import Verdict, judge_model

    verdicts = [judge_model(encoded(record)) for record in corpus()[:7]]
    assert verdicts.count(Verdict.RAN) >= 5, verdicts
