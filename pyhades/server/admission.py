"""Who is let in, and who is told to come back: nothing waits without an end."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

from pyhades.server.errors import ApiError
from pyhades.server.settings import Settings

LONGEST_WAIT = 120
"""Seconds; clients of OpenAI's API do not wait longer than they are told to, but give up."""


class Admission:
    """Counts requests, and the tokens of prompts that nothing was written for yet.

    Parameters
    ----------
    settings
        The limits.
    reading_speed
        Tokens of prompts per second, as measured.

    Examples
    --------
    >>> admission = Admission(Settings(max_requests=1), lambda: 100.0)
    >>> ticket = admission.enter("alice")
    >>> admission.enter("bob")
    Traceback (most recent call last):
        ...
    pyhades.server.errors.ApiError: 1 requests are in work, ...
    >>> ticket.leave()
    """

    def __init__(self, settings: Settings, reading_speed: Callable[[], float]) -> None:
        self._settings = settings
        self._reading_speed = reading_speed
        self._requests: Counter[str] = Counter()
        self.queued_tokens = 0
        """Of prompts whose first token was not written yet."""
        self.refused = 0

    @property
    def requests(self) -> int:
        """Those that were let in and have not left."""
        return self._requests.total()

    def enter(self, client: str) -> Ticket:
        """Let a request in, before anything is known of it but whose it is.

        Raises
        ------
        ApiError
            429: there are too many.
        """
        settings, mine = self._settings, self._requests[client]
        if self.requests >= settings.max_requests:
            raise self._refusal(f"{self.requests} requests are in work, the most that there may be")
        if settings.max_requests_per_key is not None and mine >= settings.max_requests_per_key:
            raise self._refusal(f"{mine} requests of this key are in work, the most that it may")
        self._requests[client] += 1
        return Ticket(self, client)

    def queue(self, tokens: int) -> None:
        """Let a prompt wait to be read.

        Raises
        ------
        ApiError
            429: others wait already, and it would be for too long.
        """
        seconds = self.waiting_seconds(tokens)
        if self.queued_tokens and seconds > self._settings.max_queued_seconds:
            raise self._refusal(
                f"{self.queued_tokens} tokens wait to be read, and {tokens} more would make it "
                f"{seconds:.0f} s"
            )
        self.queued_tokens += tokens

    def waiting_seconds(self, tokens: int = 0) -> float:
        """What reading takes of all that waits, and of so many tokens more."""
        return (self.queued_tokens + tokens) / max(self._reading_speed(), 1e-9)

    def _refusal(self, why: str) -> ApiError:
        self.refused += 1
        seconds = min(max(1, math.ceil(self.waiting_seconds())), LONGEST_WAIT)
        return ApiError(
            429, f"{why}; ask again in {seconds} s", "rate_limit_exceeded", retry_after=seconds
        )

    def _left(self, client: str, tokens: int) -> None:
        self.queued_tokens -= tokens
        self._requests[client] -= 1
        if not self._requests[client]:
            del self._requests[client]


class Ticket:
    """A request that was let in."""

    def __init__(self, admission: Admission, client: str) -> None:
        self._admission = admission
        self._client = client
        self._queued = 0
        self._has_left = False

    def queue(self, tokens: int) -> None:
        """Its prompt waits to be read; see :meth:`Admission.queue`."""
        self._admission.queue(tokens)
        self._queued = tokens

    def was_read(self) -> None:
        """Something was written for it."""
        self._admission.queued_tokens -= self._queued
        self._queued = 0

    def handed_over(self) -> Ticket:
        """The same request in other hands, which leave instead of these."""
        other = Ticket(self._admission, self._client)
        other._queued, self._queued, self._has_left = self._queued, 0, True
        return other

    def leave(self) -> None:
        """It is over, however it ended."""
        if not self._has_left:
            self._has_left = True
            self._admission._left(self._client, self._queued)
            self._queued = 0
