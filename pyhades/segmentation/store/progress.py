"""How much of a file has come, for those who show it."""

from __future__ import annotations

from typing import Any, Protocol


class Progress(Protocol):
    """What shows how much has come, as tqdm does."""

    def update(self, n: int, /) -> Any:
        """So many bytes more; fewer where it begins anew."""

    def close(self) -> None:
        """The end, good or bad."""


class _Silent:
    def update(self, n: int, /) -> None:
        pass

    def close(self) -> None:
        pass


def no_progress(name: str, size: int | None) -> Progress:
    """Show nothing."""
    return _Silent()
