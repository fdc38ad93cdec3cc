"""Models by name: found where they lie, fetched whole or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from pyhades import Remover
from pyhades.errors import ArgumentError, ConfigurationError, DownloadError
from pyhades.segmentation.catalogue import ENTRIES, PublishedFile, published
from pyhades.segmentation.store import cache_folder, download, locate, pull, require
from pyhades.segmentation.store.places import places
from tests.support.segmentation_models import SIDE, disc, model, node, scores
from tests.support.unreliable_server import UnreliableServer

CONTENT = np.random.default_rng(0).bytes(300_000)
CHECKSUM = ("sha256", hashlib.sha256(CONTENT).hexdigest())
VARIABLES = (
    *("PYHADES_CACHE", "PYHADES_OFFLINE", "U2NET_HOME", "REMBG_HOME", "XDG_DATA_HOME"),
    *("XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "http_proxy"),
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without any model in it."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path


@pytest.fixture
def server():
    with UnreliableServer(CONTENT) as server:
        yield server


@pytest.fixture
def fetch(server, tmp_path):
    """Fetch the file of the server, without pauses."""

    def run(**how):
        target = tmp_path / "folder" / "model.onnx"
        told = {"size": len(CONTENT), "checksum": CHECKSUM, "timeout": 60}
        how = {**told, "pause": pauses.append, **how}
        try:
            download(how.pop("url", server.url), target, **how)
        finally:
            if target.exists():
                assert target.read_bytes() == CONTENT, "something else appeared under the name"
                assert not target.with_name("model.onnx.part").exists()
        return target

    pauses: list[float] = []
    run.pauses = pauses
    return run


def test_a_good_server(fetch, server):
    assert fetch().read_bytes() == CONTENT
    assert server.ranges == [None]


@pytest.mark.parametrize("known", [{}, {"size": None}, {"size": None, "checksum": None}])
def test_connections_that_break_are_continued(fetch, server, known):
    server.answers = [
        server.cut_after(100_000), server.cut_after(1), server.stall_after(70_000), server.whole
    ]  # fmt: skip
    assert fetch(timeout=1, **known).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-", "bytes=100001-", "bytes=170001-"]


def test_a_later_call_continues(fetch, server):
    server.answers = [server.cut_after(5000), server.status(503)]
    with pytest.raises(DownloadError, match=r"503.*attempts brought nothing new.*is kept"):
        fetch(attempts=3)
    server.answers = [server.whole]
    assert fetch().read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=5000-"


def test_servers_without_ranges_begin_anew(fetch, server):
    server.answers = [server.cut_after(5000), server.without_ranges]
    assert fetch().read_bytes() == CONTENT


def test_what_is_here_may_be_of_another_file(fetch, server, tmp_path):
    part = tmp_path / "folder" / "model.onnx.part"
    part.parent.mkdir()
    part.write_bytes(b"something else")
    assert fetch().read_bytes() == CONTENT
    assert server.ranges == ["bytes=14-", None]


@pytest.mark.parametrize("known", [{}, {"size": None}])
@pytest.mark.parametrize("here", [300_000, 400_000])
def test_more_is_here_than_there_is(fetch, tmp_path, here, known):
    part = tmp_path / "folder" / "model.onnx.part"
    part.parent.mkdir()
    part.write_bytes(bytes(here))
    assert fetch(**known).read_bytes() == CONTENT


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_states_that_pass_are_waited_for(fetch, server, code):
    server.answers = [server.status(code, Retry_After="7"), server.status(code), server.whole]
    assert fetch().read_bytes() == CONTENT
    assert fetch.pauses == [7.0, 2.0]


@pytest.mark.parametrize(
    ("code", "words"),
    [(404, "does not have the file"), (403, "its licence has to be accepted"),
     (401, "wants a login"), (410, "any more"), (418, "418")],
)  # fmt: skip
def test_states_that_do_not_pass_are_said_at_once(fetch, server, code, words):
    server.answers = [server.status(code)]
    with pytest.raises(DownloadError, match=words):
        fetch()
    assert len(server.ranges) == 1


def test_wrong_bytes_are_thrown_away(fetch, server, tmp_path):
    server.answers = [server.content_of(bytes(len(CONTENT)))]
    with pytest.raises(DownloadError, match="not the published file: its sha256 is"):
        fetch()
    assert not list((tmp_path / "folder").glob("model*"))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda s: s.content_of(b"<html>login</html>", "text/html; charset=utf-8"), "a web page"),
        (lambda s: s.length_of(200_000), "offers 200000 bytes, the published file has 300000"),
        (lambda s: s.length_of(900_000), "offers 900000 bytes"),
        (lambda s: s.endless, "sends more than 300000 bytes"),
        (lambda s: s.status(302, Location="file:///etc/passwd"), "not allowed|not encrypted"),
        (lambda s: s.status(302, Location="/model.onnx"), "redirect|loop"),
        (lambda s: s.stall_after(0), "the connection broke.*timed out"),
    ],
)
def test_lies_are_found_out(fetch, server, tmp_path, answer, words):
    server.answers = [answer(server)]
    with pytest.raises(DownloadError, match=words):
        fetch(attempts=2, timeout=0.5)
    assert not (tmp_path / "folder" / "model.onnx").exists()


def test_another_part_than_was_asked_for(fetch, server):
    server.answers = [server.cut_after(5000), server.wrong_part]
    with pytest.raises(DownloadError, match="another part than that from byte 5000"):
        fetch()


def test_redirections_are_followed(fetch, server):
    server.answers = [server.status(302, Location="/elsewhere"), server.whole]
    assert fetch().read_bytes() == CONTENT


def test_nobody_answers(fetch):
    with pytest.raises(DownloadError, match="cannot be reached"):
        fetch(url="http://127.0.0.1:9/model.onnx", attempts=2)
    assert len(fetch.pauses) == 1
    for url in ("file:///etc/passwd", "ftp://127.0.0.1/x"):
        with pytest.raises(DownloadError, match="only http and https"):
            fetch(url=url)


def test_a_full_disk_is_said_before(fetch, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=5))
    with pytest.raises(DownloadError, match="300000 bytes are to come, 5 are free"):
        fetch()


def test_two_at_once_fetch_once(fetch, server, monkeypatch):
    begun = threading.Barrier(3)  # whoever begins after another has ended wants it once more
    alone = download.__globals__["_alone"]

    def alone_when_all_have_begun(target):
        begun.wait(60)
        return alone(target)

    monkeypatch.setitem(download.__globals__, "_alone", alone_when_all_have_begun)
    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.ranges) == 1


def test_progress_sums_up(fetch, server):
    class Shown:
        total = 0
        is_closed = False

        def update(self, n):
            self.total += n

        def close(self):
            self.is_closed = True

    shown = Shown()
    server.answers = [server.cut_after(5000), server.without_ranges]
    fetch(progress=lambda name, size: shown)
    assert shown.total == len(CONTENT) and shown.is_closed


@pytest.fixture
def offered(home, server, monkeypatch):
    """The model ``u2netp``, which the server offers."""
    data = model([*scores([[9, 0]]), node("Sigmoid", "l", "y")], [1, 1, SIDE, SIDE])
    server.content = data
    digest = hashlib.sha256(data).hexdigest()
    file = PublishedFile("u2netp.onnx", server.url, len(data), digest)
    manifest = ENTRIES["u2netp"].manifest.replace(input_size=(SIDE, SIDE))
    entry = dataclasses.replace(ENTRIES["u2netp"], files=(file,), profiles={"reference": manifest})
    monkeypatch.setitem(published.ENTRIES, "u2netp", entry)
    return entry


def test_a_name_is_not_fetched_unless_asked(offered, server):
    with pytest.raises(ArgumentError, match=r"not on this machine; .*pyhades models pull u2netp"):
        Remover("u2netp")
    assert server.ranges == []
    with Remover("u2netp", download=True) as remover:
        assert remover.matte(disc()).max() > 200
        assert "by name" in repr(remover)
    with Remover("u2netp"):
        assert len(server.ranges) == 1
    assert pull("u2netp").owner == "pyhades" and len(server.ranges) == 1
    assert pull("u2netp", force=True) and len(server.ranges) == 2


def test_nothing_is_fetched_offline(offered, server, monkeypatch):
    monkeypatch.setenv("PYHADES_OFFLINE", "1")
    with pytest.raises(ConfigurationError, match="PYHADES_OFFLINE is set"):
        require("u2netp", allow_download=True)
    assert server.ranges == []
    monkeypatch.setenv("PYHADES_OFFLINE", "0")
    assert require("u2netp", allow_download=True)


FOLDERS = {
    "pyhades": (".cache/pyhades/models/u2netp", {}),
    "pyhades, told": ("mine/models/u2netp", {"PYHADES_CACHE": "~/mine"}),
    "rembg": (".rembg/models/u2netp", {}),
    "rembg, before 2.0.80": (".u2net", {}),
    "rembg, told": ("other/models/u2netp", {"U2NET_HOME": "~/other"}),
    "rembg, told, flat": ("other", {"U2NET_HOME": "~/other"}),
    "rembg, home": ("third/models/u2netp", {"REMBG_HOME": "~/third"}),
    "rembg, xdg": ("data/rembg/models/u2netp", {"XDG_DATA_HOME": "~/data"}),
    "rembg, xdg, flat": ("data/.u2net", {"XDG_DATA_HOME": "~/data"}),
    "transparent-background": (".transparent-background", {}),
}


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_are_found_where_tools_put_them(offered, home, server, monkeypatch, folder):
    path, variables = FOLDERS[folder]
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("~", str(home)))
    target = home / path / "u2netp.onnx"
    target.parent.mkdir(parents=True)
    target.write_bytes(server.content)
    found = locate("u2netp")
    assert found.path == target and found.owner == folder.partition(",")[0]


@pytest.mark.parametrize("variable", ["", "HF_HOME", "HF_HUB_CACHE"])
@pytest.mark.parametrize("kind", ["blob", "snapshot"])
def test_files_are_found_in_the_cache_of_hugging_face(
    offered, home, server, monkeypatch, variable, kind
):
    file = dataclasses.replace(
        offered.files[0], url="https://huggingface.co/a/b/resolve/main/onnx/model.onnx"
    )
    entry = dataclasses.replace(offered, files=(file,))
    monkeypatch.setitem(published.ENTRIES, "u2netp", entry)
    hub = home / ".cache" / "huggingface" / "hub"
    if variable:
        hub = home / "hf" / ("hub" if variable == "HF_HOME" else "")
        monkeypatch.setenv(variable, str(home / "hf"))
    inside = f"blobs/{file.sha256}" if kind == "blob" else "snapshots/0123/onnx/model.onnx"
    target = hub / "models--a--b" / inside
    target.parent.mkdir(parents=True)
    target.write_bytes(server.content)
    assert locate("u2netp").owner == "Hugging Face"


def test_files_that_are_not_the_published_ones_are_passed_over(offered, home, server, caplog):
    target = home / ".u2net" / "u2netp.onnx"
    target.parent.mkdir()
    target.write_bytes(model([*scores([[9, 0]]), node("Tanh", "l", "y")], [1, 1, SIDE, SIDE]))
    with caplog.at_level(logging.WARNING, "pyhades"):
        assert locate("u2netp") is None
    assert "not the published file of u2netp" in caplog.text
    with Remover(target, check=False) as remover:
        assert "guessed" in repr(remover)


def test_checksums_are_remembered_until_the_file_changes(offered, monkeypatch):
    found = pull("u2netp")
    read = []
    monkeypatch.setattr(PublishedFile, "is_in", lambda self, path: read.append(path) or True)
    assert locate("u2netp") and read == []
    os.utime(found.path, (1, 1))
    assert locate("u2netp") and read == [found.path]


def test_notes_that_are_broken_or_cannot_be_written_cost_time_only(offered, home):
    pull("u2netp")
    (cache_folder() / "verified.json").write_text("[")
    assert locate("u2netp")
    (cache_folder() / "verified.json").unlink()
    (cache_folder() / "verified.json").mkdir()
    assert locate("u2netp")


def test_names_that_nobody_knows(home):
    with pytest.raises(
        ArgumentError, match="no such file, and no model of that name; did you mean"
    ):
        Remover("u2nett")
    with pytest.raises(ArgumentError, match=r"'nothing\.onnx': there is no such file"):
        Remover("nothing.onnx")
    with pytest.raises(ArgumentError, match="nobody offers a file"):
        Remover("inspyrenet", download=True)


def test_every_entry_has_places(home):
    for entry in ENTRIES.values():
        for file in entry.files:
            assert all(path.is_relative_to(home) for path, _ in places(entry, file))
