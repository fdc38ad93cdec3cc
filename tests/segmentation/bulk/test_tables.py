"""Results of Parquet files in Parquet files: the same rows, with cut-outs in place of pictures."""

from __future__ import annotations

import io
import json
import shutil

import pytest
from PIL import Image

from pyhades import BulkRun
from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.manifest import NAME
from tests.support.bulk_runs import brightness, encoded, lines, results, write_table

arrow = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def go(out):
    def run(inputs, **options):
        with brightness() as remover:
            given = {"workers": 2, "remover": remover, "sync": "none", **options}
            return BulkRun(inputs, given.pop("destination", out), **given).run()

    return run


@pytest.fixture
def table(tmp_path):
    return write_table(tmp_path / "in" / "t.parquet", 40)


def write(path, columns, metadata=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(arrow.table(columns).replace_schema_metadata(metadata), path)
    return path


def is_cut_out(data):
    return Image.open(io.BytesIO(data)).mode == "RGBA"


def test_rows_stay(go, table, out):
    report = go(table)
    assert report.ok and report.done == 40
    before, after = parquet.read_table(table), parquet.read_table(out / "t.parquet")
    assert after.column_names == ["image", "id", "label", "pyhades_status", "pyhades_reason"]
    assert after.select(["id", "label"]) == before.select(["id", "label"])
    assert after.schema.field("image").type == before.schema.field("image").type
    assert all(map(is_cut_out, after["image"].to_pylist()))
    assert set(after["pyhades_status"].to_pylist()) == {"done"}
    assert set(results(out)) == {"t.parquet"}
    found = {line["input"]: line for line in lines(out)}
    assert found["t.parquet"]["pictures"] == 40 and found["t.parquet"]["failed"] == 0
    assert found["t.parquet/i7"]["archive"] == "t.parquet"


def test_results_are_those_of_files(go, table, out, tmp_path):
    go(table)
    go(table, unpack=True, destination=tmp_path / "files")
    files = results(tmp_path / "files")
    rows = parquet.read_table(out / "t.parquet").to_pylist()
    assert {f"t/{row['id']}.png": row["image"] for row in rows} == files


def test_rows_that_fail_say_why(go, tmp_path, out):
    data = [encoded(0), b"no picture", None, encoded(3), encoded(4)]
    path = write(tmp_path / "t.parquet", {"image": data, "id": ["same", "b", "../c", "d", "same"]})
    report = go(path)
    assert (report.done, report.failed) == (3, 2) and not report.ok
    rows = parquet.read_table(out / "t.parquet").to_pylist()
    assert [row["image"] is None for row in rows] == [False, True, True, False, False]
    assert [row["pyhades_status"] for row in rows] == ["done", "failed", "failed", "done", "done"]
    assert "cannot" in rows[1]["pyhades_reason"] or "image" in rows[1]["pyhades_reason"]
    assert rows[2]["pyhades_reason"] == "the row holds no bytes"
    assert rows[0]["image"] != rows[4]["image"]
    names = {line["input"] for line in lines(out)}
    assert names >= {"t.parquet/same", "t.parquet/same#4", "t.parquet/00000002"}
    again = go(path, resume=True)
    assert (again.done, again.skipped, again.failed_before) == (0, 3, 2)
    again = go(path, retry_failed=True)
    assert (again.done, again.failed) == (3, 2)
    write(path, {"image": [encoded(n) for n in range(5)], "id": list("abcde")})
    assert go(path, resume=True).done == 5  # "b" has changed, and so has the table


def test_records_stay_records(go, tmp_path, out):
    """Hugging Face's datasets have them, and refuse columns that they are not told of."""
    records = [{"bytes": encoded(n), "path": f"{n}.jpg"} for n in range(3)]
    features = {"image": {"_type": "Image"}, "label": {"dtype": "int64", "_type": "Value"}}
    told = {"huggingface": json.dumps({"info": {"features": features}})}
    path = write(tmp_path / "t.parquet", {"image": records, "label": [1, 2, 3]}, told)
    assert go(path).done == 3
    found = parquet.read_table(out / "t.parquet")
    assert found["image"][2]["path"].as_py() == "2.png"
    assert is_cut_out(found["image"][2]["bytes"].as_py())
    known = json.loads(found.schema.metadata[b"huggingface"])["info"]["features"]
    assert list(known) == found.column_names


def test_a_column_of_pictures_alone(go, tmp_path, out):
    go(write(tmp_path / "t.parquet", {"image": [encoded(n) for n in range(20)]}))
    assert parquet.read_table(out / "t.parquet").num_rows == 20
    go(write(tmp_path / "none.parquet", {"image": arrow.array([], arrow.binary())}))
    assert parquet.read_table(out / "none.parquet").num_rows == 0


def test_rows_are_written_in_groups(go, table, out, monkeypatch):
    monkeypatch.setattr("pyhades.segmentation.bulk.sinks.rows.GROUP_ROWS", 20)
    go(table)
    assert parquet.ParquetFile(out / "t.parquet").metadata.num_row_groups == 2


def test_what_is_done_is_not_done_again(go, table, out):
    go(table)
    before = results(out)
    assert go(table, resume=True).skipped == 40
    (out / "t.parquet").unlink()
    assert go(table, resume=True).done == 40 and results(out) == before
    write_table(table, 41)
    assert go(table, resume=True).done == 41
    assert parquet.read_table(out / "t.parquet").num_rows == 41


def test_a_run_that_was_stopped_goes_on_within_a_table(table, out, go):
    with brightness() as remover:
        run = BulkRun(table, out, remover=remover, workers=1, sync="none")
        for number, _ in enumerate(run.outcomes()):
            if number == 10:
                run.stop()
    assert not (out / "t.parquet").exists()
    (left,) = results(out)  # a process that lives cannot be taken over: make it one of the dead
    dead = left.split("-")
    dead[3] = "0" * 8
    (out / left).rename(out / "-".join(dead))
    report = go(table, resume=True)
    assert report.ok and report.skipped > 10 and report.done + report.skipped == 40
    assert set(results(out)) == {"t.parquet"}
    assert parquet.read_table(out / "t.parquet").num_rows == 40


def test_a_table_of_somebody_else_is_not_touched(go, table, out):
    out.mkdir()
    (out / "t.parquet").write_text("mine")
    for options in ({}, {"resume": True}):
        report = go(table, **options)
        assert not report.ok and "exists" in str(report)
        assert (out / "t.parquet").read_text() == "mine"
    assert go(table, overwrite=True).ok
    assert parquet.read_table(out / "t.parquet").num_rows == 40


def test_a_table_without_its_line_is_taken_for_what_it_is(go, table, out, monkeypatch):
    """Killed after the table had its name: its archive is still there."""
    from pyhades.segmentation.bulk.sinks.table import TableShelf

    named = TableShelf._name

    def killed(self, path):
        named(self, path)
        shutil.copy(self._part, out / "kept")
        raise KeyboardInterrupt

    monkeypatch.setattr(TableShelf, "_name", killed)
    with pytest.raises(KeyboardInterrupt):
        go(table)
    monkeypatch.undo()
    (left,) = [name for name in results(out) if name.endswith(".part")]
    dead = left.split("-")
    dead[3] = "0" * 8
    (out / left).rename(out / "-".join(dead))
    (out / "kept").unlink()
    before = (out / "t.parquet").read_bytes()
    report = go(table, resume=True)
    assert report.ok and (report.done, report.skipped) == (0, 40)
    assert results(out) == {"t.parquet": before}


def test_a_full_disk_is_told(go, table, out, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("pyhades.segmentation.bulk.sinks.rows.ResultTable.write", full)
        report = go(table)
    assert not report.ok and "No space left" in str(report)
    assert not results(out)
    assert go(table, resume=True).ok


def test_a_damaged_table(go, table, out):
    """What could be read is kept, and the table counts as failed."""
    data = bytearray(table.read_bytes())
    group = parquet.ParquetFile(table).metadata.row_group(2).column(0)
    start = group.data_page_offset
    data[start : start + 64] = b"\xff" * 64
    table.write_bytes(data)
    report = go(table)
    assert not report.ok and "the table is damaged" in str(report)
    assert 16 <= parquet.read_table(out / "t.parquet").num_rows < 40
    table.write_bytes(data[:-20])
    assert go(table, overwrite=True).failed == 1


def test_names_are_checked_before_the_first(go, table, tmp_path):
    with pytest.raises(ArgumentError, match="would replace the input"):
        go(table, destination=table.parent)
    other = write_table(tmp_path / "other" / "t.parquet", 3)
    with pytest.raises(ArgumentError, match=r"both become t\.parquet"):
        go([table, other])
    with pytest.raises(ArgumentError, match="both become t"):
        go([table, other], unpack=True)


def test_urls_take_files_only(go, table, tmp_path):
    pytest.importorskip("fsspec")
    options = {"destination": "memory://tables/out", "manifest": tmp_path / NAME}
    with pytest.raises(ArgumentError, match="--unpack"):
        go(table, **options)
    assert go(table, unpack=True, **options).done == 40


def test_shards_of_files_resume(go, table, tmp_path):
    """Rows are of the shard of their table, also when they become files."""
    others = [write_table(tmp_path / "in" / f"{n}.parquet", 4) for n in range(4)]
    for part in ("1/2", "2/2"):
        first = go(others, unpack=True, shard=part)
        again = go(others, unpack=True, shard=part, resume=True)
        assert again.skipped == first.done and again.done == 0
