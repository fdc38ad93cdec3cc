"""What happens to a server, and what must not: one module for each story."""

from __future__ import annotations

from collections.abc import Callable

from pyhades.bench.serve.client import Client
from pyhades.bench.serve.findings import Findings, Report
from pyhades.bench.serve.plan import Plan
from pyhades.bench.serve.scenarios import arrivals, churn, fuzz, overload, throughput
from pyhades.bench.serve.servers import Server

Scenario = Callable[[Server, Client, Plan, Report], Findings]

SCENARIOS: dict[str, Scenario] = {
    "throughput": throughput.measure,
    "arrivals": arrivals.measure,
    "overload": overload.measure,
    "churn": churn.measure,
    "fuzz": fuzz.measure,
}
"""By name: each takes a server, its client, a plan, and what is called with every row."""
