"""One call of a staged program, plain, timed or with its values kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from pyhades.compiler.stages.engine import Engine
from pyhades.compiler.stages.lines import line_of
from pyhades.compiler.stages.part import Part
from pyhades.compiler.stages.stage import Stage
from pyhades.compiler.stages.variants import Variants
from pyhades.compiler.trace import TracedLine
from pyhades.compiler.view import Array
from pyhades.errors import CancelledError, ClosedError
from pyhades.ir.graph import Node


class Run:
    """Goes from stage to stage."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._began = engine.cancellations

    def stages(self, stage: Stage, arrays: Sequence[Array]) -> list[Array]:
        """The outputs of the whole that begins with ``stage``."""
        found: dict[int, Array] = {}
        while True:
            self._check()
            results, arrays = stage.step(arrays, self)
            found.update(results)
            if stage.after is None:
                return [found[index] for index in sorted(found)]
            stage = stage.after.find(arrays)

    def follow(self, variants: Variants, arrays: Sequence[Array]) -> list[Array]:
        """The outputs of a graph that an operator runs."""
        self._check()
        return self.stages(variants.find(arrays), arrays)

    def compute(self, part: Part, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """What a part makes."""
        return part.run(feeds)

    def execute(self, node: Node, evaluate: Callable[[], list[Array]]) -> list[Array]:
        """What an operator makes that Python runs."""
        return evaluate()

    def _check(self) -> None:
        if self._engine.is_closed:
            raise ClosedError("the program is closed; compile it again")
        if self._engine.cancellations != self._began:
            raise CancelledError("the run was cancelled")


class TracedRun(Run):
    """Times what it runs."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.lines: list[TracedLine] = []

    def compute(self, part: Part, feeds: Mapping[str, Array]) -> dict[str, Array]:
        results, lines = part.trace(feeds)
        self.lines += lines
        return results

    def execute(self, node: Node, evaluate: Callable[[], list[Array]]) -> list[Array]:
        began, listed = time.perf_counter(), len(self.lines)
        results = evaluate()
        seconds = time.perf_counter() - began
        # What the graphs of the operator took stands in lines of their own.
        seconds -= sum(line.seconds for line in self.lines[listed:])
        line = line_of(node)
        self.lines.append(TracedLine(line, max(seconds, 0.0), line.flops, line.bytes))
        return results


class DumpingRun(Run):
    """Keeps the values that it meets; of a repetition, those of the last step."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.values: dict[str, Array] = {}

    def compute(self, part: Part, feeds: Mapping[str, Array]) -> dict[str, Array]:
        results, values = part.dump(feeds)
        self.values.update(values)
        return results

    def execute(self, node: Node, evaluate: Callable[[], list[Array]]) -> list[Array]:
        results = evaluate()
        self.values.update(zip((value.name for value in node.outputs), results, strict=True))
        return results
