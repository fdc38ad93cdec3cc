"""Two nodes on this machine: every row comes back once, whatever happens to one of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

import pyhades
import pyhades.ray
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.ray import removing
from pyhades.ray.columns import CONTENT
from pyhades.ray.cutter import Cutter
from pyhades.ray.required import ray_module
from pyhades.segmentation.plausibility import SAMPLES

PATIENCE = 240.0
"""Seconds for what takes ten on a machine that has nothing else to do."""
SCRIPT = Path(__file__).parents[2] / "scripts" / "remove_on_ray.py"


@pytest.fixture(scope="module")
def expected():
    """What a remover makes of each of the pictures, by its number modulo three."""
    with pyhades.Remover(threads=2) as remover:
        return [remover.cut(path).encode() for path in SAMPLES]


def pictures_below(folder: Path) -> list[Path]:
    """What there are results of, with the folder among them."""
    return [path for path in folder.rglob("*") if path.name != "12.jpg"]


def paths(pictures: Path) -> list[str]:
    return sorted(map(str, pictures.rglob("*.jpg")))


def check_rows(rows: list[dict], pictures: Path, expected: list[bytes]) -> None:
    """Each picture once, as a remover makes it; the one that is none with its error."""
    assert sorted(row["path"] for row in rows) == paths(pictures)
    for row in rows:
        number = int(Path(row["path"]).stem)
        if number == 12:
            assert row["result"] is None and "12.jpg" in row["error"]
        else:
            assert row["error"] == "" and row["result"] == expected[number % len(expected)]


def test_arguments_are_looked_at_before_anything_is_computed(nodes):
    pictures = nodes.ray.data.from_items([{"path": "cat.jpg", "width": 3}])
    cut = pyhades.ray.remove_backgrounds
    for wrong, why in [
        ({"column": "picture"}, "column 'picture' is none of 'path', 'width'"),
        ({}, r"columns 'width'; prefix="),
        ({"prefix": "cut_", "threads": 2}, "leave threads= out"),
        ({"prefix": "cut_", "suffix": ".jpg"}, "JPEG has no transparency"),
        ({"prefix": "cut_", "batch_size": 0}, "batch_size=0 must be at least 1"),
        ({"prefix": "cut_", "output": "none"}, "output='none' is none of"),
        ({"prefix": "cut_", "ray_remote_args": {"num_cpus": 2}}, "ray_remote_args has 'num_cpus'"),
    ]:
        with pytest.raises(ArgumentError, match=why):
            cut(pictures, **wrong)
    with pytest.raises(ArgumentTypeError, match=r"not a ray.data.Dataset"):
        cut([{"path": "cat.jpg"}])
    with pytest.raises(ArgumentTypeError, match=r"compute is TaskPoolStrategy, not a"):
        cut(pictures, prefix="cut_", compute=nodes.ray.data.TaskPoolStrategy())


def test_blocks_are_small_and_tasks_that_read_them_few(nodes, pictures):
    found = pyhades.ray.list_pictures(pictures, batch_size=4).materialize()
    sizes = [len(batch["path"]) for batch in found.iter_batches(batch_size=None)]
    assert found.num_blocks() == 8 and sum(sizes) == 30 and set(sizes) <= {3, 4}
    assert "SplitBlocks(8): 1 tasks" in found.stats()


def test_a_node_that_goes_costs_no_row(nodes, pictures, expected, monkeypatch):
    # All begin together: one could do the work before the others are there.
    context = nodes.ray.data.DataContext.get_current()
    monkeypatch.setattr(context, "wait_for_min_actors_s", int(PATIENCE))
    found = pyhades.ray.list_pictures(pictures, batch_size=2)
    pool = nodes.ray.data.ActorPoolStrategy(size=3)
    rows = []
    try:
        for row in pyhades.ray.remove_backgrounds(found, compute=pool, batch_size=2).iter_rows():
            rows.append(row)
            if len(rows) == 4:
                assert nodes.ray.available_resources().get("CPU", 0) == 0, (
                    "no actor on the second node"
                )
                nodes.lose_second()
        assert len([node for node in nodes.ray.nodes() if node["Alive"]]) == 1
    finally:
        nodes.replace_second()
    check_rows(rows, pictures, expected)
    assert list(rows[0]) == ["path", "key", "target", *CONTENT.names]


def test_a_run_that_was_killed_goes_on(nodes, pictures, expected, tmp_path):
    """The script of the page about clusters: files once, and a line of the log for each."""
    out, log, state = (tmp_path / name for name in ("out", "log", "state"))
    script = [sys.executable, str(SCRIPT), str(pictures), str(out), "--log", str(log)]
    script += ["--state", str(state), "--address", nodes.address, "--batch", "2", "--rows", "6"]
    killed = subprocess.Popen(script, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + PATIENCE
    while not (done := [path for path in state.glob("*.parquet") if "pending" not in path.name]):
        assert killed.poll() is None and time.monotonic() < end, killed.communicate()[1]
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert len(list(log.glob("*.parquet"))) < 5, "not killed in the middle"
    before = {path: path.stat().st_mtime_ns for path in log.glob("*.parquet")}
    subprocess.run(script, check=True, capture_output=True)
    kept = [path for path in before if path.exists() and path.stat().st_mtime_ns == before[path]]
    assert len(kept) >= len(done), "what was done is done again"
    rows = [row for file in log.glob("*.parquet") for row in parquet.read_table(file).to_pylist()]
    for row in rows:
        assert row["error"] or row["output"] == str(out / row["target"])
        row["result"] = None if row["error"] else Path(row["output"]).read_bytes()
    check_rows(rows, pictures, expected)
    assert len(list(out.rglob("*"))) == len(pictures_below(pictures)), "something else lies there"


def test_bytes_out_of_files_and_a_model_by_its_bytes(nodes, pictures, expected):
    """The model goes by way of the object store."""
    from pyhades.segmentation.remover import DEFAULT_MODEL

    read = nodes.ray.data.read_binary_files(paths(pictures)[:6], include_paths=True)
    cut = pyhades.ray.remove_backgrounds(
        read, DEFAULT_MODEL.read_bytes(), column="bytes", num_cpus=0.5, output="mask"
    )
    rows = cut.take_all()
    assert "bytes" not in rows[0]
    with pyhades.Remover(threads=1) as remover:
        for row in rows:
            assert row["result"] == remover.cut(row["path"]).encode("mask")
    assert sorted(row["path"] for row in rows) == paths(pictures)[:6]


class Spy:
    """In place of what cuts out: tells of the CPUs of its actor."""

    def __init__(self, recipe):
        self.cutter = Cutter(recipe)
        self.context = ray_module().get_runtime_context()

    def __call__(self, batch):
        cpus = self.context.get_assigned_resources()["CPU"]
        told = [cpus, self.cutter.remover.threads, int(os.environ["OMP_NUM_THREADS"])]
        return pa.table({"told": [told]})


def test_actors_have_as_many_threads_as_cpus(nodes, monkeypatch):
    monkeypatch.setattr(removing, "Cutter", Spy)
    pictures = nodes.ray.data.from_items([{"path": "cat.jpg"}])
    told = removing.remove_backgrounds(pictures, num_cpus=2).take_all()
    assert told == [{"told": [2, 2, 2]}]


class Mortal(Cutter):
    """A cutter that a picture brings down whenever it comes, or the first time."""

    def __call__(self, batch):
        (name,) = batch["path"].to_pylist()
        deaths = Path(str(self._recipe.destination), name)
        if name == "always" or not deaths.exists():
            with deaths.open("a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(batch)


def test_what_brings_down_every_actor_ends_the_run(nodes, tmp_path, monkeypatch):
    """And what did so once is done again. Each alone: those that wait behind are lost, too."""
    monkeypatch.setattr(removing, "Cutter", Mortal)
    monkeypatch.setattr(removing, "LOST", 1)

    def errors(name: str) -> list[str]:
        pictures = nodes.ray.data.from_items([{"path": name, "target": "result.png"}])
        cut = removing.remove_backgrounds(pictures, destination=tmp_path)
        return [row["error"] for row in cut.take_all()]

    assert errors("once") == ["once: No such file or directory"]
    with pytest.raises(nodes.ray.exceptions.RayError, match=r"unavailable|died"):
        errors("always")
    assert [(tmp_path / name).read_text() for name in ("once", "always")] == ["x", "xx"]


def test_a_model_that_is_not_there_is_told(nodes, tmp_path):
    pictures = nodes.ray.data.from_items([{"path": str(SAMPLES[0])}])
    missing = tmp_path / "missing.onnx"
    with pytest.raises(Exception, match=f"model='{missing}': there is no such file"):
        pyhades.ray.remove_backgrounds(pictures, missing).take_all()
