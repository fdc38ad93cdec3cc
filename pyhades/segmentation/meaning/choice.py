"""Which of several outputs holds the mask."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyhades.engines.feeding import InputPlan
from pyhades.errors import ModelError
from pyhades.ir.graph import Graph, Value
from pyhades.segmentation.meaning.facts import Facts
from pyhades.segmentation.meaning.outputs import OutputMeaning, read_output

_NAMES = re.compile(r"(^|[^a-z])(pha|alpha|alphas|matte|mattes|mask|masks|saliency)([^a-z]|$)")
"""How authors call the output that users want."""

REMEDY = "export the network with its mask output, or run it with pyhades.compile"


@dataclass(frozen=True)
class Meaning:
    """What the graph says about its outputs."""

    outputs: tuple[OutputMeaning, ...]
    chosen: OutputMeaning | None
    reasons: tuple[str, ...]
    problem: str = ""
    """Why there is no mask among the outputs."""

    def require(self, where: str) -> OutputMeaning:
        """The output that holds the mask; ModelError where there is none."""
        if self.chosen is None:
            raise ModelError(f"{where}: {self.problem}; {REMEDY}")
        return self.chosen


def understand(
    graph: Graph,
    plan: InputPlan,
    input_size: tuple[int, int],
    output: int | str | None = None,
) -> Meaning:
    """Read the outputs of ``graph`` for pictures of ``input_size`` (height, width).

    ``output`` is the one that the user names, if any.
    """
    facts = _facts(graph, plan.shapes(input_size))
    states = {state.output for state in plan.states}
    values = facts.graph.outputs
    read = tuple(read_output(value, facts.of(value), input_size) for value in values)
    if output is not None:
        index = output if isinstance(output, int) else [v.name for v in values].index(output)
        meaning = read[index]
        if meaning.problem:
            return Meaning(read, None, (), f"output {meaning.name!r} has {meaning.problem}")
        return Meaning(read, meaning, (f"output {meaning.name!r} was asked for", *meaning.reasons))
    problem = _other_task(read)
    usable = [i for i, m in enumerate(read) if not m.problem and m.name not in states]
    if problem or not usable:
        return Meaning(read, None, (), problem or _no_mask(read))
    index, reason = _choose(read, usable, _depths(facts.graph))
    return Meaning(read, read[index], (*reason, *read[index].reasons))


def _facts(graph: Graph, shapes: Mapping[str, Sequence[int]]) -> Facts:
    try:
        return Facts(graph, shapes)
    except ModelError:
        # A size that the network does not take; the shapes that the file declares have to do.
        fixed = {v.name: v.type.static_shape for v in graph.inputs if v.type and v.type.is_static}
        return Facts(graph, {**shapes, **fixed})


def _choose(
    read: Sequence[OutputMeaning], usable: Sequence[int], depths: Sequence[int]
) -> tuple[int, tuple[str, ...]]:
    """The best of the maps, and why."""
    if len(read) == 1:
        return 0, ()

    def rank(index: int) -> tuple[int, ...]:
        meaning = read[index]
        named = bool(_NAMES.search(meaning.name.lower()))
        area = meaning.size[0] * meaning.size[1]
        return (-named, meaning.channels > 2, -area, meaning.channels, -depths[index], index)

    best = min(usable, key=rank)
    others = [i for i in usable if i != best]
    name = f"output {read[best].name!r} of {len(read)}"
    if not others:
        return best, (f"{name}: the only one that can be a mask",)
    second = min(others, key=rank)
    reasons = (
        "by its name", "it has few channels", "it is the finest", "it has the fewest channels",
        "everything that the others are made of goes into it", "it is the first of equals",
    )  # fmt: skip
    pairs = zip(rank(best), rank(second), strict=True)
    difference = next(i for i, (a, b) in enumerate(pairs) if a != b)
    return best, (f"{name}: {reasons[difference]}",)


def _depths(graph: Graph) -> list[int]:
    """How many nodes each output depends on: a fused map depends on the maps it is fused from."""
    index = {id(node): i for i, node in enumerate(graph.nodes)}
    # Bit sets as integers: the union of thousands of ancestors is one machine operation per word.
    ancestors: list[int] = []
    for i, node in enumerate(graph.nodes):
        bits = 1 << i
        for value in node.inputs:
            maker = None if value is None else value.producer
            if maker is not None:
                bits |= ancestors[index[id(maker)]]
        ancestors.append(bits)

    def depth(value: Value) -> int:
        maker = value.producer
        return 0 if maker is None else ancestors[index[id(maker)]].bit_count()

    return [depth(value) for value in graph.outputs]


def _other_task(read: Sequence[OutputMeaning]) -> str:
    """Networks whose maps need further work to be masks, by the outputs beside the maps."""
    rows = [m for m in read if m.problem and m.shape is not None and len(m.shape) == 3]
    maps = [m for m in read if m.is_map and m.channels > 2]
    for row in rows:
        for each in maps:
            if row.shape is not None and each.channels in row.shape[1:2]:
                return (
                    f"output {each.name!r} holds a mask for each of {each.channels} queries, and "
                    f"{row.name!r} their classes: a panoptic or instance segmentation network"
                )
            if row.shape is not None and each.channels >= 16:
                return (
                    f"output {row.name!r} holds boxes with coefficients, and {each.name!r} the "
                    f"{each.channels} prototypes of their masks: an instance segmentation network"
                )
    return ""


def _no_mask(read: Sequence[OutputMeaning]) -> str:
    problems = [f"output {m.name!r} has {m.problem}" for m in read if m.problem]
    shown = "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if problems[3:] else "")
    return f"no output is a mask: {shown}"
