"""What one request was and how it went: for the log and for the metrics."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from pyhades.server.turns import Piece


@dataclass
class Record:
    """A request on its way.

    Attributes
    ----------
    key
        Name of its key.
    status
        Of HTTP; 499 where the client has gone.
    prompt_tokens, cached_tokens, written_tokens
        Of the prompt, those of it that had been read before, and of the answers.
    began, first, last
        When it came, and when the first and the last token did, in seconds of a clock of its own.
    gaps
        Seconds between tokens of an answer.
    ignored
        What it has said that nobody reads.
    texts
        What was asked and answered, where the log has it.
    """

    key: str = ""
    status: int = 0
    model: str = ""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    written_tokens: int = 0
    finish_reason: str | None = None
    began: float = field(default_factory=time.perf_counter)
    first: float | None = None
    last: float | None = None
    gaps: list[float] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    texts: list[str] | None = None
    error: str | None = None
    _lasts: dict[tuple[int, int], float] = field(default_factory=dict)

    def note(self, piece: Piece) -> None:
        """A piece of an answer has come."""
        if piece.token_ids:
            now = time.perf_counter()
            # Texts are of several prompts; chats of one.
            answer = (getattr(piece, "prompt", 0), getattr(piece, "choice", piece.index))
            before = self._lasts.get(answer)
            if before is not None:
                self.gaps.append((now - before) / len(piece.token_ids))
            self._lasts[answer] = self.last = now
            self.first = now if self.first is None else self.first
            self.written_tokens += len(piece.token_ids)
        usage = getattr(piece, "usage", None)
        cached = getattr(piece, "cached_tokens", 0) if usage is None else usage.cached_tokens
        self.cached_tokens = max(self.cached_tokens, cached)
        if piece.finish_reason is not None:
            self.finish_reason = piece.finish_reason
        if self.texts is not None and piece.text:
            self.texts.append(piece.text)

    @property
    def seconds(self) -> float:
        """Since it came."""
        return time.perf_counter() - self.began

    def line(self, method: str, path: str) -> str:
        """A line for the log."""
        parts = [f"{method} {path} {self.status} {self.seconds:.3f}s"]
        if self.key:
            parts.append(f"key={self.key}")
        if self.prompt_tokens:
            parts.append(f"prompt={self.prompt_tokens} cached={self.cached_tokens}")
            parts.append(f"written={self.written_tokens}")
        if self.first is not None:
            parts.append(f"first={self.first - self.began:.3f}s")
        if self.finish_reason:
            parts.append(f"finish={self.finish_reason}")
        if self.ignored:
            parts.append(f"ignored={','.join(self.ignored)}")
        if self.error:
            parts.append(f"error={self.error!r}")
        if self.texts is not None:
            parts.append(f"text={''.join(self.texts)!r}")
        return " ".join(parts)
