"""A local HTTP server that does, request by request, what a test asks for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[Any], None]


class UnreliableServer:
    """Answers with the next of ``answers``, and with the last of them from then on."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.answers: list[Answer] = [self.whole]
        self.ranges: list[str | None] = []
        self.released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.ranges.append(self.headers.get("Range"))
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                with contextlib.suppress(ConnectionError):
                    answer(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/model.onnx"

    def __enter__(self) -> UnreliableServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def _begin(self, handler: Any, count: int) -> None:
        """Say the true length, and send ``count`` bytes."""
        start = self._asked(handler)
        self._head(handler, start, len(self.content) - start, "application/octet-stream")
        handler.wfile.write(self.content[start : start + count])
        handler.wfile.flush()

    def _asked(self, handler: Any) -> int:
        range_ = handler.headers.get("Range")
        return 0 if range_ is None else int(range_.removeprefix("bytes=").rstrip("-"))

    def _head(self, handler: Any, start: int, length: int, kind: str) -> None:
        handler.send_response(206 if start else 200)
        if start:
            end = len(self.content)
            handler.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        handler.send_header("Content-Length", str(length))
        handler.send_header("Content-Type", kind)
        handler.end_headers()

    def whole(self, handler: Any) -> None:
        """What a good server does, ranges included."""
        start = self._asked(handler)
        if start >= len(self.content):
            handler.send_error(416)
            return
        self._head(handler, start, len(self.content) - start, "application/octet-stream")
        handler.wfile.write(self.content[start:])

    def without_ranges(self, handler: Any) -> None:
        """The whole file, whatever was asked for."""
        self._head(handler, 0, len(self.content), "application/octet-stream")
        handler.wfile.write(self.content)

    def cut_after(self, count: int) -> Answer:
        """Say the true length, send ``count`` bytes and hang up."""

        def answer(handler: Any) -> None:
            self._begin(handler, count)
            handler.connection.close()

        return answer

    def stall_after(self, count: int) -> Answer:
        """Send ``count`` bytes, then nothing."""

        def answer(handler: Any) -> None:
            self._begin(handler, count)
            self.released.wait(10)

        return answer

    def content_of(self, data: bytes, kind: str = "application/octet-stream") -> Answer:
        """Another file."""

        def answer(handler: Any) -> None:
            self._head(handler, 0, len(data), kind)
            handler.wfile.write(data)

        return answer

    def length_of(self, length: int) -> Answer:
        """Say another length than what is sent."""

        def answer(handler: Any) -> None:
            self._head(handler, 0, length, "application/octet-stream")
            handler.wfile.write(self.content)

        return answer

    def endless(self, handler: Any) -> None:
        """No length, and no end."""
        handler.send_response(200)
        handler.send_header("Content-Type", "application/octet-stream")
        handler.end_headers()
        while not self.released.is_set():
            handler.wfile.write(bytes(1 << 16))

    def wrong_part(self, handler: Any) -> None:
        """Another range than what was asked for."""
        self._head(handler, 1, len(self.content) - 1, "application/octet-stream")
        handler.wfile.write(self.content[1:])

    def status(self, code: int, **headers: str) -> Answer:
        """A status code without a file."""

        def answer(handler: Any) -> None:
            handler.send_response(code)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        return answer


@contextlib.contextmanager
def serving(content: bytes) -> Iterator[UnreliableServer]:
    """A server with ``content``."""
    with UnreliableServer(content) as server:
        yield server
