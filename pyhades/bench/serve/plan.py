"""How much of what: the numbers that scenarios go by."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pyhades.arguments import check_count
from pyhades.errors import ArgumentError


@dataclass(frozen=True)
class Plan:
    """Of all scenarios; each takes what it needs.

    Raises
    ------
    ArgumentError
        A number has no meaning.
    """

    clients: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    """At once, one after the other."""
    requests: int = 2
    """Of each client."""
    prompt_tokens: int = 128
    output_tokens: int = 64
    rate: float | None = None
    """Requests per second, at random times; None where clients wait for their answers."""
    seconds: float = 300.0
    """For how long requests come at random times."""
    patience: float = 120.0
    """Seconds after the last request, until those that are not answered are left."""
    seed: int = 0
    """Of everything random."""

    writers: int = 4
    """Who write long answers while long prompts arrive."""
    writer_tokens: int = 256
    arrival_tokens: int = 2000
    """Of a long prompt."""
    arrival_rate: float = 0.04
    """Long prompts per second."""
    overload: float = 10.0
    """Times the rate that a server keeps up with."""
    churn_clients: int = 200
    cases: int = 10_000
    """Requests that nobody should send."""
    interval: float = 1.0
    """Seconds between two looks at the server's memory and health."""
    rounds: int = 5
    """Of a comparison in turn."""

    def __post_init__(self) -> None:
        if not self.clients:
            raise ArgumentError("clients is empty: there is nothing to measure")
        for count in self.clients:
            check_count("clients", count)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int":
                check_count(field.name, value, 0 if field.name == "seed" else 1)
            elif value is not None and not isinstance(value, tuple) and not value > 0:
                raise ArgumentError(f"{field.name}={value!r} is not positive")
