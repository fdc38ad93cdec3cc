"""Where the time of a run goes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pyhades import _native
from pyhades.compiler.listing import Line
from pyhades.tables import as_html, as_table


@dataclass(frozen=True)
class TracedLine:
    """An instruction, the seconds that it took, and what this call of it needed."""

    line: Line
    seconds: float
    flops: float
    bytes: float

    @property
    def gflops(self) -> float:
        """10^9 floating-point operations per second."""
        return self.flops / self.seconds / 1e9 if self.seconds else 0.0

    @property
    def gbs(self) -> float:
        """10^9 bytes moved per second."""
        return self.bytes / self.seconds / 1e9 if self.seconds else 0.0


class Trace:
    """Times of one run: prints as a table, per operator and per instruction.

    Attributes
    ----------
    lines
        One :class:`~pyhades.compiler.trace.TracedLine` per instruction, in order.
    """

    def __init__(self, lines: Sequence[Line], timings: Sequence[_native.Timing]) -> None:
        pairs = zip(lines, timings, strict=True)
        self.lines = [TracedLine(line, *timing) for line, timing in pairs]

    @classmethod
    def of(cls, lines: Iterable[TracedLine]) -> Self:
        """A trace of lines that are timed already."""
        trace = cls((), ())
        trace.lines = list(lines)
        return trace

    @property
    def seconds(self) -> float:
        """Sum over all instructions."""
        return sum(traced.seconds for traced in self.lines)

    @property
    def flops(self) -> float:
        """Floating-point operations that this run needed; a multiply-add is two."""
        return sum(traced.flops for traced in self.lines)

    @property
    def bytes(self) -> float:
        """Bytes that the instructions needed, each operand once per instruction."""
        return sum(traced.bytes for traced in self.lines)

    def by_op(self) -> dict[str, float]:
        """Seconds per native operator, largest first."""
        totals: dict[str, float] = defaultdict(float)
        for traced in self.lines:
            totals[traced.line.op] += traced.seconds
        return dict(sorted(totals.items(), key=lambda item: -item[1]))

    def summary(self) -> str:
        """The table per operator."""
        return as_table(self._op_rows(), right=(1, 2, 3, 4, 5))

    def save_chrome(self, path: str | Path) -> None:
        """Write a file for chrome://tracing or ui.perfetto.dev."""
        events, start = [], 0.0
        for traced in self.lines:
            line = traced.line
            arguments = {"operands": line.operands, "kernel": line.kernel, "gflops": traced.gflops}
            events.append(
                {"name": line.label, "cat": line.op, "ph": "X", "pid": 0, "tid": 0,
                 "ts": start * 1e6, "dur": traced.seconds * 1e6, "args": arguments}
            )  # fmt: skip
            start += traced.seconds
        Path(path).write_text(json.dumps({"traceEvents": events}), encoding="utf-8")

    def _op_rows(self) -> list[list[str]]:
        rows = [["op", "calls", "ms", "share", "GFLOP/s", "GB/s"]]
        for op in self.by_op():
            rows.append([op, *self._sums([x for x in self.lines if x.line.op == op])])
        rows.append(["total", *self._sums(self.lines)])
        return rows

    def _sums(self, chosen: Sequence[TracedLine]) -> list[str]:
        seconds = sum(traced.seconds for traced in chosen)
        flops, moved = sum(x.flops for x in chosen), sum(x.bytes for x in chosen)
        return [
            str(len(chosen)), f"{seconds * 1e3:.2f}", f"{seconds / self.seconds:.1%}",
            f"{flops / seconds / 1e9:.1f}", f"{moved / seconds / 1e9:.1f}",
        ]  # fmt: skip

    def _rows(self) -> list[list[str]]:
        rows = [["#", "op", "ms", "share", "GFLOP/s", "GB/s", "operands", "kernel", "label"]]
        for traced in self.lines:
            line = traced.line
            rows.append(
                [str(line.index), line.op, f"{traced.seconds * 1e3:.3f}",
                 f"{traced.seconds / self.seconds:.1%}", f"{traced.gflops:.1f}",
                 f"{traced.gbs:.1f}", line.operands, line.kernel, line.label]
            )  # fmt: skip
        return rows

    def __str__(self) -> str:
        return f"{as_table(self._rows(), right=(0, 2, 3, 4, 5))}\n\n{self.summary()}"

    def _repr_html_(self) -> str:
        return as_html(self._op_rows()) + as_html(self._rows())
