"""Fill in the algorithm of every instruction that leaves it open."""

from __future__ import annotations

import logging

from tqdm import tqdm

from pyhades.compiler.instruction import Instruction, Lowered
from pyhades.compiler.tuning.alternatives import (
    ATTRIBUTE,
    CHOICES,
    alternatives,
    describe,
    is_open,
)
from pyhades.compiler.tuning.record import Record
from pyhades.compiler.tuning.stopwatch import fastest
from pyhades.options import EngineOptions

log = logging.getLogger(__name__)


def tune(lowered: Lowered, options: EngineOptions) -> None:
    """Choose algorithms in place: as recorded for this machine, else by measuring."""
    groups: dict[str, list[Instruction]] = {}
    for instruction in lowered.instructions:
        if is_open(instruction):
            groups.setdefault(describe(instruction), []).append(instruction)
    record = Record.of(options.tier, options.threads_used)
    unknown = [key for key in groups if record.get(key) is None]
    try:
        for key in tqdm(unknown, desc="tuning", unit=" layers", disable=None, leave=False):
            choice, seconds = _measured(groups[key][0], options)
            record.put(key, choice, seconds)
    finally:
        record.save()  # after Ctrl-C, too
    for key, instructions in groups.items():
        choice_known = record.get(key)
        # A file from elsewhere may name what this build does not have.
        if choice_known in CHOICES[instructions[0].op]:
            for instruction in instructions:
                instruction.attributes[ATTRIBUTE] = choice_known
    log.info("%d layers measured, %d known from %s", len(unknown), len(groups) - len(unknown),
             record.path)  # fmt: skip


def _measured(instruction: Instruction, options: EngineOptions) -> tuple[str, dict[str, float]]:
    programs = dict(alternatives(instruction, options.isa))
    if len(programs) == 1:
        return next(iter(programs)), {}
    return fastest(programs, options.threads_used)
