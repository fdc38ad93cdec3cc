"""``pyhades remove`` for many images: what it resumes, tells, and how it ends."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from pyhades.segmentation.bulk.manifest import beside
from tests.support.bulk_runs import encoded, lines, results, write_archive, write_folder


@pytest.fixture
def many(tmp_path):
    return write_folder(tmp_path / "many", 12)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_it_goes_on(run, many, out):
    assert run("remove", many, "-o", out).exit_code == 0
    (out / "d0" / "p000.png").unlink()
    result = run("remove", many, "-o", out, "--resume")
    assert result.exit_code == 0
    assert "1 of 1 images done" in result.stderr and "11 were done before" in result.stderr
    result = run("remove", many, "-o", out, "--resume", "--png", "small")
    assert result.exit_code == 2 and "png was 'fast' and is 'small'" in result.stderr
    assert run("remove", many, "-o", out, "--resume-anyway", "--png", "small").exit_code == 0


def test_failures_are_listed_and_counted(run, many, out):
    for number in range(25):
        (many / f"bad{number:02d}.png").write_bytes(b"junk")
    result = run("remove", many, "-o", out)
    assert result.exit_code == 1 and "12 of 37 images done" in result.stderr
    assert result.stderr.count("not an image") == 20
    assert "and 5 more errors, see the manifest" in result.stderr
    result = run("remove", many, "-o", out, "--resume")
    assert result.exit_code == 1 and "25 failed before; retry_failed" in result.stderr
    assert run("remove", many, "-o", out, "--retry-failed").stderr.count("not an image") == 20


def test_parts(run, many, out):
    done = [run("remove", many, "-o", out, "--shard", f"{n}/3").exit_code for n in (1, 2, 3)]
    assert done == [0, 0, 0] and len(results(out)) == 12
    assert {line["shard"] for line in lines(out)} == {"1/3", "2/3", "3/3"}


def test_lists(run, many, out, tmp_path):
    names = "".join(f"{many}/d{n % 3}/p{n:03d}.png\n" for n in range(3))
    result = run("remove", "--list", "-", "-o", out, input=names.encode())
    assert result.exit_code == 0 and len(results(out)) == 3
    objects = tmp_path / "list.jsonl"
    objects.write_text(json.dumps({"path": f"{many}/d0/p000.png", "id": "cat"}) + "\n")
    result = run("remove", "--jsonl", objects, many / "d1", "-o", out, "--format", "webp")
    assert result.exit_code == 0 and "cat.webp" in results(out)


def test_archives(run, tmp_path, out):
    path = write_archive(tmp_path / "in" / "a.tar", 3)
    assert run("remove", path, "-o", out).exit_code == 0 and set(results(out)) == {"a.tar"}
    assert run("remove", path, "-o", out / "files", "--unpack").exit_code == 0
    assert "a/s000.png" in results(out / "files")


def test_review_and_the_record(run, many, out, tmp_path):
    Image.new("RGB", (30, 20)).save(many / "black.png")
    record, review = tmp_path / "deep" / "record.jsonl", tmp_path / "review"
    arguments = ["--review", review, "--record", record, "--checksum", "--fsync", "full"]
    result = run("remove", many, "-o", out, *arguments)
    assert result.exit_code == 0 and "masks are doubtful" in result.stderr
    assert (review / "black.png.jpg").exists() and record.exists() and not beside(out).exists()


def test_one_image_has_no_manifest(run, many, tmp_path):
    for out in (tmp_path / "x", tmp_path / "y.png"):
        assert run("remove", many / "d0" / "p000.png", "-o", out).exit_code == 0
    assert set(results(tmp_path / "x")) == {"p000.png"} and not beside(tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Missing argument"),
        (["in", "--shard", "4/3"], "shard=4/3"),
        (["in", "--max-memory", "much"], "max_memory='much'"),
        (["in", "--max-memory", "1M"], "allow more"),
        (["in", "--processes", "none"], "neither a number nor node nor l3"),
        (["--list", "-", "--processes", "2"], "put it into a file"),
        (["--list", "-", "--jsonl", "-"], "one list"),
        (["--list", "missing"], "missing: No such file"),
        (["-", "--resume"], "single image"),
        (["in", "--workers", "0"], "workers"),
        (["nonsense://x"], "nonsense"),
    ],
)
def test_wrong_usage(run, tmp_path, monkeypatch, arguments, complaint):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "in", 2)
    result = run("remove", *arguments, "-o", "out")
    assert result.exit_code == 2 and complaint in result.stderr, result.stderr


def test_nobody_reads_the_messages(run, many, out, monkeypatch):
    """As behind a pipe whose reader has gone: the work is done all the same."""
    (many / "bad.png").write_bytes(b"junk")

    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

    from pyhades.cli import remove_progress

    monkeypatch.setattr(remove_progress.click, "echo", lambda *_, **__: Gone().write(""))
    before = sys.stderr
    try:
        assert run("remove", many, "-o", out).exit_code == 1
    finally:
        sys.stderr = before
    assert len(results(out)) == 12


# Processes of their own.

PATIENCE = 600
"""Seconds after which a run hangs, on the slowest machine."""
FOR_LONG = ("--jobs", "2", "--fsync", "none")
"""Options of runs that are still busy when a signal comes, however many cores there are."""


def begin(*arguments, **options):
    command = [sys.executable, "-m", "pyhades", "remove", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def some_are_done(out, count=3):
    return lambda: len(lines(out)) >= count


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_what_was_begun(tmp_path, out, number, code):
    folder = write_folder(tmp_path / "in", 600)
    process = begin(folder, "-o", out, *FOR_LONG)
    wait_for(some_are_done(out))
    process.send_signal(number)
    error = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == code, error
    assert "finishing what was begun" in error and "--resume goes on" in error
    done = len(results(out))
    assert 3 <= done < 600 and done == len(lines(out))
    process = begin(folder, "-o", out, *FOR_LONG, "--resume")
    error = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0 and f"{done} were done before" in error
    assert len(results(out)) == 600


@pytest.mark.slow
def test_a_second_signal_ends_at_once(tmp_path):
    code = """
import sys, time
from pyhades.cli.signals import Stopping
with Stopping(lambda: time.sleep(60)) as stopping:
    print("ready", flush=True)
    while not stopping.signal:
        time.sleep(0.01)
    print("first", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "first\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE) == 130


@pytest.mark.slow
def test_processes_give_what_one_gives(tmp_path, out):
    folder = write_folder(tmp_path / "in", 40)
    (folder / "bad.png").write_bytes(b"junk")
    one = begin(folder, "-o", tmp_path / "one")
    one.communicate(timeout=PATIENCE)
    several = begin(folder, "-o", out, "--processes", "2")
    error = several.communicate(timeout=PATIENCE)[1]
    assert (one.returncode, several.returncode) == (1, 1), error
    assert results(out) == results(tmp_path / "one")
    assert "40 of 41 images done" in error and error.count("bad.png") == 1
    assert {line["shard"] for line in lines(out)} == {"1/2", "2/2"}
    again = begin(folder, "-o", out, "--processes", "3", "--resume")
    error = again.communicate(timeout=PATIENCE)[1]
    assert again.returncode == 1 and "40 were done before" in error, error
    wrong = begin(folder, "-o", out, "--processes", "2", "--resume", "--png", "small")
    error = wrong.communicate(timeout=PATIENCE)[1]
    assert wrong.returncode == 2 and error.count("png was 'fast'") == 1, error


def children_of(pid):
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


@pytest.mark.slow
def test_a_process_that_is_killed_is_replaced(tmp_path, out):
    folder = write_folder(tmp_path / "in", 400)
    process = begin(folder, "-o", out, "--processes", "2", *FOR_LONG)
    wait_for(some_are_done(out))
    os.kill(children_of(process.pid)[0], signal.SIGKILL)
    error = process.communicate(timeout=PATIENCE)[1]
    assert "was killed (SIGKILL); another one goes on" in error, error
    assert process.returncode == 0 and len(results(out)) == 400, error
    assert "400 of 400 images done" in error


@pytest.mark.slow
def test_ctrl_c_reaches_all_processes(tmp_path, out):
    folder = write_folder(tmp_path / "in", 600)
    process = begin(folder, "-o", out, "--processes", "2", *FOR_LONG)
    wait_for(some_are_done(out, 6))
    children = children_of(process.pid)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 130 and "--resume goes on" in error, error
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert len(results(out)) == len(lines(out)) < 600
    assert begin(folder, "-o", out, "--resume").wait(timeout=PATIENCE) == 0


@pytest.mark.slow
def test_processes_end_with_the_one_that_began_them(tmp_path, out):
    folder = write_folder(tmp_path / "in", 2000)
    process = begin(folder, "-o", out, "--processes", "2", *FOR_LONG)
    wait_for(some_are_done(out))
    children = children_of(process.pid)
    process.kill()
    process.communicate()
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
    assert len(results(out)) == len(lines(out)) < 2000


@pytest.mark.slow
def test_memory_stays_flat(tmp_path):
    """Mixed pictures, the embedded model: what a run holds does not grow with what it has done."""
    code = """
import sys, pyhades
from pyhades.segmentation.bulk.memory import resident
with pyhades.Remover() as remover:
    run = pyhades.BulkRun(sys.argv[1], sys.argv[2], remover=remover, workers=2, sync="none")
    held = []
    for number, outcome in enumerate(run.outcomes()):
        held.append(resident())
    assert run.report.done == 1800
    early, late = sorted(held[1000:1200])[100], sorted(held[-200:])[100]
    assert late <= early * 1.02, (early, late)
"""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(1800):
        size = (40 + 67 * number % 250, 40 + 91 * number % 200)
        kind = ("JPEG", "PNG", "WEBP")[number % 3]
        image = Image.open(io.BytesIO(encoded(number % 50))).resize(size)
        image.save(folder / f"{number}.{kind.lower()}", kind)
    command = [sys.executable, "-c", code, str(folder), str(tmp_path / "out")]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
