"""Run the tests with others' clients, and write down which client was seen to do what.

``python docs/server_clients.py`` writes ``docs/reference/server_clients.json`` and the page of it.
Needs the clients that tests/server/clients name; ``PYHADES_NODE_CLIENTS`` names the folder of
those for node. tests/docs checks that page and table agree.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests" / "server" / "clients"
TABLE = ROOT / "docs" / "reference" / "server_clients.json"
PAGE = TABLE.with_suffix(".md")
COLUMNS = {
    "chat": "answer", "stream": "stream", "reasoning": "reasoning", "tools": "tools",
    "structured": "JSON by schema", "errors": "errors", "abort": "abort", "responses": "responses",
}  # fmt: skip
"""Names of tests, and what they are called on the page."""

INTRODUCTION = """\
<!-- Written by docs/server_clients.py; change that, not this. -->
# Clients that were tried

Each of these clients was run as it is published against `pyhades serve`, offline, by the tests in
`tests/server/clients`. The model was a scripted one, so that every answer is known.

| column | what was seen |
|---|---|
| answer | an answer, as a whole |
| stream | the same, piece by piece; what the client adds up is the whole |
| reasoning | the client shows the chain of thought |
| tools | a call, its result, and an answer to it; the reasoning before the call is not lost |
| JSON by schema | an answer as the client's own class or schema |
| errors | an error is the client's own exception, and names the argument |
| abort | the model stops to write as soon as the client goes |

"yes" is for every protocol of the second column; one is named where it is for that one only, and
an empty field is for what the client cannot do or show. What OpenAI's `compatibility-test` of
gpt-oss asks of a server is among the tests, too.

"""

Row = dict[str, Any]


class Outcomes:
    """A plugin of pytest that notes what passes, by client and by what it is about."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.failed: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note a test that has run."""
        report = yield
        if report.failed:
            self.failed.append(item.nodeid)
        if report.when == "call":
            self._note(item, report)
        return report

    def _note(self, item: Any, report: pytest.TestReport) -> None:
        who = item.funcargs.get("node") or item.module
        if not hasattr(who, "CLIENT"):
            return
        facts = {"version": who.VERSION, "protocols": list(who.PROTOCOLS), "proven": {}}
        row = self.rows.setdefault(who.CLIENT, facts)
        name = item.function.__name__.removeprefix("test_")
        check = "responses" if name.startswith("responses") else name
        protocols = row["proven"].setdefault(check, {})
        key = protocol_of(item)
        protocols[key] = protocols.get(key, True) and bool(report.passed)


def protocol_of(item: Any) -> str:
    """Over which of two protocols a test talks, where a client knows both."""
    words = item.callspec.id.split("-") if hasattr(item, "callspec") else []
    return next((word for word in words if word in ("chat", "responses")), "")


def tidy(rows: dict[str, Row]) -> dict[str, Row]:
    """Rows by name: per check the protocols over which it was seen."""
    return {
        client: {
            **row,
            "proven": {
                check: sorted(name for name, is_proven in protocols.items() if is_proven)
                for check in COLUMNS
                if any((protocols := row["proven"].get(check, {})).values())
            },
        }
        for client, row in sorted(rows.items(), key=lambda pair: pair[0].lower())
    }


def page(rows: dict[str, Row]) -> str:
    """The page of a table."""
    titles = ["client", "protocols", *list(COLUMNS.values())[:-1]]
    lines = [titles, ["---"] * len(titles)]
    for client, row in rows.items():
        proven, spoken = row["proven"], row["protocols"]
        checks = [_field(proven.get(check), spoken) for check in list(COLUMNS)[:-1]]
        lines.append([f"{client} {row['version']}", ", ".join(spoken), *checks])
    return INTRODUCTION + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _field(protocols: list[str] | None, spoken: list[str]) -> str:
    if protocols is None:
        return ""
    return "yes" if protocols in ([""], spoken) else ", ".join(protocols)


def main() -> None:
    """Run the tests, and write table and page."""
    outcomes = Outcomes()
    pytest.main(["-q", "-p", "no:benchmark", str(TESTS)], plugins=[outcomes])
    if outcomes.failed:
        sys.exit(f"nothing is written: {len(outcomes.failed)} tests failed")
    rows = tidy(outcomes.rows)
    TABLE.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(rows), encoding="utf-8")
    print(f"{len(rows)} clients")


if __name__ == "__main__":
    main()
