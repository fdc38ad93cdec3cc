"""A service on a cluster: over HTTP and by handle, one picture at a time and in batches."""

from __future__ import annotations

import asyncio
import socket
import time

import httpx
import numpy as np
import pytest

import pyhades
import pyhades.ray
from pyhades.errors import ArgumentError, ImageError
from pyhades.segmentation.image.png import encode_png
from pyhades.segmentation.plausibility import SAMPLES

PICTURE = SAMPLES[0].read_bytes()
WAIT = 0.5
"""Seconds for which a picture waits for others."""


@pytest.fixture(scope="module")
def served(nodes):
    """The URL of an application, and its handle, by name; two applications on one cluster."""
    from ray import serve

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    http = {"host": "127.0.0.1", "port": port, "location": "HeadOnly"}
    serve.start(http_options=http, logging_config={"log_level": "ERROR"})
    try:
        alone = pyhades.ray.build_app(max_ongoing_requests=1, max_queued_requests=1)
        together = pyhades.ray.build_app(max_batch_size=4, batch_wait_timeout_s=WAIT, output="mask")
        apps = {"alone": alone, "together": together}
        for name, app in apps.items():
            serve.run(app, name=name, route_prefix=f"/{name}")
        yield {
            name: (f"http://127.0.0.1:{port}/{name}", serve.get_app_handle(name)) for name in apps
        }
    finally:
        serve.shutdown()


@pytest.fixture(scope="module")
def cutout():
    with pyhades.Remover(threads=2) as remover:
        return remover.cut(SAMPLES[0])


def post(url: str, contents: list[bytes]) -> list[httpx.Response]:
    """All at once."""

    async def all_of_them() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=60) as client:
            return await asyncio.gather(*(client.post(url, content=data) for data in contents))

    return asyncio.run(all_of_them())


def test_options_are_looked_at_before_anything_is_started(nodes):
    for wrong, why in [
        ({"max_batch_size": 0}, "max_batch_size=0 must be at least 1"),
        ({"max_batch_size": 8, "max_ongoing_requests": 4}, "never fills a batch of 8"),
        ({"max_queued_requests": -2}, "max_queued_requests=-2 must be at least 0"),
        ({"suffix": ".jpg"}, "JPEG has no transparency"),
        ({"num_cpus": 0}, "no number of CPUs"),
        ({"threads": 2}, "leave threads= out"),
        ({"ray_actor_options": {"num_cpus": 2}}, "ray_actor_options has 'num_cpus'"),
        ({"deployment": {"num_replicas": 2}}, "deployment has 'num_replicas'"),
    ]:
        with pytest.raises(ArgumentError, match=why):
            pyhades.ray.build_app(**wrong)


def test_over_http(served, cutout):
    url, _ = served["alone"]
    (answer,) = post(url, [PICTURE])
    assert answer.status_code == 200 and answer.content == cutout.encode()
    (answer,) = post(url, [b"no picture"])
    assert answer.status_code == 400 and "image bytes" in answer.json()["error"]


def test_by_handle(served, cutout):
    _, handle = served["alone"]
    told = handle.remove.remote(PICTURE).result(timeout_s=60)
    assert told["result"] == cutout.encode()
    assert handle.remove.remote(PICTURE, "mask").result()["result"] == cutout.encode("mask")
    with pytest.raises(ImageError):
        handle.remove.remote(b"no picture").result(timeout_s=60)


def test_who_comes_when_too_many_wait_is_refused(served):
    """One is computed and one waits; of twelve at once most are told to come again."""
    url, _ = served["alone"]
    noise = np.random.default_rng(0).integers(0, 256, (2000, 3000, 3), np.uint8)
    large = encode_png(noise)
    codes = sorted(answer.status_code for answer in post(url, [large] * 12))
    assert set(codes) == {200, 503} and codes.count(503) >= 6, codes
    assert [answer.status_code for answer in post(url, [PICTURE])] == [200]


def test_pictures_that_are_collected_do_not_touch_each_other(served, cutout):
    url, _ = served["together"]
    answers = post(url, [PICTURE, b"no picture", PICTURE, PICTURE])
    assert [answer.status_code for answer in answers] == [200, 400, 200, 200]
    assert {answer.content for answer in answers[::2]} == {cutout.encode("mask")}


def test_a_picture_alone_waits_for_others_where_they_are_collected(served):
    """A check from below: without batches it would be done before."""
    url, _ = served["together"]
    began = time.monotonic()
    (answer,) = post(url, [PICTURE])
    assert answer.status_code == 200 and time.monotonic() - began >= WAIT
