"""Many inputs from a seed, judged one after the other; what goes wrong is kept."""

from __future__ import annotations

import random
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pyhades.onnx.schema import MODEL
from pyhades.onnx.wire import Record
from tests.fuzz.corpus import corpus, encoded, manifests
from tests.fuzz.judge import TooSlow, judge_manifest, judge_model
from tests.fuzz.mutators import mutated_bytes, mutated_json, mutated_record

MEASURED_EVERY = 16
"""One in so many has its memory measured, which makes it slow."""
MANIFEST_EVERY = 10
"""One in so many is a manifest, not a model."""


@dataclass
class Findings:
    """What a campaign came to."""

    verdicts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    """What went wrong, with the numbers of the inputs."""

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(self.verdicts.items()))
        return f"{self.verdicts.total()} inputs: {counts}; {len(self.faults)} faults"


def run(count: int, seed: int, keep: Path | None = None, first: int = 0) -> Findings:
    """Judge inputs ``first`` to ``first + count`` of a seed.

    Parameters
    ----------
    count, first
        Which inputs; each depends on ``seed`` and its number only.
    seed
        Of the mutations.
    keep
        Folder for inputs that go wrong. The one at work is there as ``current``, so that it can be
        found after a crash.
    """
    models, findings = corpus(), Findings()
    for number in range(first, first + count):
        rng = random.Random(f"{seed}/{number}")
        is_manifest = number % MANIFEST_EVERY == 0
        data = _manifest(rng) if is_manifest else _model(models, rng)
        if keep is not None:
            (keep / "current").write_bytes(data)
        try:
            if is_manifest:
                verdict = judge_manifest(data.decode("utf-8", "replace"))
            else:
                verdict = judge_model(data, measured=number % MEASURED_EVERY == 1)
            findings.verdicts[verdict.value] += 1
        except (Exception, TooSlow) as error:
            findings.verdicts["faults"] += 1
            place = traceback.extract_tb(error.__traceback__)[-1]
            findings.faults.append(
                f"input {number} of seed {seed}: {type(error).__name__}: {str(error)[:200]} "
                f"({Path(place.filename).name}:{place.lineno} {place.name})"
            )
            if keep is not None:
                (keep / f"{seed}-{number}").write_bytes(data)
    return findings


def _model(models: list[Record], rng: random.Random) -> bytes:
    model = rng.choice(models)
    if rng.random() < 0.75:
        data = encoded(mutated_record(model, MODEL, rng))
        return mutated_bytes(data, rng) if rng.random() < 0.1 else data
    return mutated_bytes(encoded(model), rng)


def _manifest(rng: random.Random) -> bytes:
    return mutated_json(rng.choice(manifests()), rng).encode("utf-8", "replace")
