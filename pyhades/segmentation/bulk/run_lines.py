"""Lines of the manifest with which a run begins and ends."""

from __future__ import annotations

import os
import time
from typing import Any

import pyhades
from pyhades.segmentation.bulk.identity import Identity
from pyhades.segmentation.bulk.report import BulkReport
from pyhades.segmentation.bulk.shards import Shard


def first_line(
    number: str, identity: Identity, shard: Shard, isa: str, plan: str
) -> dict[str, Any]:
    """Who does it, and with what; ``number`` tells the run from others."""
    return {
        "run": number, "began": time.time(), "pyhades": pyhades.__version__,
        "made_with": identity.hash, "model": identity.model,
        "model_sha256": identity.model_sha256, "options": identity.options,
        "shard": str(shard), "pid": os.getpid(), "isa": isa, "plan": plan,
    }  # fmt: skip


def last_line(number: str, report: BulkReport) -> dict[str, Any]:
    """What came of it, with the mean seconds of each stage."""
    stages = {name: round(times.mean, 5) for name, times in report.stages.stages.items()}
    return {
        "run": number, "ended": time.time(),
        "done": report.done, "failed": report.failed, "skipped": report.skipped,
        "seconds": round(report.seconds, 3), "stages": stages, "stopped": report.interrupted,
    }  # fmt: skip
