"""What earlier runs have done, out of their manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.identity import Identity
from pyhades.segmentation.bulk.picture import Stamp, Status


@dataclass(frozen=True, slots=True)
class Record:
    """The last line of a picture.

    Attributes
    ----------
    status, reason
        What became of it.
    output, output_bytes, crc32
        Its result.
    stamp, sha256
        What it was made of.
    pictures, failed
        Of an archive: how many it holds, and how many are missing.
    """

    status: Status
    reason: str
    output: str
    output_bytes: int
    crc32: int
    stamp: Stamp
    sha256: str
    pictures: int = 0
    failed: int = 0

    @classmethod
    def of(cls, line: dict[str, Any]) -> Record:
        """Out of a line of the manifest."""
        return cls(
            line["status"], line.get("reason", ""), line.get("output", ""),
            line.get("output_bytes", 0), line.get("crc32", 0),
            Stamp(line.get("size", 0), line.get("mtime_ns", 0)), line.get("sha256", ""),
            line.get("pictures", 0), line.get("failed", 0),
        )  # fmt: skip


@dataclass
class History:
    """Pictures of earlier runs.

    Attributes
    ----------
    records
        By the keys of pictures.
    archives
        The same of whole archives.
    others
        Lines of other options or models: how many there are by what they were made with.
    identities
        What runs were made with, by its hash.
    """

    records: dict[str, Record] = field(default_factory=dict)
    archives: dict[str, Record] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)
    identities: dict[str, Identity] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        lines: Iterable[dict[str, Any]],
        identity: Identity,
        *,
        ours: Callable[[str], bool],
        any_identity: bool = False,
    ) -> History:
        """Read a manifest.

        Parameters
        ----------
        lines
            Of the manifest.
        identity
            Of this run; what was made otherwise counts as not done.
        ours
            Whether the picture, or the archive, of a key is of this run's shard.
        any_identity
            Whether what was made otherwise counts, too.
        """
        history = cls()
        for line in lines:
            if "options" in line and "run" in line:
                known = Identity.from_line(line)
                history.identities[known.hash] = known
                continue
            key, made_with = line.get("input"), line.get("made_with", "")
            # What was refused has changed nothing.
            if not isinstance(key, str) or line.get("status", "refused") == "refused":
                continue
            if made_with != identity.hash and not any_identity:
                if line["status"] == "done":
                    history.others[made_with] = history.others.get(made_with, 0) + 1
                continue
            if ours(line.get("archive", key)):
                table = history.archives if "pictures" in line else history.records
                table[key] = Record.of(line)
        return history

    def refuse_others(self, identity: Identity) -> None:
        """ArgumentError where pictures were made with other options or another model."""
        for made_with, count in self.others.items():
            before = self.identities.get(made_with)
            how = "otherwise" if before is None else identity.differences(before)
            raise ArgumentError(
                f"{count} results of an earlier run were made {how}; choose another destination, "
                "give the same options, or keep them with resume_anyway (--resume-anyway)"
            )
