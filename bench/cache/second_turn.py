"""Time to the first token of the second turn of a chat, by where its first turn is kept.

``python -m bench.cache.second_turn --model gpt-oss-20b.gguf --json
docs/figures/reports/second_turn.json``, then ``python docs/figures/speed.py``. Without ``--model``
the toy is asked, whose context is shorter than the chat: its history is as long as fits.

Cases are measured in turn, several rounds of them, each with texts of its own:

- *alone*: a prompt of the new tokens and nothing else;
- *kernels*: one step of the model with the new tokens behind that history, without the engine;
- *memory*: the second turn, whose first was read before by the same process;
- *disk*: the same after a restart, with the pages of the files dropped from the system's cache;
- *windows*: as *memory*, but all windows of layers that have one were given up, and are computed;
- *everything*: the second turn, by somebody who has read nothing.

Logits after the last token are compared to the bit with those of *everything*.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.cache.traces.spans import Span
from pyhades import _native
from pyhades.bench.machine import describe_machine
from pyhades.bench.pictures.page_cache import bytes_from_disk, forget
from pyhades.llm.engine.runner import Piece
from pyhades.llm.llm import LLM

HISTORY = 2000
NEW = (64, 200)
ANSWER = 4
"""Tokens that the first turn is answered with, as a thought that the second turn does not have."""
CACHE_BYTES = 32 << 30

Tokens = list[int]
Logits = NDArray[np.float32]


@dataclass
class Measured:
    """What one case took in all rounds."""

    seconds: list[float] = field(default_factory=list)
    cached: list[int] = field(default_factory=list)
    rederived: list[int] = field(default_factory=list)
    disk_bytes: list[int] = field(default_factory=list)
    """That came from the device, as the system counts them."""
    are_equal: list[bool] = field(default_factory=list)

    def row(self, case: str, new: int, history: int) -> dict[str, Any]:
        """As it stands in the report; numbers are medians."""
        middle = statistics.median
        return {
            "engine": "pyhades", "case": case, "new_tokens": new, "history_tokens": history,
            "rounds": len(self.seconds), "median_ms": round(1e3 * middle(self.seconds), 2),
            "least_ms": round(1e3 * min(self.seconds), 2),
            "most_ms": round(1e3 * max(self.seconds), 2),
            "cached_tokens": int(middle(self.cached or [0])),
            "rederived_tokens": max(self.rederived, default=0),
            "disk_mb": round(middle(self.disk_bytes or [0]) / 1e6, 1),
            "compared": len(self.are_equal), "equal": sum(self.are_equal),
        }  # fmt: skip


@dataclass
class Chat:
    """A first turn and what is asked next."""

    history: Tokens
    new: Tokens
    other: Tokens
    """Asked next in its place, with as many tokens."""


class SecondTurns:
    """The measurement: a model that is opened twice, and a folder.

    Parameters
    ----------
    open_model
        Opens the model with that folder for its cache.
    folder
        For the cache.
    rounds
        How often each case is measured.
    new
        How many new tokens the second turn has.
    """

    def __init__(
        self, open_model: Callable[[Path], LLM], folder: Path, rounds: int, new: Sequence[int] = NEW
    ) -> None:
        self._open, self._folder = open_model, folder
        self._rounds, self._new = rounds, new
        self._cases: dict[tuple[str, int], Measured] = {}
        self.machine: dict[str, Any] = {}
        self.history = 0

    def run(self) -> list[dict[str, Any]]:
        """A row per case and number of new tokens."""
        with self._open(self._folder) as llm:
            self._prepare(llm)
        with self._open(self._folder) as llm:
            _ask(llm, Span(1, 32).tokens(llm.config.vocab_size).tolist(), "warm")
            for number in range(self._rounds):
                for new in self._new:
                    self._round(llm, number, new)
        return [case.row(name, new, self.history) for (name, new), case in self._cases.items()]

    def _prepare(self, llm: LLM) -> None:
        """The first turns of those chats that are to be found on disk."""
        peaks = {llm.threads: _native.measure_peak_gflops(llm.isa, llm.threads)}
        self.machine = describe_machine(llm.isa, [llm.threads], peaks) | {"model": llm.name}
        self.history = min(HISTORY, llm.context_length - max(self._new) - 64)
        for number in range(self._rounds):
            for new in self._new:
                _ask(llm, self._chat(llm, number, new).history, f"disk {number} {new}", ANSWER)

    def _chat(self, llm: LLM, number: int, new: int) -> Chat:
        """Of a round: lengths differ, since blocks of 16 tokens begin somewhere else each time."""
        name, words = 10 * (10_000 * number + new), llm.config.vocab_size
        history = Span(name, self.history + 3 * number)
        texts = [Span(name + 1 + which, new) for which in (0, 1)]
        return Chat(*(span.tokens(words).tolist() for span in (history, *texts)))

    def _round(self, llm: LLM, number: int, new: int) -> None:
        chat = self._chat(llm, number, new)
        client = f"memory {number} {new}"
        _ask(llm, chat.history, client, ANSWER)
        second, third = chat.history + chat.new, chat.history + chat.other
        logits = {
            "alone": self._measure(llm, "alone", new, chat.new, f"alone {number}"),
            "memory": self._measure(llm, "memory", new, second, client),
        }
        self._kernels(llm, new, chat, client)
        with lost_windows(llm):
            logits["windows"] = self._measure(llm, "windows", new, third, client)
        for path in filter(Path.is_file, self._folder.rglob("*")):
            forget(path)
        logits["disk"] = self._measure(llm, "disk", new, second, f"disk {number} {new}")
        if number % 2:
            compared, whole = ["windows"], third
        else:
            compared, whole = ["memory", "disk"], second
        expected = self._measure(llm, "everything", new, whole, f"everything {number}")
        for name in compared:
            equal = bool(np.array_equal(logits[name], expected))
            self._case(name, new).are_equal.append(equal)

    def _case(self, name: str, new: int) -> Measured:
        return self._cases.setdefault((name, new), Measured())

    def _measure(self, llm: LLM, name: str, new: int, prompt: Tokens, client: str) -> Logits:
        case, before = self._case(name, new), llm.cache_info()
        read = bytes_from_disk() or 0
        began = time.perf_counter()
        logits = _ask(llm, prompt, client)
        case.seconds.append(time.perf_counter() - began)
        after = llm.cache_info()
        case.disk_bytes.append((bytes_from_disk() or 0) - read)
        case.cached.append(after.cached_tokens - before.cached_tokens)
        case.rederived.append(after.rederived_tokens - before.rederived_tokens)
        return logits

    def _kernels(self, llm: LLM, new: int, chat: Chat, client: str) -> None:
        """The engine is idle and nobody else asks it, so its runner may be used from here."""
        runner = llm.engine.runner
        cache, prefixes = runner.cache, runner.cache.prefixes
        address = cache.address(chat.history + chat.other, client)
        assert prefixes is not None and address is not None
        prefixes.look_up(address)
        sequence = cache.begin(address)
        sequence.trail = None  # nobody is to find what it reads
        if rest := chat.history[sequence.length :]:
            runner.run([Piece(sequence, rest)])
        began = time.perf_counter()
        runner.run([Piece(sequence, chat.other)])
        self._case("kernels", new).seconds.append(time.perf_counter() - began)
        cache.free(sequence)


def _ask(llm: LLM, prompt: Tokens, client: str, tokens: int = 1) -> Logits:
    """The logits after the last token of a prompt and an answer."""
    llm.generate(prompt, client=client, max_tokens=tokens, temperature=0, ignore_eos=True)
    return np.array(llm.engine.runner.logits[0])


@contextmanager
def lost_windows(llm: LLM) -> Iterator[None]:
    """As if other texts had needed the room of all windows, on all levels; blocks stay."""
    prefixes = llm.engine.runner.cache.prefixes
    assert prefixes is not None
    below, prefixes.below = prefixes.below, None
    for digest in list(prefixes.windows.kept):
        prefixes.windows.give_up(digest)
    try:
        yield
    finally:
        prefixes.below = below


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="by default the toy")
    parser.add_argument("--folder", type=Path, help="on the disk that is meant; else a temporary")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--new", type=int, action="append", help="new tokens, may be repeated")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--kv-format", default="bf16", choices=("bf16", "int8"))
    parser.add_argument("--note", help="about the machine, for the figure")
    parser.add_argument("--json", type=Path, help="where the report goes")
    options = parser.parse_args(arguments)

    def opened(folder: Path) -> LLM:
        return LLM(
            options.model, threads=options.threads, kv_format=options.kv_format, cache_dir=folder,
            cache_bytes=CACHE_BYTES,
        )  # fmt: skip

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        turns = SecondTurns(opened, Path(folder), options.rounds, options.new or NEW)
        results = turns.run()
    print_rows(results)
    machine = turns.machine | ({"note": options.note} if options.note else {})
    if options.json is not None:
        report = {"machine": machine, "results": results}
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def print_rows(results: Sequence[dict[str, Any]]) -> None:
    """A line per case."""
    alone = {r["new_tokens"]: r["median_ms"] for r in results if r["case"] == "alone"}
    for row in results:
        times = row["median_ms"] / alone[row["new_tokens"]]
        equal = f"; {row['equal']} of {row['compared']} equal" if row["compared"] else ""
        print(
            f"{row['new_tokens']:4} new behind {row['history_tokens']}, {row['case']:10}: "
            f"{row['median_ms']:9.1f} ms, {times:6.2f} times alone; {row['cached_tokens']} cached, "
            f"{row['rederived_tokens']} computed again, {row['disk_mb']} MB from disk{equal}"
        )


if __name__ == "__main__":
    main()
