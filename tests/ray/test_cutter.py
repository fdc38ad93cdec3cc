"""What an actor makes of a batch. Neither needs Ray."""

from __future__ import annotations

import io
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import pyhades
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.ray.columns import CONTENT, WRITTEN
from pyhades.ray.cutter import Cutter
from pyhades.ray.options import check_options, others, threads_of
from pyhades.ray.recipe import Recipe
from pyhades.ray.rows import Row
from pyhades.segmentation import Finish
from pyhades.segmentation.bulk.chain import Rendering
from pyhades.segmentation.compose import Background
from pyhades.segmentation.plausibility import SAMPLES

ONNXRUNTIME = {"engine": "onnxruntime"}


@pytest.fixture(scope="module")
def cutter():
    made = Cutter(Recipe(None, 1, Rendering()))
    yield made
    made.close()


@pytest.fixture(scope="module")
def expected():
    """What a remover makes of the samples."""
    with pyhades.Remover(threads=2) as remover:
        return [remover.cut(path).encode() for path in SAMPLES]


def as_rows(table: pa.Table) -> list[dict]:
    return table.to_pylist()


@pytest.fixture
def read_only(tmp_path):
    """Content as Ray's object store shows it: mapped, and whoever writes there crashes."""

    def mapped(kind: pa.DataType) -> pa.ChunkedArray:
        contents = [path.read_bytes() for path in SAMPLES]
        table = pa.table({"bytes": pa.array(contents, kind)})
        with pa.ipc.new_file(str(tmp_path / "bytes.arrow"), table.schema) as writer:
            writer.write_table(table)
        shown = pa.ipc.open_file(pa.memory_map(str(tmp_path / "bytes.arrow"))).read_all()["bytes"]
        assert not shown.chunk(0).buffers()[2].is_mutable
        return shown

    return mapped


def test_paths(cutter, expected):
    batch = pa.table({"path": [str(path) for path in SAMPLES], "id": [7, 8, 9]})
    result = cutter(batch)
    assert result.schema == pa.schema([*batch.schema, *CONTENT])
    rows = as_rows(result)
    assert [row["result"] for row in rows] == expected
    assert [(row["id"], row["error"]) for row in rows] == [(7, ""), (8, ""), (9, "")]
    for row, content in zip(rows, expected, strict=True):
        image = Image.open(io.BytesIO(content))
        assert (row["width"], row["height"]) == image.size
        share = np.asarray(image.getchannel("A")).mean() / 255
        assert row["foreground"] == pytest.approx(share, abs=1e-6)
        assert row["seconds"] > 0 and row["engine"] == "pyhades" and row["doubt"] == ""


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()], ids=str)
def test_bytes_are_read_where_they_lie_and_do_not_come_back(expected, kind, read_only):
    contents = read_only(kind)
    cutter = Cutter(Recipe(None, 1, Rendering(), column="bytes"))
    result = cutter(pa.table({"bytes": contents, "path": ["a", "b", "c"]}))
    assert result.column_names == ["path", *CONTENT.names]
    assert result["result"].to_pylist() == expected
    assert contents.to_pylist() == [path.read_bytes() for path in SAMPLES]


def test_bytes_come_back_if_wanted(expected, read_only):
    cutter = Cutter(Recipe(None, 1, Rendering(), column="bytes", keep=True, prefix="cut_"))
    result = cutter(pa.table({"bytes": read_only(pa.binary()), "error": [1, 2, 3]}))
    assert result.column_names[:3] == ["bytes", "error", "cut_result"]
    assert result["cut_result"].to_pylist() == expected


def test_records_of_datasets(expected):
    first, second, third = SAMPLES
    records = pa.array(
        [
            {"bytes": first.read_bytes(), "path": "a.jpg"},
            {"bytes": None, "path": str(second)},
            {"bytes": third.read_bytes(), "path": None},
        ]
    )
    cutter = Cutter(Recipe(None, 1, Rendering(), column="image"))
    result = cutter(pa.table({"image": records}))
    assert result.column_names == CONTENT.names
    assert result["result"].to_pylist() == expected


def test_urls(cutter, expected, tmp_path):
    with fsspec.open("memory://pictures/cat.jpg", "wb") as file:
        file.write(SAMPLES[0].read_bytes())
    urls = ["memory://pictures/cat.jpg", SAMPLES[1].as_uri(), "memory://pictures/none.jpg", "x://y"]
    rows = as_rows(cutter(pa.table({"path": urls})))
    assert [row["result"] for row in rows] == [*expected[:2], None, None]
    assert rows[2]["error"] == "memory://pictures/none.jpg: there is no such file"
    assert rows[3]["error"].startswith("x://y: ")


def test_what_is_wrong_costs_its_row_alone(cutter, expected, tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    half = tmp_path / "half.jpg"
    half.write_bytes(SAMPLES[0].read_bytes()[:400])
    missing = tmp_path / "missing.jpg"
    paths = [str(text), str(SAMPLES[0]), None, str(half), "", str(missing), str(SAMPLES[1])]
    rows = as_rows(cutter(pa.table({"path": paths})))
    assert [row["result"] for row in rows if not row["error"]] == expected[:2]
    assert [bool(row["error"]) for row in rows] == [True, False, True, True, True, True, False]
    failed = [row for row in rows if row["error"]]
    assert all(row["seconds"] >= 0 and row["engine"] is None for row in failed)
    assert all(row[name] is None for row in failed for name in ("result", "height", "doubt"))
    assert "text.jpg" in rows[0]["error"] and rows[2]["error"] == "this row has no picture"
    assert rows[5]["error"] == f"{missing}: No such file or directory"


def test_what_is_no_file_is_neither_waited_for_nor_read_for_ever(cutter, tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    paths = [str(tmp_path / "pipe.jpg"), "/dev/zero", str(tmp_path), "a\0b"]
    errors = cutter(pa.table({"path": paths}))["error"].to_pylist()
    assert [error.partition(": ")[2] for error in errors[:2]] == [
        "this is no file but a pipe, a socket or a device"
    ] * 2
    assert "Is a directory" in errors[2] and "not a path" in errors[3]


TEXT = ["a.jpg", None]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(TEXT), pa.array(TEXT, pa.large_string()), pa.array(TEXT, pa.string_view()),
        pa.array(TEXT).dictionary_encode(), pa.array([None, None]),
    ],
    ids=lambda column: str(column.type),
)  # fmt: skip
def test_columns_of_text_come_back(cutter, column):
    """Whatever a table keeps it as: rows are known by it. Nothing but nulls may be text."""
    result = cutter(pa.table({"path": column}))
    assert result["path"].to_pylist() == column.to_pylist()
    assert [bool(error) for error in result["error"].to_pylist()] == [True, True]


def test_contents_that_are_not_there(expected):
    cutter = Cutter(Recipe(None, 1, Rendering(), column="image"))
    content = SAMPLES[0].read_bytes()
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view()):
        result = cutter(pa.table({"image": pa.array([None, content, b""], kind), "id": [1, 2, 3]}))
        assert result.column_names[0] == "id"
        assert result["result"].to_pylist() == [None, expected[0], None]
        errors = result["error"].to_pylist()
        assert errors[:2] == ["this row has no picture", ""] and errors[2]


def test_calls_from_several_threads_do_not_share_memory(cutter, expected):
    batches = [pa.table({"path": [str(path)] * 3}) for path in SAMPLES]
    with ThreadPoolExecutor(3) as pool:
        for batch, content in zip(pool.map(cutter, batches), expected, strict=True):
            assert batch["result"].to_pylist() == [content] * 3


def test_a_column_of_other_things(cutter):
    rows = as_rows(cutter(pa.table({"path": [1, 2]})))
    assert {row["error"] for row in rows} == {"a picture is a path, a URL or bytes, and not int"}


def test_columns_that_do_not_fit(cutter):
    with pytest.raises(ArgumentError, match="column 'path' is none of 'picture'"):
        cutter(pa.table({"picture": ["a"]}))
    with pytest.raises(ArgumentError, match=r"columns 'height', 'error'; prefix="):
        cutter(pa.table({"path": ["a"], "error": [1], "height": [2]}))


def test_an_empty_batch(cutter):
    result = cutter(pa.table({"path": pa.array([], pa.string())}))
    assert result.num_rows == 0 and result.column_names == ["path", *CONTENT.names]


def test_what_is_made_of_a_cutout():
    finish = Finish(crop=True, canvas=(64, 64))
    rendering = Rendering("rgba", Background("white"), ".jpg", finish=finish)
    cutter = Cutter(Recipe(None, 1, rendering))
    result = cutter(pa.table({"path": [str(SAMPLES[0])]}))["result"][0].as_py()
    with pyhades.Remover(threads=1) as remover:
        finished = remover.cut(SAMPLES[0]).finish(finish)
        assert result == finished.encode("rgba", Background("white"), suffix=".jpg")
    assert Image.open(io.BytesIO(result)).size == (64, 64)


def test_another_engine_says_so(cutter):
    pytest.importorskip("onnxruntime")
    other = Cutter(pickle.loads(pickle.dumps(Recipe(None, 1, Rendering(), remover=ONNXRUNTIME))))
    batch = pa.table({"path": [str(SAMPLES[0])]})
    (row,) = as_rows(other(batch))
    assert row["error"] == "" and row["engine"] == "onnxruntime:cpu"
    assert row["foreground"] == pytest.approx(as_rows(cutter(batch))[0]["foreground"], abs=0.01)
    assert other.remover.threads == 1


def test_a_doubtful_matte_is_told(cutter, tmp_path):
    path = tmp_path / "black.png"
    Image.new("RGB", (64, 48)).save(path)
    row = as_rows(cutter(pa.table({"path": [str(path)]})))[0]
    assert row["doubt"].startswith(("nearly empty", "nearly full", "soft")), row["doubt"]


def test_a_recipe_is_sent_to_actors(expected):
    recipe = pickle.loads(pickle.dumps(Recipe(None, 2, Rendering(), remover={"max_pixels": 10**6})))
    cutter = Cutter(recipe)
    assert cutter.remover.threads == 2 and cutter.remover.max_pixels == 10**6
    assert cutter.cut(SAMPLES[0].read_bytes()).data == expected[0]


@pytest.mark.parametrize("place", ["folder", "url"])
def test_results_are_written_where_they_are_made(expected, tmp_path, place):
    where = str(tmp_path / "out") if place == "folder" else "memory://out"
    cutter = Cutter(Recipe(None, 1, Rendering(), destination=where))
    targets = ["a.png", "below/b.png", "../c.png", None]
    batch = pa.table({"path": [str(path) for path in (*SAMPLES, SAMPLES[0])], "target": targets})
    result = cutter(batch)
    assert result.column_names == ["path", "target", *WRITTEN.names]
    assert result["output"].to_pylist() == [f"{where}/a.png", f"{where}/below/b.png", None, None]
    assert "leads out of the destination" in result["error"][2].as_py()
    assert result["error"][3].as_py() == "this row has no name for a result"
    for output, content in zip(result["output"].to_pylist()[:2], expected, strict=False):
        with fsspec.open(output, "rb") as file:
            assert file.read() == content
    assert cutter(batch.slice(0, 2)).num_rows == 2, "results are replaced"


def test_a_name_is_that_of_one_picture(expected, tmp_path):
    """Two rows of one picture may share it, as a row may come twice; those of two may not."""
    first, second = map(str, SAMPLES[:2])
    cutter = Cutter(Recipe(None, 1, Rendering(), destination=str(tmp_path)))
    names = ["a.png", "a.png", "./a.png", "b.png"]
    batch = pa.table({"path": [first, first, second, second], "target": names})
    rows = as_rows(cutter(batch))
    assert [row["error"] for row in rows] == [
        "", "", f"another result of {first} is called a.png", "",
    ]  # fmt: skip
    assert (tmp_path / "a.png").read_bytes() == expected[0]
    contents = [path.read_bytes() for path in SAMPLES[:2]]
    cutter = Cutter(Recipe(None, 1, Rendering(), column="path", destination=str(tmp_path)))
    batch = pa.table({"path": [contents[0], contents[0], contents[1]], "target": names[:3]})
    assert cutter(batch)["error"].to_pylist() == ["", "", "another result is called a.png"]


def test_results_of_another_suffix_are_refused(tmp_path):
    cutter = Cutter(Recipe(None, 1, Rendering(), destination=str(tmp_path)))
    for name in ("a.jpg", 3):
        with pytest.raises(ArgumentError, match=f"suffix='.png' is not that of {name!r}"):
            cutter(pa.table({"path": [str(SAMPLES[0])], "target": [name]}))


def test_rows_with_a_destination_hold_no_content(expected, tmp_path):
    """A block of large results would be in memory until its last row is done."""
    cutter = Cutter(Recipe(None, 1, Rendering(), destination=str(tmp_path)))
    done = cutter._put((row := Row("", "a.png"), cutter.cut(str(SAMPLES[0]))))
    outcome = row.outcome(done, "a.png")
    assert outcome.rendered.parts == [] and (tmp_path / "a.png").read_bytes() == expected[0]


def test_a_result_that_cannot_be_written_costs_its_row(expected, tmp_path):
    (tmp_path / "a.png").mkdir()
    cutter = Cutter(Recipe(None, 1, Rendering(), destination=str(tmp_path)))
    batch = pa.table({"path": list(map(str, SAMPLES[:2])), "target": ["a.png", "b.png"]})
    first, second = as_rows(cutter(batch))
    assert "a folder has that name" in first["error"] and first["output"] is None
    assert second["error"] == "" and (tmp_path / "b.png").read_bytes() == expected[1]


@pytest.mark.parametrize("num_cpus", [0, -1, float("nan"), float("inf"), "2", True, None])
def test_numbers_of_cpus_that_are_none(num_cpus):
    with pytest.raises(ArgumentError, match=r"num_cpus=.* is no number of CPUs above 0"):
        threads_of(num_cpus, {})


def test_threads_follow_cpus():
    assert [threads_of(count, {}) for count in (0.1, 1, 2.0, 3.99)] == [1, 1, 2, 3]
    with pytest.raises(ArgumentError, match="leave threads= out"):
        threads_of(1, {"threads": 4})


def test_options_that_removers_do_not_have():
    check_options({"precision": "int8", "input_size": (320, 320)})
    with pytest.raises(ArgumentError, match="'precison': a remover has no such option"):
        check_options({"precison": "int8"})


def test_options_of_ray_are_said_once():
    assert others("ray_remote_args", None, []) == {}
    with pytest.raises(ArgumentError, match="ray_remote_args has 'num_cpus': leave out what is an"):
        others("ray_remote_args", {"memory": 1, "num_cpus": 2}, ["num_cpus"])
    with pytest.raises(ArgumentTypeError, match="ray_remote_args is list, not a mapping"):
        others("ray_remote_args", ["memory"], [])
