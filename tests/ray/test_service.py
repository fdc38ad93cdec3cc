"""What a replica answers. Nothing here needs Ray; a cluster is asked in test_cluster.py."""

from __future__ import annotations

import asyncio
import io
import threading

import pytest
from PIL import Image

import pyhades
from pyhades.errors import ArgumentError, ArgumentTypeError, ConfigurationError, ImageError
from pyhades.ray import service as module
from pyhades.ray.recipe import Recipe
from pyhades.ray.service import PictureService
from pyhades.segmentation.bulk.chain import Rendering
from pyhades.segmentation.compose import Background
from pyhades.segmentation.plausibility import SAMPLES

starlette = pytest.importorskip("starlette")
pytest.importorskip("httpx")
from starlette.applications import Starlette  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import Response  # noqa: E402
from starlette.routing import Route  # noqa: E402
from starlette.testclient import TestClient  # noqa: E402

PICTURE = SAMPLES[0].read_bytes()


def service(rendering: Rendering | None = None, max_bytes: int = 1 << 20) -> PictureService:
    recipe = Recipe(None, 1, rendering or Rendering(first_frame=True))
    return PictureService(recipe, 1, 0.01, max_bytes)


@pytest.fixture(scope="module")
def client():
    made = service()
    app = Starlette(routes=[Route("/", made.__call__, methods=["GET", "POST"])])
    with TestClient(app) as client:
        yield client


@pytest.fixture(scope="module")
def cutout():
    with pyhades.Remover(threads=2) as remover:
        return remover.cut(SAMPLES[0])


def test_a_picture_comes_back_as_png(client, cutout):
    answer = client.post("/", content=PICTURE)
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    assert answer.content == cutout.encode()
    assert float(answer.headers["x-foreground"]) == pytest.approx(cutout.alpha.mean() / 255)
    assert answer.headers["x-doubt"] == "" and answer.headers["x-engine"] == "pyhades"
    assert float(answer.headers["x-seconds"]) > 0


def test_the_matte_alone(client, cutout):
    answer = client.post("/?output=mask", content=PICTURE)
    assert answer.content == cutout.encode("mask")
    assert Image.open(io.BytesIO(answer.content)).mode == "L"


def test_a_matte_lies_on_no_background(cutout):
    made = service(Rendering(background=Background("red"), suffix=".jpg"))
    told = asyncio.run(made.remove(PICTURE))
    assert told["result"] == cutout.encode(background=Background("red"), suffix=".jpg")
    told = asyncio.run(made.remove(PICTURE, "mask"))
    assert told["result"] == cutout.encode("mask", suffix=".jpg")


@pytest.mark.parametrize(
    ("body", "query", "status", "why"),
    [
        (b"", "", 400, "there is no picture"),
        (b"no picture", "", 400, "image bytes"),
        (PICTURE[:300], "", 400, "image bytes"),
        (PICTURE, "?output=none", 400, "output='none' is none of 'rgba', 'mask'"),
        (bytes(2 << 20), "", 413, "there are more than 1048576 bytes"),
    ],
    ids=["empty", "text", "half", "output", "large"],
)
def test_what_is_wrong_is_told(client, body, query, status, why):
    answer = client.post(f"/{query}", content=body)
    assert answer.status_code == status and why in answer.json()["error"]


def test_a_form_is_told_that_it_is_one(client):
    """What ``curl --form`` sends."""
    answer = client.post("/", files={"file": ("cat.jpg", PICTURE)})
    assert answer.status_code == 415 and "as the body itself" in answer.json()["error"]


def asked(made: PictureService, messages: list[dict], headers: dict[str, str]) -> tuple[int, int]:
    """The status of an answer, and how many pieces of the body are not read."""
    scope = {
        "type": "http", "method": "POST", "path": "/", "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip

    async def receive() -> dict:
        return messages.pop(0)

    answer = asyncio.run(made(Request(scope, receive)))
    return answer.status_code, len(messages)


def test_a_body_that_is_too_large_is_not_read_to_its_end():
    """Nor at all where its length is told before."""
    made = service(max_bytes=100)
    pieces = [{"type": "http.request", "body": bytes(60), "more_body": True} for _ in range(9)]
    assert asked(made, list(pieces), {}) == (413, 7)
    assert asked(made, list(pieces), {"content-length": "540"}) == (413, 9)


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(module, "LATE", 0.05)
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}

    async def ask() -> Response:
        return await service()(Request(scope, asyncio.Event().wait))

    answer = asyncio.run(ask())
    assert answer.status_code == 408 and b"within 0.05 s" in answer.body


def test_a_client_that_goes_is_no_accident():
    begun = {"type": "http.request", "body": bytes(60), "more_body": True}
    assert asked(service(), [begun, {"type": "http.disconnect"}], {})[0] == 400


def test_other_methods_are_refused(client):
    answer = client.get("/")
    assert answer.status_code == 405 and answer.headers["allow"] == "POST"


def test_handles_get_what_columns_hold(cutout):
    told = asyncio.run(service().remove(PICTURE))
    assert (told["height"], told["width"]) == cutout.alpha.shape
    assert told["result"] == cutout.encode() and told["error"] == ""


def test_handles_hear_of_what_is_wrong():
    made = service(max_bytes=100)
    with pytest.raises(ArgumentTypeError, match="give the bytes of its file"):
        asyncio.run(made.remove(str(SAMPLES[0])))
    with pytest.raises(ArgumentError, match="are more than 100"):
        asyncio.run(made.remove(PICTURE))
    with pytest.raises(ImageError):
        asyncio.run(made.remove(b"no picture"))


def test_one_picture_of_several_fails_alone(cutout):
    made = service()
    wanted = [module.Wanted(data, Rendering()) for data in (PICTURE, b"none", PICTURE)]
    first, second, third = asyncio.run(made._together(wanted))
    assert isinstance(second, ImageError)
    assert first.rendered.data == third.rendered.data == cutout.encode()


def test_a_replica_answers_while_it_computes_and_is_ill_once_it_hangs(monkeypatch):
    made, go_on, began = service(), threading.Event(), threading.Event()

    def hang(*_):
        began.set()
        assert go_on.wait(20)
        raise ImageError("at last")

    monkeypatch.setattr(made._cutter, "cut", hang)

    async def ask() -> None:
        asked = asyncio.ensure_future(made.remove(PICTURE))
        while not began.is_set():
            await asyncio.sleep(0.001)
        made.check_health()
        monkeypatch.setattr(module, "STUCK", 0.0)
        with pytest.raises(ConfigurationError, match="has taken more than"):
            made.check_health()
        go_on.set()
        with pytest.raises(ImageError, match="at last"):
            await asked
        made.check_health()

    asyncio.run(ask())
