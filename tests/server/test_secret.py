"""The secret of a server outlives it, and is for nobody else's eyes."""

from __future__ import annotations

import threading

import pytest

from pyhades.errors import ConfigurationError
from pyhades.server.secret import lasting_secret
from pyhades.server.settings import api_key


def test_it_is_made_once_for_its_owner_only(tmp_path):
    path = tmp_path / "deep" / "folder" / "secret"
    secret = lasting_secret(path)
    assert len(secret) == 32 and lasting_secret(path) == secret
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert lasting_secret(tmp_path / "another") != secret


def test_servers_that_start_together_agree(tmp_path):
    found: list[bytes] = []
    together = threading.Barrier(8)

    def start() -> None:
        together.wait()
        found.append(lasting_secret(tmp_path / "secret"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1


@pytest.mark.parametrize("contents", [b"", b"guess", b"ab" * 31, b"zz" * 32, b"\xff" * 64])
def test_what_is_no_secret_is_refused(tmp_path, contents):
    path = tmp_path / "secret"
    path.write_bytes(contents)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="secret"):
        lasting_secret(path)
    assert path.read_bytes() == contents


def test_one_that_others_can_read_is_none(tmp_path):
    path = tmp_path / "secret"
    lasting_secret(path)
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        lasting_secret(path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="file"):
        lasting_secret(tmp_path / "file" / "secret")


def test_clients_are_told_apart_by_secret_and_key(tmp_path):
    secrets = [lasting_secret(tmp_path / name) for name in ("one", "one", "another")]
    clients = [api_key("sk-of-alice-123456", "alice", secret).client for secret in secrets]
    assert clients[0] == clients[1] != clients[2]
    assert api_key("sk-of-bob-12345678", "bob", secrets[0]).client != clients[0]
