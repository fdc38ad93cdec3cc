"""What whoever runs a server may set."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pyhades.arguments import check_count, check_flag
from pyhades.errors import ArgumentError, ArgumentTypeError


@dataclass(frozen=True)
class ApiKey:
    """Who may ask, without the secret itself.

    Attributes
    ----------
    name
        For the log.
    digest
        SHA-256 of the key.
    client
        For whom the engine works: clients share it evenly, and do not find each other's prompts.
    """

    name: str
    digest: bytes
    client: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a server behaves.

    Parameters
    ----------
    names
        Under which names the model answers, the first of which it gives itself; by default the
        name of its file.
    api_keys
        Of which a request has to bring one; none let everybody in.
    allow_origins
        Web pages of other origins that may ask, such as ``https://chat.example``; ``*`` for all.
    max_requests
        Most requests at a time, those that wait among them; more are sent away with status 429.
    max_requests_per_key
        Most of one key.
    max_queued_seconds
        Most seconds of reading that may be waiting; more are sent away with status 429. A single
        prompt, however long, is let in where nothing waits.
    max_body_bytes
        Most bytes of a request.
    max_choices, max_stops, max_tools, max_schema_bytes
        Most answers to one request, stop strings, tools, and bytes of JSON schemas.
    max_stored
        Most responses that ``store`` keeps for ``previous_response_id``, and most calls of tools
        whose reasoning is remembered for clients that do not send it back.
    max_stored_bytes
        Most bytes of the responses that are kept.
    ping_seconds
        After so much silence a stream gets a comment, so that nobody on the way gives up.
    body_seconds
        How long a client may take to send its request.
    send_seconds
        How long a client may read nothing of its answer; then it counts as gone.
    drain_seconds
        How long answers may take to finish once the server is told to stop.
    shared_beginnings
        Keywords of :meth:`pyhades.LLM.share_beginning`, of each beginning of a conversation that
        all clients share: what was read of it for one is found by the others.
    page
        Whether there is a page to chat at ``/``.
    log_text
        Whether the log has the text of requests and answers.
    secret
        What tells clients apart is made of it and of their keys; by default another one in each
        process, see :func:`pyhades.server.secret.lasting_secret`.

    Raises
    ------
    ArgumentError
        A limit is none.
    """

    names: Sequence[str] = ()
    api_keys: Sequence[ApiKey] = ()
    allow_origins: Sequence[str] = ()
    max_requests: int = 256
    max_requests_per_key: int | None = None
    max_queued_seconds: float = 120.0
    max_body_bytes: int = 8 << 20
    max_choices: int = 16
    max_stops: int = 16
    max_tools: int = 256
    max_schema_bytes: int = 256 << 10
    max_stored: int = 1000
    max_stored_bytes: int = 64 << 20
    ping_seconds: float = 10.0
    body_seconds: float = 30.0
    send_seconds: float = 60.0
    drain_seconds: float = 30.0
    shared_beginnings: Sequence[Mapping[str, Any]] = ()
    page: bool = True
    log_text: bool = False
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def __post_init__(self) -> None:
        for name in (
            "max_requests", "max_body_bytes", "max_choices", "max_stops", "max_tools",
            "max_schema_bytes", "max_stored_bytes",
        ):  # fmt: skip
            check_count(name, getattr(self, name))
        check_count("max_stored", self.max_stored, least=0)
        if self.max_requests_per_key is not None:
            check_count("max_requests_per_key", self.max_requests_per_key)
        for name in (
            "max_queued_seconds", "ping_seconds", "body_seconds", "send_seconds", "drain_seconds",
        ):  # fmt: skip
            seconds = getattr(self, name)
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
                raise ArgumentError(f"{name}={seconds!r} is no number of seconds above 0")
        for name in ("page", "log_text"):
            check_flag(name, getattr(self, name))
        for name in ("names", "allow_origins"):
            values = getattr(self, name)
            if isinstance(values, str) or not all(isinstance(value, str) for value in values):
                raise ArgumentTypeError(f"{name}={values!r} is no list of texts")

    def changed(self, **fields: Any) -> Settings:
        """The same with some fields set anew."""
        return replace(self, **fields)


def read_api_keys(path: str | Path, secret: bytes) -> tuple[ApiKey, ...]:
    """The keys of a file: one a line, after a name if it has one; ``#`` begins a comment.

    Parameters
    ----------
    path
        Such as ``alice  sk-3f...``; keys have 16 characters or more.
    secret
        Of the server; what tells clients apart cannot be guessed without it.

    Raises
    ------
    ArgumentError
        The file cannot be read, a line is no key, or there is none.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentError(f"cannot read {path}: {error}") from error
    keys = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) > 2 or len(words[-1]) < 16:
            raise ArgumentError(
                f"{path}, line {number}: no key; write NAME KEY or KEY, with 16 characters or more"
            )
        keys.append(api_key(words[-1], words[0] if len(words) == 2 else f"key{number}", secret))
    if not keys:
        raise ArgumentError(f"{path} has no keys; write one per line")
    return tuple(keys)


def api_key(key: str, name: str, secret: bytes) -> ApiKey:
    """What is kept of a key."""
    client = hmac.new(secret, key.encode(), hashlib.sha256).hexdigest()
    return ApiKey(name, hashlib.sha256(key.encode()).digest(), client)


def find_key(given: str, keys: Sequence[ApiKey]) -> ApiKey | None:
    """The key that a request brings, in a time that does not tell how much of it is right."""
    digest = hashlib.sha256(given.encode("utf-8", "surrogateescape")).digest()
    found = None
    for key in keys:  # all of them, whichever it is
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found
