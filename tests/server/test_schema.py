"""What the server says of itself, and that nothing which is sent to it makes it fail."""

from __future__ import annotations

import itertools
import json
import re
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings

import pyhades
from pyhades.server import Settings, application
from pyhades.server.openapi import OPERATIONS, document
from tests.support.odd_bodies import BODIES, odd_body
from tests.support.raw_http import RawClient
from tests.support.served import served, until


@pytest.fixture(scope="module")
def server():
    """The toy, with so short a context that whoever asks for much gets little."""
    with pyhades.LLM(threads=1, context_length=320) as llm, served(llm) as server:
        yield server


@pytest.fixture
def raw(server):
    client = RawClient(server.url)
    yield client
    client.close()


def check_is_well(server, raw) -> None:
    """It answers, and nothing is left of what it was asked."""
    llm, admission = server.service.model, server.service.admission
    until(lambda: admission.requests == 0 and llm.stats().blocks_held == 0)
    assert admission.queued_tokens == 0 and llm.stats().running == llm.stats().waiting == 0
    assert raw.get("/health").json() == {"status": "ready"}


def test_the_document_has_every_place_of_the_server(server):
    app = application(server.service.model, Settings(page=False))
    routes = {
        (method, re.sub(r"{(\w+):path}", r"{\1}", route.path))
        for route in app.routes
        for method in route.methods - {"HEAD"}
    }
    assert {(operation.method, operation.path) for operation in OPERATIONS} == routes


def test_the_document_is_served_and_whole(raw):
    told = raw.get("/openapi.json").json()
    assert told == document(needs_key=False) and told["openapi"] == "3.1.0"
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(told))):
        place = told
        for name in reference.split("/"):
            place = place[name]
    assert document(needs_key=True)["security"] == [{"key": []}]


@pytest.mark.parametrize("path", BODIES)
def test_bodies_that_are_good(raw, path):
    for body in BODIES[path]:
        reply = raw.post(path, body)
        assert reply.status == 200, reply.text


def check_bodies(server, raw, numbers) -> None:
    """Whatever comes is answered, or refused for a reason."""
    for number in numbers:
        path, body = odd_body(Random(number))
        reply = raw.post(path, body)
        assert reply.status < 500, (number, path, body, reply.text)
        if reply.status != 200:
            assert reply.json()["error"], (number, path, body)
        elif reply.headers["content-type"] == "application/json":
            reply.json()
        assert "internal_error" not in reply.text, (number, path, body)
    check_is_well(server, raw)


def test_odd_bodies(server, raw):
    check_bodies(server, raw, range(500))


@pytest.mark.slow
def test_ten_thousand_odd_bodies(server, raw):
    check_bodies(server, raw, range(500, 10_500))


def test_requests_that_are_none(server, raw):
    for method, path, body in itertools.product(
        ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"),
        (*BODIES, "/", "/v1", "/%ff", "//"),
        (None, b"{}"),
    ):
        reply = raw.ask(method, path, body, {})
        assert reply.status in (200, 404, 405), (method, path, reply.text)
        assert reply.status == 200 or reply.json()["error"]
    check_is_well(server, raw)


@pytest.mark.slow
def test_schemathesis(server, raw):
    """Requests that another tool makes of the document."""
    schemathesis = pytest.importorskip("schemathesis")
    from schemathesis import checks

    schema = schemathesis.openapi.from_dict(document(needs_key=False))
    names = ("not_a_server_error", "status_code_conformance", "content_type_conformance",
             "response_schema_conformance")  # fmt: skip
    asked = [getattr(checks, name) for name in names]
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(max_examples=40, deadline=None, database=None,
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(operation.as_strategy())
        def check(case):
            case.call_and_validate(base_url=server.url, checks=asked)

        check()
    check_is_well(server, raw)
