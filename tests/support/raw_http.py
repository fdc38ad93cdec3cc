"""Requests as bytes, and answers as they are: no client's good manners between a test and HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Reply:
    """What has come back."""

    status: int
    headers: http.client.HTTPMessage
    text: str

    def json(self) -> Any:
        return json.loads(self.text)

    def error(self) -> dict[str, Any]:
        """What went wrong, in the shape of OpenAI's API."""
        error = self.json()["error"]
        assert error.keys() >= {"message", "type", "param", "code"}
        assert error["message"] and isinstance(error["message"], str)
        return error

    def events(self) -> list[Any]:
        """The data of a stream of events, ``[DONE]`` as it is."""
        assert self.headers["content-type"].startswith("text/event-stream")
        return list(_events(self.text))


def _events(text: str) -> Iterator[Any]:
    *blocks, rest = text.split("\n\n")
    assert rest == "", "the last event is not whole"
    for block in blocks:
        if block.startswith(":"):
            continue
        *_, data = block.split("\n")
        assert data.startswith("data: ")
        yield data[6:] if data == "data: [DONE]" else json.loads(data[6:])


class RawClient:
    """Asks a server, over one connection as long as the server keeps it."""

    def __init__(self, url: str, **headers: str) -> None:
        self._host = urlsplit(url).netloc
        self._headers = headers
        self._connection = http.client.HTTPConnection(self._host, timeout=120)

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        """Ask with a body: bytes as they are, anything else as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", path, raw, {"content-type": "application/json", **headers})

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, None, headers)

    def begin(self, path: str, body: Any, **headers: str) -> http.client.HTTPResponse:
        """Ask, and read no more than the head of the answer; :meth:`close` goes away."""
        written = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("POST", path, json.dumps(body), {**self._headers, **written})
        return self._connection.getresponse()

    def ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Reply:
        written = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, body, {**self._headers, **written})
        response = self._connection.getresponse()
        return Reply(response.status, response.headers, response.read().decode())

    def close(self) -> None:
        self._connection.close()
