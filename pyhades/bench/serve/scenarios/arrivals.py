"""Some write long answers while long prompts arrive: how long their tokens are held up."""

from __future__ import annotations

from dataclasses import dataclass

from pyhades.bench.serve.client import Client
from pyhades.bench.serve.findings import Check, Findings, Report, number, told
from pyhades.bench.serve.loads import ARRIVAL, WRITER
from pyhades.bench.serve.outcome import Spread, between_tokens, failures, first_tokens, spread
from pyhades.bench.serve.plan import Plan
from pyhades.bench.serve.servers import Server

RATIO = 2.0
"""Times the median that the slowest hundredth of the tokens should wait at most."""
_OUTPUT = 8
_ALONE = 0.2
"""Share of the time in which nobody arrives."""


@dataclass(frozen=True)
class Arrivals:
    """Long prompts among long answers."""

    engine: str
    writers: int
    arrivals: int
    arrival_tokens: float
    """Of a prompt that arrived, on average."""
    rate: float
    alone_ms: Spread | None
    """Between tokens of the writers, before anybody arrives."""
    during_ms: Spread | None
    """The same, from the first arrival to the last one's end."""
    ratio: float | None
    """p99 over p50, during the arrivals."""
    ratio_to_alone: float | None
    """p99 during the arrivals over p50 before them."""
    first_ms: Spread | None
    """From an arrival to its first token."""
    failed: int
    client_cpu: float

    def cells(self) -> dict[str, str]:
        """For a table."""
        return {
            "engine": self.engine,
            "writers": str(self.writers),
            "prompts": f"{self.arrivals} of {self.arrival_tokens:.0f} tokens, {self.rate:g}/s",
            "alone, between ms p50/p90/p99": told(self.alone_ms, 1),
            "during, between ms p50/p90/p99": told(self.during_ms, 1),
            "p99/p50": number(self.ratio, ".2f"),
            "p99/p50 alone": number(self.ratio_to_alone, ".2f"),
            "their first token ms p50/p90/p99": told(self.first_ms),
            "failed": str(self.failed),
            "client's core": format(self.client_cpu, ".1%"),
        }


def measure(server: Server, client: Client, plan: Plan, report: Report) -> Findings:
    """Write, first alone, then while prompts arrive.

    Parameters
    ----------
    server
        What is measured.
    client
        Who asks it.
    plan
        Its ``seconds`` are all of it.
    report
        Called with the row.
    """
    loaded = client.load(
        "arrivals", writers=plan.writers, writer_tokens=plan.writer_tokens,
        prompt_tokens=plan.prompt_tokens, alone=plan.seconds * _ALONE, rate=plan.arrival_rate,
        seconds=plan.seconds * (1 - _ALONE), arrival_tokens=plan.arrival_tokens,
        arrival_output=_OUTPUT, seed=plan.seed,
    )  # fmt: skip
    wrong = failures(loaded.outcomes)
    writers = [each for each in loaded.outcomes if each.who == WRITER]
    arrived = [each for each in loaded.outcomes if each.who == ARRIVAL]
    good = [each for each in arrived if each.good]
    begin = min(each.began for each in arrived)
    end = max(each.ended for each in arrived)
    alone = spread(between_tokens(writers, 0, begin))
    during = spread(between_tokens(writers, begin, end))
    ratio = during.p99 / during.p50 if during else None
    row = Arrivals(
        server.name, plan.writers, len(arrived),
        arrival_tokens=sum(each.prompt_tokens for each in good) / max(len(good), 1),
        rate=plan.arrival_rate,
        alone_ms=alone,
        during_ms=during,
        ratio=ratio,
        ratio_to_alone=during.p99 / alone.p50 if during and alone else None,
        first_ms=spread(first_tokens(good)),
        failed=sum(wrong.values()),
        client_cpu=loaded.cpu_share,
    )  # fmt: skip
    report(row)
    name = server.name
    return Findings([row], [
        Check(f"{name}: requests that failed", str(wrong) if wrong else "none", "none", not wrong),
        Check(
            f"{name}: p99 over p50 between tokens while prompts arrive", number(ratio, ".2f"),
            f"at most {RATIO:g}", ratio is not None and ratio <= RATIO, must=False,
        ),
    ])  # fmt: skip
