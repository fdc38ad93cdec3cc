"""What docs/explanation/extending.md says that an extension touches is true of the tree."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pyhades
import pyhades.onnx.ops
from pyhades.errors import ClosedError, UnsupportedOperatorError
from pyhades.ir import registry
from pyhades.networks import write_u2net
from pyhades.onnx import translate
from pyhades.passes.decompose import rule as decomposing
from pyhades.segmentation import Remover
from pyhades.segmentation.network import CompiledNetwork

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "extending.md"
HOW_TO = ROOT / "docs" / "how-to" / "add_onnx_operator.md"


def blocks(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def listed() -> dict[str, list[tuple[str, bool]]]:
    """Per extension: patterns of files, and whether they are new ones."""
    found: dict[str, list[tuple[str, bool]]] = {}
    extension = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            extension = line.removeprefix("## ")
        if line.startswith("| `"):
            _, files, what, _ = line.split("|")
            for name in re.findall(r"`([^`]+)`", files):
                pattern = re.sub(r"<\w+>", "*", name)
                found.setdefault(extension, []).append((pattern, "*new*" in what))
    return found


ROWS = [pytest.param(*row, id=f"{e}-{row[0]}") for e, rows in listed().items() for row in rows]


def test_lists_are_found():
    assert len(listed()) >= 4 and len(ROWS) > 20


@pytest.mark.parametrize(("pattern", "is_new"), ROWS)
def test_files_exist(pattern, is_new):
    """A new file needs a folder to go to, or is the first of its family."""
    if list(ROOT.glob(pattern)):
        return
    assert is_new, f"there is no {pattern}"
    folder = pattern.rpartition("/")[0]
    assert list(ROOT.glob(folder)) or list(ROOT.glob(folder.rpartition("/")[0])), folder


@pytest.mark.parametrize(
    ("extension", "example"),
    [
        ("An ONNX operator", "CumSum"),
        ("An ONNX operator", "InstanceNormalization"),
        ("An instruction set", "avx512_vnni"),
        ("An instruction set", "kAvx512Vnni"),
    ],
)
def test_examples_stand_in_the_listed_files(extension, example):
    """Every file that names an existing example of the kind is in the list."""
    command = ["grep", "-rlw", example, "pyhades", "csrc", "setup.py"]
    command += [
        f"--include=*.{suffix}" for suffix in ("py", "pyx", "pxi", "pxd", "h", "cpp", "inc")
    ]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    allowed = {path for pattern, _ in listed()[extension] for path in ROOT.glob(pattern)}
    found = {ROOT / line for line in output.splitlines()}
    assert found and not sorted(found - allowed)


@pytest.fixture
def restored():
    """The registries of operators as they were, afterwards."""
    tables = [registry._OPERATORS, *translate._TRANSLATORS.values(), decomposing._RULES]
    saved = [dict(table) for table in tables]
    yield
    for table, old in zip(tables, saved, strict=True):
        table.clear()
        table.update(old)


def test_an_operator_by_the_how_to(restored):
    """The code of the page makes an operator of it that passes ONNX's own cases, compiled."""
    pytest.importorskip("onnx")
    from tests.onnx.test_backend_cases import as_array, cases_of

    translators = translate._TRANSLATORS[translate.DEFAULT]
    for table in (registry._OPERATORS, translators, decomposing._RULES):
        del table["Hardmax"]
    with pytest.raises(UnsupportedOperatorError, match="Hardmax"):
        pyhades.load_onnx(cases_of("hardmax")[0].model.SerializeToString())
    names: dict[str, object] = {}
    imports = """
        from typing import Any
        import numpy as np
        from pyhades.ir.builder import GraphBuilder
        from pyhades.ir.graph import Node, Value
        from pyhades.ir.inference import constant
        from pyhades.ir.registry import Array, Operator, attribute, ir_op
        from pyhades.ir.shapes import Shape, shape, shape_of
        from pyhades.onnx.translate import OnnxNode, onnx_op, same
        from pyhades.passes.decompose.rule import Builder, dtype_of, rule, source
    """
    exec("\n".join(line.strip() for line in imports.splitlines()), names)
    about_hardmax = [block for block in blocks(HOW_TO) if "ardmax" in block]
    assert len(about_hardmax) == 4
    for block in about_hardmax:
        exec(compile(block, HOW_TO.name, "exec"), names)
    cases = cases_of("hardmax")
    assert len(cases) > 5
    for case in cases:
        graph = pyhades.load_onnx(case.model.SerializeToString())
        program = pyhades.compile(graph)
        for inputs, outputs in case.data_sets:
            feeds = dict(zip(program.inputs, map(as_array, inputs), strict=True))
            (result,) = program.run(feeds).values()
            np.testing.assert_array_equal(result, as_array(outputs[0]))


def test_another_engine_by_the_page(tmp_path, monkeypatch):
    """onnxruntime behind a remover: the lines of the page, next to our own engine."""
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    write_u2net("model.onnx", 64, small=True)
    noise = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    Image.fromarray(noise).resize((120, 90)).save("photo.jpg")
    (block,) = blocks(PAGE)
    names: dict[str, object] = {}
    exec(compile(block, PAGE.name, "exec"), names)
    theirs = np.asarray(names["cutout"])
    with Remover.from_network(
        CompiledNetwork(pyhades.load_onnx("model.onnx")), names["manifest"]
    ) as remover:
        ours = np.asarray(remover("photo.jpg"))
    assert theirs.shape == (90, 120, 4) and theirs[..., 3].std() > 1
    assert np.abs(theirs[..., 3].astype(int) - ours[..., 3]).max() <= 1
    matte = [np.asarray(image) for image in names["remover"].map(["photo.jpg"], "mask")]
    np.testing.assert_array_equal(matte[0], theirs[..., 3])
    names["remover"].close()
    with pytest.raises(ClosedError):
        names["remover"]("photo.jpg")
