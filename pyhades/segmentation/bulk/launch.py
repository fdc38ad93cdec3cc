"""One run in several processes: each has a part of the pictures and CPUs of its own."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.shards import Shard
from pyhades.topology import Plan, plan_workers, read_limits, read_machine
from pyhades.topology.environment import THREADS

_WORKERS = {"--workers", "--jobs", "-j"}


@dataclass(frozen=True)
class Part:
    """What one process does.

    Attributes
    ----------
    shard
        Its pictures.
    cpus
        Where it runs; none for anywhere.
    workers
        How many it has, where that is not for itself to say.
    threads
        Its share of ``PYHADES_NUM_THREADS``; None where that bounds nothing.
    """

    shard: Shard
    cpus: tuple[int, ...] = ()
    workers: int | None = None
    threads: int | None = None


def parts_of(processes: str, shard: Shard, threads: int | None = None) -> list[Part]:
    """Divide a run.

    Parameters
    ----------
    processes
        How many, or ``"node"`` or ``"l3"`` for one each.
    shard
        What all of them do together.
    threads
        Of every worker.
    """
    if processes in ("node", "l3"):
        plan = plan_workers(threads_per_worker=threads, processes=processes)  # type: ignore[arg-type]
        places = [_cpus(plan.process(number)) for number in range(len(plan.processes))]
    elif processes.isdecimal() and int(processes):
        places = _divided(_cpus(plan_workers(threads_per_worker=threads)), int(processes))
    else:
        raise ArgumentError(f"processes={processes!r} is neither a number nor node nor l3")
    shares = _shares(read_limits(read_machine()).threads, len(places))
    return [
        Part(_part(shard, number, len(places)), cpus, None if cpus else 1, shares[number])
        for number, cpus in enumerate(places)
    ]


def _shares(threads: int | None, count: int) -> list[int | None]:
    """What each process may have of so many threads; no process has less than one."""
    if threads is None:
        return [None] * count
    return [max(1, threads // count + (number < threads % count)) for number in range(count)]


def _part(shard: Shard, number: int, count: int) -> Shard:
    return Shard(shard.number + shard.count * number, shard.count * count)


def _cpus(plan: Plan) -> tuple[int, ...]:
    found = {cpu for worker in plan.workers for cpu in (*worker.cpus, *worker.siblings)}
    return tuple(sorted(found))


def _divided(cpus: Sequence[int], count: int) -> list[tuple[int, ...]]:
    """Neighbours together; all anywhere where there are not enough."""
    if len(cpus) < count:
        return [()] * count
    ends = [len(cpus) * number // count for number in range(count + 1)]
    return [tuple(cpus[ends[n] : ends[n + 1]]) for n in range(count)]


def _with(arguments: Sequence[str], options: Sequence[str]) -> list[str]:
    """Options after all others, which they override, but before what cannot be options."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return [*arguments[:end], *options, *arguments[end:]]


@dataclass
class Child:
    """A process that does a part."""

    part: Part
    process: subprocess.Popen[str]
    errors: IO[str]
    is_second: bool = False

    def complaint(self) -> str:
        """What it wrote to standard error."""
        self.errors.seek(0)
        return self.errors.read().strip()


class Crowd:
    """Processes of one run.

    Parameters
    ----------
    arguments
        Of ``pyhades remove``.
    parts
        What they do.
    """

    def __init__(self, arguments: Sequence[str], parts: Sequence[Part]) -> None:
        self._arguments = list(arguments)
        self._messages: queue.SimpleQueue[tuple[Child, dict[str, Any] | None]] = queue.SimpleQueue()
        self._is_stopping = False
        self._lock = threading.Lock()
        self._children = [self._start(part) for part in parts]

    def messages(self) -> Iterator[tuple[Child, dict[str, Any]]]:
        """What they say, until all of them have ended.

        One that dies is begun once more: then it says ``{"died": number}``, the signal or the exit
        code. One that ends says ``{"ended": code}``.
        """
        left = len(self._children)
        while left:
            child, message = self._messages.get()
            if message is not None:
                yield child, message
                continue
            code = child.process.wait()
            if self._takes_up(child, code):
                yield child, {"died": code}
                continue
            left -= 1
            yield child, {"ended": code}

    def stop(self) -> None:
        """Let them finish what they have begun."""
        with self._lock:
            self._is_stopping = True
            for child in self._children:
                if child.process.poll() is None:
                    child.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End them at once."""
        with self._lock:
            self._is_stopping = True
            for child in self._children:
                child.process.kill()

    def _takes_up(self, child: Child, code: int) -> bool:
        """Begin the part of a process that died again, but once only."""
        with self._lock:
            died = code < 0 or code > 128
            if not died or child.is_second or self._is_stopping:
                return False
            self._children.append(self._start(child.part, is_second=True))
            return True

    def _start(self, part: Part, is_second: bool = False) -> Child:
        more = ["--as-part", "--shard", str(part.shard)]
        if part.cpus:
            more += ["--cpus", ",".join(map(str, part.cpus))]
        elif part.workers is not None and not _WORKERS & set(self._arguments):
            more += ["--workers", str(part.workers)]
        if is_second:
            more += ["--take-up"]
        share = {} if part.threads is None else {THREADS: str(part.threads)}
        errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        process = subprocess.Popen(
            [sys.executable, "-m", "pyhades", "remove", *_with(self._arguments, more)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
            env={**os.environ, **share},
            start_new_session=True,  # Ctrl-C of a terminal is for us to pass on
        )  # fmt: skip
        child = Child(part, process, errors, is_second)
        threading.Thread(target=self._listen, args=(child,), daemon=True).start()
        return child

    def _listen(self, child: Child) -> None:
        assert child.process.stdout is not None
        for line in child.process.stdout:
            try:
                self._messages.put((child, json.loads(line)))
            except ValueError:  # it died in the middle of a line
                continue
        self._messages.put((child, None))
