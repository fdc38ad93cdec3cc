"""Pipes, devices and what stands in their way."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from pyhades.cli import streams
from pyhades.cli.signals import Stopping, ending
from pyhades.cli.streams import is_device, standard_input, standard_output, write_all
from pyhades.errors import ArgumentError


@pytest.fixture
def data(folder):
    return (folder / "a.jpg").read_bytes()


def shell(text, **more):
    """What a shell makes of a line in which ``pyhades`` is the command."""
    command = text.replace("pyhades", f"{sys.executable} -m pyhades")
    return subprocess.run(["bash", "-c", command], capture_output=True, check=False, **more)


def test_standard_streams_have_many_names(run, data, tmp_path):
    assert standard_input("/dev/stdin") == "-" and standard_input("./-") == "./-"
    assert standard_output("/dev/fd/1") == "-" and standard_output("/dev/stdin") == "/dev/stdin"
    for source in ("/dev/stdin", "/proc/self/fd/0"):
        result = run("remove", source, "-o", "/dev/stdout", input=data)
        assert result.exit_code == 0
        assert Image.open(io.BytesIO(result.stdout_bytes)).mode == "RGBA"
    assert run("remove", "-", "/dev/stdin", "-o", tmp_path, input=data).exit_code == 2


def test_devices_are_written_into_and_never_replaced(run, folder, tmp_path):
    for more in ([], ["--overwrite"]):
        assert run("remove", folder / "a.jpg", "-o", "/dev/null", *more).exit_code == 0
    result = run("remove", folder / "a.jpg", "-o", "/dev/full")
    assert result.exit_code == 1 and "No space left" in result.stderr
    assert is_device("/dev/null") and not is_device(str(tmp_path))
    assert not is_device(str(folder / "a.jpg")) and not is_device("no\0name")
    with (tmp_path / "x").open("wb") as file:  # a file, but by the name of a descriptor
        assert is_device(f"/dev/fd/{file.fileno()}")


def test_a_disk_is_no_place_for_a_picture(monkeypatch):
    monkeypatch.setattr(streams.stat, "S_ISBLK", lambda mode: True)
    with pytest.raises(ArgumentError, match="is a disk"):
        is_device("/dev/null")


def test_named_pipes(run, folder, data, tmp_path):
    pipe, found = tmp_path / "pipe.png", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    assert run("remove", folder / "a.jpg", "-o", pipe).exit_code == 0
    reader.join()
    assert found[0].startswith(b"\x89PNG") and pipe.is_fifo()
    writer = threading.Thread(target=lambda: pipe.write_bytes(data))
    writer.start()
    assert run("remove", pipe, "-o", tmp_path / "x.png").exit_code == 0
    writer.join()
    assert Image.open(tmp_path / "x.png").size == (60, 40)


class Reluctant(io.RawIOBase):
    """Takes three bytes at a time, and sometimes none."""

    def __init__(self, *, blocks=True):
        self.taken, self.calls, self.blocks = b"", 0, blocks

    def writable(self):
        return True

    def fileno(self):
        return sys.__stderr__.fileno()

    def write(self, data):
        self.calls += 1
        if self.blocks and self.calls % 4 == 0:
            return None
        self.taken += bytes(data[:3])
        return len(data[:3])


@pytest.mark.parametrize("is_buffered", [False, True])
def test_all_is_written_though_little_is_taken_at_a_time(is_buffered, monkeypatch):
    monkeypatch.setattr(streams.select, "select", lambda *files: None)
    raw = Reluctant()
    pieces = [b"one two three", b"", np.arange(5, dtype=np.uint8).data]
    write_all(io.BufferedWriter(raw) if is_buffered else raw, pieces)
    assert raw.taken == b"one two three\0\1\2\3\4"


def test_texts_are_written_to_their_end(monkeypatch):
    raw = Reluctant(blocks=False)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "utf-8", write_through=True))
    sys.stdout.write("one two three\n")
    assert raw.taken == b"one"  # as Python has it
    streams.complete_writes()
    raw.taken = b""
    sys.stdout.write("one two three\n")
    assert raw.taken == b"one two three\n"
    before = sys.stdout
    streams.complete_writes()
    assert sys.stdout is before


def test_a_terminal_wants_no_picture(run, folder, monkeypatch):
    stream = "click.testing._NamedTextIOWrapper"
    monkeypatch.setattr(f"{stream}.isatty", lambda self: True, raising=False)
    result = run("remove", folder / "a.jpg", "-o", "-")
    assert result.exit_code == 2 and "is a terminal" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_standard_output_does_not_take_is_a_failure(unbuffered, tmp_path):
    noise = np.random.default_rng(0).integers(100, 255, (300, 300, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered, "T": str(tmp_path)}
    large = "$T/a.png --background $T/a.png -o -"  # the whole noise, more than pipes hold
    for line, code in (
        (f"pyhades remove {large} | head -c 10 >&2; exit ${{PIPESTATUS[0]}}", 1),
        (f"ulimit -f 20; trap '' XFSZ; pyhades remove {large} > $T/o.png", 1),
        (f"pyhades remove {large} > /dev/full", 1),
        ("pyhades remove $T/a.png -o - >&-", 2),
        ("pyhades remove - -o $T/x.png <&-", 2),
        ("pyhades remove <(cat $T/a.png) -o $T/b.png", 0),
    ):
        done = shell(line, env=env)
        assert done.returncode == code, (line, done.stderr)
        assert b"Traceback" not in done.stderr and b"ignored" not in done.stderr
    assert Image.open(tmp_path / "b.png").size == (300, 300)


def test_sigterm_takes_away_what_was_begun():
    cleaned = []
    with pytest.raises(SystemExit) as caught, ending():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            raise AssertionError("it goes on")
        finally:
            cleaned.append(True)
    assert caught.value.code == 143 and cleaned
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_what_is_to_be_ignored_is_ignored():
    """Behind nohup, or in the background of a script."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Stopping(lambda: pytest.fail("it was stopped")) as stopping:
            os.kill(os.getpid(), signal.SIGINT)
        assert stopping.signal == 0
    finally:
        signal.signal(signal.SIGINT, before)
