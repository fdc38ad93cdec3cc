"""A server in a process of its own: how it begins, whom it hears, and how it ends."""

from __future__ import annotations

import http.client
import signal
import socket
import ssl
from urllib.parse import urlsplit

import pytest

from tests.support.child_server import child_server
from tests.support.raw_http import RawClient
from tests.support.served import until

pytestmark = pytest.mark.slow

LONG = {"prompt": "def ", "max_tokens": 1000, "n": 16, "ignore_eos": True, "stream": True}


@pytest.fixture(scope="module")
def child():
    with child_server("--threads", "1") as server:
        yield server


def begun(url: str, body=LONG) -> http.client.HTTPResponse:
    """A stream whose first bytes have come."""
    response = RawClient(url).begin("/v1/completions", body)
    assert response.status == 200 and response.read(10)
    return response


def many(url: str) -> list[http.client.HTTPResponse]:
    """Streams that take a while, most of which wait for the first ones."""
    first = begun(url)
    return [first, *(RawClient(url).begin("/v1/completions", LONG) for _ in range(11))]


def is_refused(url: str) -> bool:
    """Whether nobody listens; who came just before hears that the server is stopping."""
    try:
        assert RawClient(url).get("/health").status == 503
    except OSError:
        return True
    return False


def test_answers_in_work_are_finished_and_nobody_is_let_in():
    with child_server("--threads", "1") as server:
        stream = begun(server.url)
        waiting = RawClient(server.url)  # a connection from before
        assert waiting.get("/health").status == 200
        server.process.send_signal(signal.SIGTERM)
        until(lambda: "stopping: 1 requests" in server.log())
        until(lambda: is_refused(server.url))
        rest = stream.read().decode()
        assert rest.endswith("data: [DONE]\n\n") and rest.count('"finish_reason":"length"') == 16
        assert server.exit_code() == 0, server.log()


def test_answers_that_take_longer_than_they_may_are_told_to_be_given_up():
    with child_server("--threads", "1", "--drain-seconds", "1") as server:
        streams = many(server.url)
        server.process.send_signal(signal.SIGTERM)
        for stream in streams:
            *_, error, done, rest = stream.read().decode().split("\n\n")
            assert '"code":"stopping"' in error and (done, rest) == ("data: [DONE]", "")
        assert server.exit_code() == 0, server.log()
        assert "Traceback" not in server.log()


def test_the_second_signal_waits_for_nobody():
    with child_server("--threads", "1") as server:
        streams = many(server.url)
        server.process.send_signal(signal.SIGINT)
        until(lambda: "stopping: 12 requests" in server.log())
        server.process.send_signal(signal.SIGINT)
        server.exit_code()
        with pytest.raises(http.client.IncompleteRead):
            streams[-1].read()


def test_a_name_that_only_leads_here_is_not_answered(child):
    raw = RawClient(child.url)
    port = urlsplit(child.url).port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example"):
        assert raw.get("/v1/models", host=host).status == 400
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
        assert raw.get("/v1/models", host=host).status == 200


def test_tls(tmp_path):
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with child_server("--tls-certificate", str(chain), "--tls-key", str(key)) as server:
        assert server.url.startswith("https://")
        address = urlsplit(server.url)
        line = http.client.HTTPSConnection(address.hostname, address.port, context=context)
        line.request("GET", "/v1/models")
        assert line.getresponse().status == 200
        server.process.send_signal(signal.SIGTERM)  # a line that is kept open holds up nobody
        assert server.exit_code() == 0, server.log()


@pytest.mark.parametrize("name", ["nowhere", "broken"])
def test_a_model_that_cannot_be_loaded(tmp_path, name):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{}")
    with child_server(str(tmp_path / name), is_ready=False) as server:
        assert server.exit_code() == 2
        assert "Error: " in server.log() and name in server.log()
        assert "listening" not in server.log()
        assert "Traceback" not in server.log()


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with child_server("--port", str(port), is_ready=False) as server:
            assert server.exit_code() == 2
            assert f"127.0.0.1:{port}" in server.log() and "Traceback" not in server.log()


def test_a_file_of_keys_that_has_none(tmp_path):
    (tmp_path / "keys").write_text("short\n")
    with child_server("--api-key-file", str(tmp_path / "keys"), is_ready=False) as server:
        assert server.exit_code() == 2
        assert "line 1" in server.log() and "Traceback" not in server.log()
