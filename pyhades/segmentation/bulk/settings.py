"""How a run treats what is there, and which part of the pictures is its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pyhades.arguments import check_flag, one_of
from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.rules import Rules
from pyhades.segmentation.bulk.shards import Shard
from pyhades.segmentation.bulk.sinks.files import Sync


@dataclass(frozen=True)
class Settings:
    """Options of a run that were looked at.

    Attributes
    ----------
    rules
        How to treat what is there.
    shard
        The part of the pictures that is this run's.
    any_identity
        Whether what was made with other options or another model counts as done.
    takes_up
        Whether it goes on with what another process has begun, whatever lay there before.
    follows
        Whether folders are looked at again and again.
    """

    rules: Rules
    shard: Shard
    any_identity: bool = False
    takes_up: bool = False
    follows: bool = False

    @classmethod
    def of(
        cls, *, overwrite: bool, skip_existing: bool, resume: bool, retry_failed: bool,
        resume_anyway: bool, checksum: bool, sync: Sync, shard: str, take_up: bool, follows: bool,
    ) -> Self:  # fmt: skip
        """As a caller gives them; some imply that the run resumes.

        Raises
        ------
        ArgumentError
            One has a value that does not exist, or two contradict each other.
        """
        check_flag("resume", resume)
        check_flag("retry_failed", retry_failed)
        check_flag("resume_anyway", resume_anyway)
        if overwrite and skip_existing:
            raise ArgumentError("overwrite replaces what exists, and skip_existing leaves it")
        resumes = resume or follows or resume_anyway or retry_failed or take_up
        rules = Rules(
            check_flag("overwrite", overwrite), check_flag("skip_existing", skip_existing),
            resumes, retry_failed,
            check_flag("checksum", checksum), one_of("sync", sync, Sync),
        )  # fmt: skip
        return cls(rules, Shard.parse(shard), resume_anyway, take_up, follows)
