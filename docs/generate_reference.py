"""Write the reference pages that follow from the registries.

``python docs/generate_reference.py`` rewrites them; tests/docs fails when a committed page is not
what this script makes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyhades.compiler.lower  # noqa: F401  (fills RULES)
from pyhades.compiler.lowering import RULES
from pyhades.errors import UnsupportedOperatorError
from pyhades.ir.ops.control import ControlFlow
from pyhades.ir.registry import operator
from pyhades.ir.signature import KINDS, Signature, Slot
from pyhades.kernels import implementations
from pyhades.numerics.functions import functions_of
from pyhades.onnx.translate import (
    _TRANSLATORS,
    DEFAULT,
    MICROSOFT,
    NEWEST_OPSET,
    OLDEST_OPSET,
    as_it_is,
    supported_operators,
)
from pyhades.passes.decompose.rule import _RULES as DECOMPOSED

FOLDER = Path(__file__).parent / "reference"

NOTE = "<!-- Written by docs/generate_reference.py; change that, not this. -->\n"

ENDED = {"Upsample": 9}
"""The last opset of operators that the importer refuses after it."""

_WHEN_COMPILING = "computed when compiling"
_WHEN_FOUND = "computed when compiling, or by NumPy between stages"
_OF_GRAPHS = "written out where its course is known, otherwise its graphs run between stages"
_IN_PYTHON = "NumPy, between stages"
ELSEWHERE = {
    "BatchNormalization": "folded into the convolution before it, else `scale_shift`",
    "Constant": _WHEN_COMPILING,
    "ConstantOfShape": _WHEN_FOUND,
    "EyeLike": _WHEN_COMPILING,
    "MelWeightMatrix": _WHEN_COMPILING,
    "Range": _WHEN_FOUND,
    "Shape": _WHEN_COMPILING,
    "Size": _WHEN_COMPILING,
}
"""Operators that no table of rules for lowering mentions."""

CONDITIONS = {
    "always": "",
    "is_float64": "float64",
    "_is_float16": "float16",
    "_has_no_kernel": "float64, or three and more spatial axes",
    "_is_no_image": "three and more spatial axes",
    "_counts_elements": "windows of one element that are asked for positions",
    "_interpolates_without_kernel": "linear or cubic where no kernel has the dtype",
    "_reduces_without_kernel": "with a reduction, where no kernel has the dtype",
    "_needs_elementary": "float64, or parameters that differ from row to row",
    "_has_no_scale_shift": "float64, or parameters that are not constant",
    "_has_no_phases": "other than float32, 1-D or 2-D; a computed weight; windows with gaps",
    "_has_constant_length": "a length that is constant",
    "_diagonal_varies": "another diagonal",
    "_diagonal_is_constant": "a diagonal that is constant",
    "_are_bytes": "of bytes with one scale",
    "_is_computed": "",
    "_has_mask": "with a mask",
    "_fill_varies": "a fill that is not constant",
}
"""When a rule of pyhades/passes/decompose applies, by the name of its condition."""


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    titles = list(header)
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def opsets(name: str) -> str:
    """The opsets that are read, older spellings marked with a star."""
    versions = sorted(_TRANSLATORS[DEFAULT][name])
    ends = [last - 1 for _, last in pairwise(versions)] + [ENDED.get(name, NEWEST_OPSET)]
    ranges = []
    for first, last in zip(versions, ends, strict=True):
        if last < OLDEST_OPSET:
            continue
        star = "" if _TRANSLATORS[DEFAULT][name][first] is as_it_is else "*"
        first = max(first, OLDEST_OPSET)
        ranges.append(f"{first} to {last}{star}" if first < last else f"{first}{star}")
    return ", ".join(ranges)


def signature(name: str) -> str:
    """The dtypes of an IR operator in the notation of ir/signature.py."""

    def written(slot: Slot) -> str:
        return slot.dtype + "?" * slot.optional + "..." * slot.variadic

    try:
        known: Signature = operator(name).signature
    except UnsupportedOperatorError:
        return ""
    inputs, outputs = (", ".join(map(written, side)) for side in (known.inputs, known.outputs))
    return f"`{inputs} -> {outputs}`" if inputs else f"`-> {outputs}`"


def runs_as(name: str) -> str:
    """What becomes of an operator between the file and the kernels."""
    ways = []
    if any(row.is_step for row in functions_of(name)):
        ways.append("`map`, in chains (float32)")
    if name in RULES:
        ways.append(f"lower/{RULES[name].__module__.rpartition('.')[2]}.py")
    if name in ELSEWHERE:
        assert not ways, f"{name} has a rule now; take it out of ELSEWHERE"
        ways.append(ELSEWHERE[name])
    conditions = [CONDITIONS[when.__name__] for when, _ in DECOMPOSED.get(name, ())]
    if conditions:
        limits = "" if "" in conditions else f" ({'; '.join(conditions)})"
        ways.append(f"simpler operators{limits}")
    if not ways and signature(name) and operator(name).sizes_depend_on_data:
        ways.append(_OF_GRAPHS if isinstance(operator(name), ControlFlow) else _IN_PYTHON)
    if not ways:
        assert not signature(name), f"say in ELSEWHERE how {name} is computed"
        return "another operator, when imported"
    return "; ".join(ways)


def meaning(name: str) -> str:
    """What the newest translator of an operator of onnxruntime says of it."""
    versions = _TRANSLATORS[MICROSOFT][name]
    said = (versions[max(versions)].__doc__ or "").split("\n")[0]
    return "as in ONNX" if versions[max(versions)] is as_it_is else said


NODE_TESTS = FOLDER / "node_tests.json"
"""What docs/node_tests.py found."""


def proof() -> dict[str, Any]:
    """Per operator: the ONNX project's tests, those that pass, those that a rule leaves out."""
    table: dict[str, Any] = json.loads(NODE_TESTS.read_text(encoding="utf-8"))
    return table


def tests_of(row: dict[str, Any] | None) -> str:
    """How many tests of an operator pass, and what was left out."""
    if row is None:
        return ""
    left = sum(row["left_out"].values())
    counts = f"{row['passed']} of {row['tests']}" if row["tests"] else ""
    return ", ".join(part for part in (counts, f"{left} left out" if left else "") if part)


def proof_page() -> str:
    """What the tests say of all operators, and which are not read."""
    found = proof()
    plain = {name: row for name, row in found.items() if row["tests"]}
    whole = [name for name, row in plain.items() if row["passed"] == row["tests"]]
    rules: dict[str, int] = {}
    for row in found.values():
        for rule, count in row["left_out"].items():
            rules[rule] = rules.get(rule, 0) + count
    known = set(supported_operators())
    missing = [
        [f"`{name}`", str(row["tests"] or ""), ", ".join(row["left_out"])]
        for name, row in found.items()
        if name not in known
    ]
    cases = sum(row["tests"] for row in plain.values())
    passed = sum(row["passed"] for row in plain.values())
    listed = "\n".join(f"- {rule}: {count}" for rule, count in sorted(rules.items()))
    return f"""## The ONNX project's node tests
{len(plain)} operators have tests of plain tensors; of {len(whole)} every test passes as a compiled
program, {passed} tests of {cases}. `python docs/node_tests.py` runs them, on the best instruction
set that the machine has. A test of an operator's expansion into a function counts as one of that
operator. Which tests are left out follows from rules that look at the test, never at its result:

{listed}

Contested are those whose expected output is not what the operator says;
`tests/onnx/test_backend_cases.py` names them with the reasons. Inputs that decide shapes are
constants in these runs.

Operators with tests that are not read:

{table(["operator", "tests", "left out for"], missing)}"""


def onnx_support() -> str:
    """The page about the importer."""
    kinds = ", ".join(f"`{letter}` {meaning}" for letter, meaning in KINDS.items())
    passing = proof()
    rows = [
        [f"`{name}`", opsets(name), signature(name), runs_as(name), tests_of(passing.get(name))]
        for name in supported_operators()
    ]
    elsewhere = [[f"`{name}`", meaning(name)] for name in supported_operators(MICROSOFT)]
    own = sorted(set(RULES) - set(supported_operators()))
    return f"""{NOTE}
# ONNX operators

`pyhades.load_onnx` reads opset {OLDEST_OPSET} to {NEWEST_OPSET} of the default domain:
{len(rows)} operators. Anything else raises `UnsupportedOperatorError`, which names the file, the
node and what to do.

- *opsets*: a star marks spellings that the importer translates to the newest.
- *types*: inputs and outputs. Equal letters are equal dtypes; {kinds}.
  `?` may be omitted, `...` may occur more than once, `*` is computed.
- *runs as*: which rule of `pyhades/compiler` makes instructions of it. Before that, constants are
  folded: what depends on no input is computed when compiling, whatever the operator.
  Where numbers that decide shapes are computed by the network, it runs in
  {{doc}}`stages <../explanation/stages>`.
- *tests*: how many of the ONNX project's tests pass, see below.

The types are those of the import, of the NumPy references and of compiled programs. The fast
kernels are those of float32: convolution, pooling, normalisation, softmax, matrix products and
chains of element-wise operators. float16 is computed there in float32 and rounded once at the end.
float64 and integers run on scalar code, convolutions and normalisations of float64 as several
operators; three and more spatial axes as convolutions and poolings of images. bfloat16 is computed
in float32 and rounded to bfloat16 wherever an operator of the file rounds; float32 is also what a
program takes and returns for it.
Strings, sequences, complex
numbers and types of less than 8 bits are refused, float8 too. `pyhades.compile` refuses what no
kernel computes and names the node.
Inputs that decide shapes (of Reshape, Slice, Pad, Resize, Expand, Tile, ...) have to be constant
after folding. Extents that the file leaves open are fixed by `input_shapes`.

{table(["operator", "opsets", "types", "runs as", "tests"], rows)}
## Operators of onnxruntime
Domain `com.microsoft`, which onnxruntime and its tools write: {len(elsewhere)} operators. They
become others when they are read; {{doc}}`../explanation/quantised_files` tells about those on
integers.

{table(["operator", "what it takes"], elsewhere)}
Operators of the compiler's own, made by its passes: {", ".join(f"`{name}`" for name in own)}.

{proof_page()}"""


def kernel_table() -> str:
    """The page about kernels and tiers."""
    tiers = ["scalar", "avx2", "avx512", "avx512_vnni", "avx512_bf16"]
    everywhere = tiers[:3]
    found = implementations()
    families: dict[str, dict[str, list[str]]] = {}
    for kernel in found:
        tier = kernel.name.removeprefix(kernel.function + "_")
        assert tier in tiers, f"give the tier of {kernel.name} a column"
        families.setdefault(kernel.family, {}).setdefault(kernel.function, []).append(tier)
    parts = []
    for family, functions in sorted(families.items()):
        used = {tier for having in functions.values() for tier in having}
        columns = [tier for tier in tiers if tier in everywhere or tier in used]
        rows = [
            [f"`{function}`", *("yes" if tier in having else "" for tier in columns)]
            for function, having in sorted(functions.items())
        ]
        parts.append(f"## {family}\n{table(['function', *columns], rows)}")
    return f"""{NOTE}
# Kernels

Every registered kernel of the x86-64 build: {len(found)} of {len(parts)} families. On other
architectures there is the scalar tier only. A function runs as its best kernel that the CPU and
`PYHADES_ISA` allow; `pyhades.kernels.selected(function)` tells which. The name of a kernel is
`<function>_<tier>`.

{chr(10).join(parts)}"""


PAGES = {"onnx_support.md": onnx_support, "kernel_table.md": kernel_table}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
