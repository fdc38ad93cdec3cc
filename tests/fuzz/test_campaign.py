"""Ten thousand damaged files and manifests, in processes of their own, so that a crash is seen."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pyhades.onnx.schema import Field, Kind, Message
from pyhades.onnx.wire import encode
from tests.fuzz import judge
from tests.fuzz.corpus import corpus, encoded

FIELD = Field("f", Kind.BYTES)
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


def field(number: int, payload: bytes) -> bytes:
    """A field of a message that has a length."""
    return b"".join(map(bytes, encode({"f": payload}, Message("m", {number: FIELD}))))


def test_the_judge_sees_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(corpus()[0])
    assert judge.judge_model(data, measured=True) is judge.Verdict.RAN
    monkeypatch.setattr(judge, "SECONDS", 1e-5)
    with pytest.raises(judge.TooSlow):  # a file that takes many ticks: only at those is time seen
        judge.judge_model(WORST["empty nodes"])
    monkeypatch.setattr(judge, "SECONDS", 60)
    monkeypatch.setattr(judge, "BYTES_ANYWAY", 0)
    monkeypatch.setattr(judge, "BYTES_PER_BYTE", 1)
    with pytest.raises(judge.TooHungry):
        judge.judge_model(data, measured=True)


WORST: dict[str, bytes] = {
    "empty tensors": field(7, field(5, b"") * 20_000),
    "empty nodes": field(7, field(1, b"") * 20_000),
    "empty attributes": field(7, field(1, field(5, b"") * 20_000)),
    "extents in parts": field(7, field(5, field(1, b"\1") * 20_000)),
    "extents in parts and alone": field(7, field(5, (field(1, b"\1") + b"\x08\1") * 10_000)),
    "extents": field(7, field(5, field(1, b"\xff" * 8 + b"\x7f") * 5_000)),
    "names": field(7, field(1, field(1, b"") * 20_000)),
    "unknown": b"\x78\0" * 40_000,
    "one name": field(7, field(1, field(4, b"R" * 40_000) + field(2, b"y"))),
}
"""Files of fifty kilobytes whose bytes cost more to read than those of any useful file."""


@pytest.mark.parametrize("name", WORST)
def test_the_worst_files_are_read_in_bounds(name: str) -> None:
    begin = time.process_time()
    assert judge.judge_model(WORST[name], measured=True) is judge.Verdict.REFUSED
    assert time.process_time() - begin < judge.SECONDS


def test_the_composed_files_run() -> None:
    """But for those whose operators are not there; mutations of what is refused test little."""
    verdicts = [judge.judge_model(encoded(record)) for record in corpus()[:7]]
    assert verdicts.count(judge.Verdict.RAN) >= 5, verdicts
