"""What was measured on this machine, in a file."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import tempfile
from pathlib import Path
from typing import Any

import pyhades
from pyhades.cache import cache_root
from pyhades.config import show_config

log = logging.getLogger(__name__)


class Record:
    """The choices of one kind of machine, number of threads and version, by instruction.

    A file that cannot be read or written costs a measurement, never a result.

    Examples
    --------
    >>> record = Record.of(tier="avx2", threads=2)
    >>> record.get("conv2d of some shape") is None
    True
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._choices: dict[str, dict[str, Any]] = _read(path)
        self._changed = False

    @classmethod
    def of(cls, tier: str, threads: int) -> Record:
        """The record of this machine."""
        cpu = re.sub(r"[^A-Za-z0-9.]+", "-", show_config().cpu).strip("-")
        name = f"{cpu}_{tier}_{threads}_{pyhades.__version__}.json"
        return cls(cache_root() / "tuning" / name)

    def get(self, instruction: str) -> str | None:
        """The choice for an instruction that was measured before."""
        found = self._choices.get(_key(instruction))
        return None if found is None else str(found["choice"])

    def put(self, instruction: str, choice: str, seconds: dict[str, float]) -> None:
        """Remember a choice with what it is based on."""
        milliseconds = {name: round(value * 1e3, 4) for name, value in seconds.items()}
        self._choices[_key(instruction)] = {
            "instruction": instruction,
            "choice": choice,
            "milliseconds": milliseconds,
        }
        self._changed = True

    def save(self) -> None:
        """Write the file, with what other processes have added meanwhile."""
        if not self._changed:
            return
        text = json.dumps(_read(self.path) | self._choices, indent=1)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=self.path.parent, prefix=".tuning", delete=False, encoding="utf-8"
            ) as file:
                file.write(text)
            Path(file.name).replace(self.path)
        except OSError as error:
            log.warning("%s: what was measured is not kept (%s)", self.path, error)
        self._changed = False


def _key(instruction: str) -> str:
    return hashlib.blake2b(instruction.encode(), digest_size=12).hexdigest()


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {key: row for key, row in found.items() if isinstance(row["choice"], str)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        log.warning("%s: not a record of measurements (%s); it is made anew", path, error)
        return {}
