"""Lines of the manifest as pictures are settled, and what is told of them."""

from __future__ import annotations

import dataclasses
import queue
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyhades.segmentation.bulk.history import Record
from pyhades.segmentation.bulk.manifest import Manifest
from pyhades.segmentation.bulk.picture import Outcome, Picture, Stamp, Status, since
from pyhades.segmentation.bulk.rendering import Rendered
from pyhades.segmentation.bulk.review import Review


@dataclass
class Books:
    """Notes what becomes of pictures; any thread may.

    Attributes
    ----------
    manifest
        Where lines go.
    stamp
        What every line says: what results are made with, and by whom.
    review
        Where doubtful results are shown.
    known
        Records to keep up to date; None where nobody asks again.
    notes
        What else is to be said, each once.
    """

    manifest: Manifest
    stamp: dict[str, Any]
    review: Review | None = None
    known: dict[str, Record] | None = None
    notes: dict[str, str] = field(default_factory=dict)
    _news: queue.SimpleQueue[Outcome] = field(default_factory=queue.SimpleQueue)

    def done(self, picture: Picture, rendered: Rendered, crc32: int) -> None:
        height, width = rendered.size
        outcome = Outcome(
            picture.key, "done", "", picture.target, round(rendered.foreground, 5), rendered.doubt,
            since(picture.began), str(picture), _rounded(rendered.stages), rendered.engine,
        )  # fmt: skip
        result = {
            "output_bytes": sum(map(len, rendered.parts)), "crc32": crc32,
            "width": width, "height": height,
        }  # fmt: skip
        self._note(picture, outcome, result)
        if rendered.doubt and self.review is not None:
            self._show(self.review, picture, outcome, rendered.data)

    def _show(self, review: Review, picture: Picture, outcome: Outcome, result: bytes) -> None:
        """A preview is a help: one that cannot be made fails nothing."""
        try:
            review.add(picture, outcome, result)
        except Exception as error:
            self.notes.setdefault("preview", f"a preview could not be made: {error}")

    def fail(self, picture: Picture, error: Exception, status: Status = "failed") -> None:
        reason = reason_of(error, str(picture))
        outcome = Outcome(
            picture.key, status, reason, picture.target, 0.0, "", since(picture.began), str(picture)
        )
        self._note(picture, outcome, {})

    def _note(self, picture: Picture, outcome: Outcome, result: dict[str, Any]) -> None:
        stamp = picture.stamp or Stamp(picture.nbytes)
        line = {
            "input": outcome.input, "status": outcome.status, "reason": outcome.reason,
            "size": stamp.size, "mtime_ns": stamp.mtime_ns, "sha256": picture.sha256,
            "output": outcome.output, **result, "foreground": outcome.foreground,
            "doubt": outcome.doubt, "seconds": outcome.seconds, "stages": outcome.stages,
            "engine": outcome.engine, "archive": picture.archive,
        }  # fmt: skip
        written = {name: value for name, value in line.items() if value not in ("", {})}
        if self.known is not None:
            self.known[outcome.input] = Record.of(line)
        self.append(written, outcome)

    def append(self, line: dict[str, Any], outcome: Outcome) -> None:
        """Write a line; a result without one is a failure, and is done again."""
        try:
            self._write(line)
        except OSError as error:
            if outcome.status == "done":
                reason = _not_noted(error)
                outcome = dataclasses.replace(outcome, status="unwritten", reason=reason)
        self._news.put(outcome)

    def append_quietly(self, line: dict[str, Any]) -> None:
        """Write a line that only matters if it cannot be written."""
        try:
            self._write(line)
        except OSError as error:
            self._news.put(Outcome(line["input"], "unwritten", _not_noted(error)))

    def _write(self, line: dict[str, Any]) -> None:
        self.manifest.append({**line, "time": round(time.time(), 3), **self.stamp})

    def news(self) -> Iterator[Outcome]:
        """What was settled since the last call."""
        while True:
            try:
                yield self._news.get_nowait()
            except queue.Empty:
                return


def _rounded(stages: Mapping[str, float]) -> dict[str, float]:
    return {name: round(seconds, 5) for name, seconds in stages.items()}


def _not_noted(error: OSError) -> str:
    return f"the manifest cannot be written: {error.strerror or error}"


def reason_of(error: Exception, name: str) -> str:
    """Why, without the name of the picture, which is told beside it."""
    if isinstance(error, OSError) and error.strerror:
        where = f" ({error.filename})" if error.filename and str(error.filename) != name else ""
        return f"{error.strerror}{where}"
    text = str(error) or type(error).__name__
    return text.removeprefix(f"{name}: ")
