"""The page's files are served with what keeps them harmless, and nothing beside them is."""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from hashlib import sha256

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

import pyhades.server.page.files as served
from pyhades.server.app import build
from pyhades.server.page.files import BESIDE_IT, INDEX, STATIC, routes
from pyhades.server.service import Service
from pyhades.server.settings import Settings, api_key

VENDORED = json.loads((STATIC / "vendor" / "vendored.json").read_bytes())
OURS = [INDEX, *(name for name in BESIDE_IT if not name.startswith("vendor/"))]


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(Starlette(routes=routes()), follow_redirects=False)


def text_of(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page/style.css", "text/css; charset=utf-8"),
        ("/page/icon.svg", "image/svg+xml"),
        ("/page/main.js", "text/javascript; charset=utf-8"),
        ("/page/vendor/purify.es.mjs", "text/javascript; charset=utf-8"),
        ("/page/vendor/marked.LICENSE", "text/plain; charset=utf-8"),
    ],
)
def test_files_are_served_as_what_they_are(client, path, kind):
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    name = path.removeprefix("/page/") if path != "/" else INDEX
    assert answer.content == (STATIC / name).read_bytes()
    head = client.head(path)
    assert head.content == b"" and head.headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize("path", ["/", *(f"/page/{name}" for name in BESIDE_IT)])
def test_every_file_has_the_headers_of_a_page_that_trusts_nobody(client, path):
    headers = client.get(path).headers
    policy = dict(
        directive.split(" ", 1) for directive in headers["content-security-policy"].split("; ")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "dompurify",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_what_a_browser_has_is_not_sent_again(client):
    first = client.get("/page/main.js")
    etag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"
    for known in (etag, f'"another", W/{etag}'):
        again = client.get("/page/main.js", headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
    assert client.get("/page/main.js", headers={"if-none-match": '"old"'}).status_code == 200
    assert client.get("/page/chat.js").headers["etag"] != etag


@pytest.mark.parametrize(
    "path",
    [
        "/page/",
        "/page/index.html",
        "/page/package.json",
        "/page/vendor/vendored.json",
        "/page/../files.py",
        "/page/..%2ffiles.py",
        "/page/vendor/..%2f..%2ffiles.py",
        "/page/%2e%2e/files.py",
        "/page//etc/passwd",
        "/page/main.js%00",
        "/files.py",
    ],
)
def test_nothing_else_is_served(client, path):
    assert client.get(path).status_code == 404


def test_the_page_cannot_be_written_to(client):
    assert client.post("/").status_code == 405
    assert client.put("/page/main.js").status_code == 405


def test_everything_that_the_page_loads_is_served():
    """And everything that is served lies in the package."""
    html = text_of(INDEX)
    named = {name for name in re.findall(r'(?:href|src)="page/([^"]+)"', html)}
    for module in (name for name in OURS if name.endswith(".js")):
        named |= {name for name in re.findall(r'from "\./([^"]+)"', text_of(module))}
    assert named == set(BESIDE_IT)


def test_nothing_is_inline():
    html = text_of(INDEX)
    scripts = re.findall(r"<script\b[^>]*>([^<]*)</script>", html)
    assert len(scripts) == html.count("<script") == 1 and scripts == [""]
    assert "<style" not in html
    assert not re.search(r"\s(?:style|on\w+)\s*=", html)
    assert "javascript:" not in html


@pytest.mark.parametrize("name", OURS)
def test_nothing_comes_from_elsewhere(name):
    """The name space of SVG is a name that is never asked for."""
    text = text_of(name).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"\w+://|['\"(]//", text)


@pytest.mark.parametrize("name", [name for name in OURS if name.endswith(".js")])
def test_modules_make_no_markup_and_no_code_of_text(name):
    words = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function"
    assert not re.search(words, text_of(name))


def test_vendored_modules_are_what_was_published():
    modules = {
        name.removeprefix("vendor/") for name in BESIDE_IT if name.endswith(("esm.js", "mjs"))
    }
    assert set(VENDORED) == modules
    for name, about in VENDORED.items():
        assert sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == about["sha256"], name


def test_vendored_modules_come_with_their_licences(client):
    for about in VENDORED.values():
        licence = client.get(f"/page/vendor/{about['licence_file']}")
        assert licence.status_code == 200 and "Copyright" in licence.text
        assert {"package", "version", "path", "licence"} <= set(about)


def test_the_page_needs_no_engine():
    """It is there before a model is."""
    tree = ast.parse(inspect.getsource(served))
    imported = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {getattr(node, "module", None) or node.names[0].name for node in imported}
    roots = {name.partition(".")[0] for name in names}
    assert roots - sys.stdlib_module_names == {"starlette"}


def test_the_server_shows_the_page_without_a_key_and_before_it_has_a_model():
    settings = Settings(api_keys=(api_key("secret", "somebody", b"salt"),))
    client = TestClient(build(Service(settings)))
    assert client.get("/").headers["content-security-policy"]
    assert client.get("/page/main.js").status_code == 200
    assert client.get("/v1/models").status_code == 401


def test_the_page_can_be_left_out():
    client = TestClient(build(Service(Settings(page=False))))
    assert client.get("/").status_code == client.get("/page/main.js").status_code == 404
