"""A level of the cache that stops or fails when told to, and records to put on it."""

from __future__ import annotations

import threading
import time

import numpy as np

from pyhades.llm.cache.policies import Use
from pyhades.llm.cache.records import Key, LevelCounts, Part, Record

SOON = 20.0
"""Seconds after which something has gone wrong."""


def key_of(number: int) -> Key:
    return Key(number.to_bytes(32, "little"), Part.BLOCK)


def record_of(number: int, size: int = 1024) -> Record:
    contents = np.full((1, 1, size), number % 251, np.uint8)
    parent = key_of(number - 1).digest if number else b"root"
    use = Use(last=float(number), depth=number)
    return Record(key_of(number), parent, bytes(64), {"full_attention": contents}, use)


class Shelf:
    """A level that keeps everything, and stops or fails when told to."""

    def __init__(self, name="disk", outlives=True):
        self.name = name
        self.outlives = outlives
        self.records: dict[Key, Record] = {}
        self.puts: list[Key] = []
        self.touched: list[tuple[tuple[Key, ...], Use]] = []
        self.threads: set[threading.Thread] = set()
        self.open = threading.Event()
        self.open.set()
        self.fails = False
        self.is_closed = False

    def _enter(self):
        self.threads.add(threading.current_thread())
        assert self.open.wait(SOON), "nobody has opened the shelf"
        if self.fails:
            raise OSError("the shelf has fallen down")

    def has(self, key):
        return key in self.records

    def put(self, record):
        self._enter()
        self.puts.append(record.key)
        self.records[record.key] = record

    def get(self, key):
        self._enter()
        return self.records.get(key)

    def touch(self, keys, use):
        self._enter()
        self.touched.append((tuple(keys), use))

    def counts(self):
        return LevelCounts(self.name, len(self.records))

    def close(self):
        self.is_closed = True


def until(condition) -> None:
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "nothing happens"
        time.sleep(0.001)


def all_of(fetch) -> list[Record]:
    records = []

    def is_over():
        records.extend(fetch.taken())
        return fetch.is_over

    until(is_over)
    return records


def filled(numbers, **options) -> Shelf:
    shelf = Shelf(**options)
    shelf.records = {key_of(number): record_of(number) for number in numbers}
    return shelf
