"""Look at a model without running it."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyhades
from pyhades.arguments import one_of
from pyhades.compiler import Program
from pyhades.errors import PyhadesError
from pyhades.ir.graph import Graph, Value
from pyhades.onnx.header import read_header
from pyhades.options import EngineOptions
from pyhades.segmentation.catalogue import Identification, Profile, identify
from pyhades.segmentation.inspection.report import Inspection, KernelUse, Port
from pyhades.segmentation.network import CompiledNetwork
from pyhades.segmentation.remover import ModelLike, check_model


def inspect(
    model: ModelLike | None = None,
    *,
    profile: Profile = "reference",
    options: EngineOptions | None = None,
    **manifest: Any,
) -> Inspection:
    """Say what a model is, what was guessed and why, and what will run.

    Nothing is run. The graph is compiled, to tell the kernels; a model that
    :class:`~pyhades.Remover` refuses is described as far as it goes, with the reason.

    Parameters
    ----------
    model
        Path, bytes or name of a model; None for the one that ships.
    profile, options, **manifest
        See making a :class:`~pyhades.Remover`.

    Returns
    -------
    Inspection
        Prints as tables, in a notebook too.

    Raises
    ------
    ModelError
        The file is not an ONNX model, or needs what pyhades does not have.
    ArgumentError
        There is no such file or model.

    Examples
    --------
    >>> found = inspect()
    >>> found.manifest.activation, found.gmac > 0.1
    ('none', True)
    """
    one_of("profile", profile, Profile)
    source, entry = check_model(model, False)
    graph = pyhades.load_onnx(source)
    path = None if isinstance(source, bytes) else source
    found, refusal = None, ""
    try:
        with _quiet():
            found = identify(graph, path, entry=entry, profile=profile, **manifest)
    except PyhadesError as error:
        refusal = str(error)
    facts: dict[str, Any] = {
        "source": "<bytes>" if path is None else str(path),
        "bytes": len(source) if isinstance(source, bytes) else source.stat().st_size,
        **_header(source),
        **_weights(graph),
        "operators": dict(Counter(node.op for node in graph.nodes).most_common()),
        "inputs": tuple(_inputs(graph, found)),
        "outputs": tuple(_outputs(graph, found)),
        "refusal": refusal,
    }
    if found is not None:
        facts |= {
            "basis": found.basis,
            "is_guess": found.is_guess,
            "manifest": found.manifest,
            "reasons": found.reasons,
        }
    return Inspection(**facts, **_compiled(graph, found, options))


@contextmanager
def _quiet() -> Iterator[None]:
    """What a guess logs is part of the inspection."""
    log = logging.getLogger("pyhades.segmentation.catalogue.identify")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _header(source: Path | bytes) -> dict[str, Any]:
    header = read_header(source)
    return {
        "producer": header.producer,
        "opset": header.opset,
        "ir_version": header.ir_version,
    }


def _weights(graph: Graph) -> dict[str, Any]:
    """Constants that are more than shape arithmetic."""
    sizes: dict[str, int] = defaultdict(int)
    count = 0
    for value in graph.values():
        if (value.data is not None and value.data.dtype.kind != "i") or _is_weight(value):
            assert value.data is not None
            sizes[value.data.dtype.name] += value.data.nbytes
            count += value.data.size
    return {"weights": count, "weight_bytes": dict(sizes)}


def _is_weight(value: Value) -> bool:
    return value.data is not None and (value.data.dtype.itemsize == 1 or value.data.size > 1024)


def _inputs(graph: Graph, found: Identification | None) -> Iterator[Port]:
    plan = None if found is None else found.inputs
    for value in graph.inputs:
        role = ""
        if plan is not None:
            states = {state.input: state.output for state in plan.states}
            if value.name == plan.picture:
                role = f"the picture, {plan.layout}"
            elif value.name in states:
                role = f"what {states[value.name]!r} gave for the frame before"
            else:
                role = "always the same"
        yield _port(value, role)


def _outputs(graph: Graph, found: Identification | None) -> Iterator[Port]:
    meaning = None if found is None else found.meaning
    read = {} if meaning is None else {m.name: m for m in meaning.outputs}
    for index, value in enumerate(graph.outputs):
        role = ""
        if value.name in read:
            each = read[value.name]
            role = each.problem or f"a map of {each.channels} channels; {each.fact.why()}"
        if found is not None and found.manifest.output in (index, value.name):
            role = f"the mask; {role}" if role else "the mask"
        yield _port(value, role)


def _port(value: Value, role: str) -> Port:
    if value.type is None:
        return Port(value.name, "unknown", None, role)
    return Port(value.name, value.type.dtype.name, value.type.shape, role)


def _compiled(
    graph: Graph, found: Identification | None, options: EngineOptions | None
) -> dict[str, Any]:
    """What runs, for one picture; of a model that is refused, for the shapes that it declares."""
    try:
        if found is None:
            with pyhades.compile(graph, options=options) as program:
                return _program_facts(program)
        network = CompiledNetwork(graph, found.manifest.output, plan=found.inputs, options=options)
        try:
            return _program_facts(network.program(found.manifest.input_size))
        finally:
            network.close()
    except PyhadesError as error:
        return {"problem": str(error)}


def _program_facts(program: Program) -> dict[str, Any]:
    work: dict[tuple[str, str], list[float]] = defaultdict(list)
    for line in program.lines:
        work[line.op, line.kernel].append(line.flops)
    total = max(program.flops, 1)
    kernels = [
        KernelUse(op, kernel, len(flops), sum(flops) / 2e9, sum(flops) / total)
        for (op, kernel), flops in work.items()
    ]
    memory = program.memory
    return {
        "kernels": tuple(sorted(kernels, key=lambda use: (-use.gmac, -use.count, use.op))),
        "gmac": program.flops / 2e9,
        "arena_bytes": memory.arena,
        "constant_bytes": memory.constants,
        "compiled_for": {n: kind.static_shape for n, kind in program.inputs.items()},
        "tier": program.isa,
        "thread_count": program.threads,
    }
