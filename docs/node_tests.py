"""Run the ONNX project's node tests, compiled, and write down per operator how many pass.

``python docs/node_tests.py`` writes ``docs/reference/node_tests.json``, of which
``docs/generate_reference.py`` makes the page about operators; tests/docs compares it with a fresh
run. Needs the package ``onnx``, a developer's tool.

What is left out follows from rules that look at a case, never at its result.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "reference" / "node_tests.json"

sys.path.insert(0, str(ROOT))

from onnx import AttributeProto, TensorProto  # noqa: E402

from pyhades.errors import PyhadesError  # noqa: E402
from pyhades.onnx.opsets import canonical  # noqa: E402
from pyhades.onnx.translate import OLDEST_OPSET  # noqa: E402
from tests.compiler.test_onnx_cases import run  # noqa: E402
from tests.onnx.test_backend_cases import CONTESTED, MODULES, as_array, cases_of  # noqa: E402

_PLAIN = {
    *("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "BOOL"),
    *("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"),
}
_RANDOM = ("Bernoulli", "Multinomial", "Random")


def _types(case: Any) -> Iterator[Any]:
    for value in [*case.model.graph.input, *case.model.graph.output]:
        yield value.type


def _nodes(graph: Any) -> Iterator[Any]:
    """The nodes of a graph and of the graphs in their attributes."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from _nodes(attribute.g)


def _element_names(case: Any) -> set[str]:
    numbers = {kind.tensor_type.elem_type for kind in _types(case) if kind.HasField("tensor_type")}
    return {TensorProto.DataType.Name(number) for number in numbers}


def _trains(case: Any) -> bool:
    for node in _nodes(case.model.graph):
        if "training" in node.domain:
            return True
        if any(a.name == "training_mode" and a.i for a in node.attribute):
            return True
        if node.op_type == "Dropout" and len(node.input) > 2:
            return any(as_array(inputs[-1]).any() for inputs, _ in case.data_sets)
    return False


def _calls(case: Any, test: Callable[[str], bool]) -> bool:
    return any(test(node.op_type) for node in _nodes(case.model.graph))


RULES: dict[str, Callable[[Any], bool]] = {
    "sequences, optionals, maps": lambda case: (
        any(not kind.HasField("tensor_type") for kind in _types(case))
        or _calls(case, lambda op: "Optional" in op or op.startswith("Sequence"))
    ),
    "strings": lambda case: "STRING" in _element_names(case),
    "complex numbers": lambda case: any("COMPLEX" in name for name in _element_names(case)),
    "random numbers": lambda case: _calls(case, lambda op: op.startswith(_RANDOM)),
    "training": _trains,
    "losses": lambda case: _calls(case, lambda op: op.endswith("Loss")),
    "pictures as bytes": lambda case: _calls(case, lambda op: op == "ImageDecoder"),
    "domains that are previews": lambda case: any(
        canonical(node.domain) for node in _nodes(case.model.graph)
    ),
    "float8, and numbers of less than a byte": lambda case: bool(_element_names(case) - _PLAIN),
    f"opsets before {OLDEST_OPSET}": lambda case: case.model.opset_import[0].version < OLDEST_OPSET,
    "contested": lambda case: case.name in CONTESTED,
}
"""Why a case is left out, in this order; ``contested`` names its cases with their reasons."""


def rule_of(case: Any) -> str | None:
    """The first rule by which a case is left out."""
    return next((name for name, applies in RULES.items() if applies(case)), None)


def subject_of(case: Any, module: list[Any]) -> str:
    """The operator that a case is about; one of its expansion is about what was expanded."""
    name = case.name.partition("_expanded")[0]
    original = next((other for other in module if other.name == name), case)
    nodes = original.model.graph.node
    if len(nodes) == 1:
        return str(nodes[0].op_type)
    alone = Counter(c.model.graph.node[0].op_type for c in module if len(c.model.graph.node) == 1)
    here = {node.op_type for node in nodes}
    known = [op for op, _ in alone.most_common() if op in here]
    return str(known[0] if known else nodes[-1].op_type)


def passes(case: Any) -> bool:
    """Whether a compiled program gives what the case expects."""
    try:
        run(case)
    except (PyhadesError, AssertionError, NotImplementedError):
        return False
    return True


def tally(modules: list[str]) -> dict[str, dict[str, Any]]:
    """Per operator: how many cases there are, how many of them pass, how many a rule left out."""
    table: dict[str, dict[str, Any]] = {}
    for module in modules:
        cases = cases_of(module)
        for case in cases:
            row = table.setdefault(
                subject_of(case, cases), {"tests": 0, "passed": 0, "left_out": {}}
            )
            rule = rule_of(case)
            if rule is not None:
                row["left_out"][rule] = row["left_out"].get(rule, 0) + 1
                continue
            row["tests"] += 1
            row["passed"] += passes(case)
    return dict(sorted(table.items()))


def main() -> None:
    """Write the table."""
    table = tally(MODULES)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in table.items())
    TARGET.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    plain = [row for row in table.values() if row["tests"]]
    whole = [row for row in plain if row["passed"] == row["tests"]]
    print(f"{len(whole)} operators whole, of {len(plain)} with tests")


if __name__ == "__main__":
    main()
