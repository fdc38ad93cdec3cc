"""What is remembered between requests is bounded, and belongs to somebody."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from pyhades.llm.text.bounded import Bounded
from pyhades.server.errors import ApiError
from pyhades.server.sessions import StoredResponse, StoredResponses


def test_what_was_used_longest_ago_is_forgotten():
    known = Bounded[str](2)
    for key in "ab":
        known.put("alice", key, key)
    assert known.get("alice", "a") == "a"
    known.put("bob", "c", "c")
    assert known.get("alice", "b") is None and len(known) == 2
    assert known.get("bob", "a") is None and known.get("bob", "c") == "c"
    assert known.pop("bob", "c") == "c" and known.pop("bob", "c") is None


def test_bytes_are_bounded_too():
    known = Bounded[str](100, most_bytes=10)
    known.put("alice", "a", "a", 6)
    known.put("alice", "a", "A", 4)
    assert known.bytes == 4
    known.put("alice", "b", "b", 7)
    assert known.get("alice", "a") is None and known.bytes == 7
    known.put("alice", "c", "c", 11)  # more than there may be at all
    assert len(known) == known.bytes == 0
    known.put("alice", "d", "d", 3)
    known.pop("alice", "d")
    assert known.bytes == 0


def response(identity: str, previous: str | None = None, status: str = "completed"):
    output = [{"id": f"out_{identity}"}]
    told = {"id": identity, "status": status, "previous_response_id": previous, "output": output}
    return StoredResponse(told, [{"id": f"in_{identity}"}])


def test_a_history_is_that_of_all_responses_before():
    stored = StoredResponses(10)
    stored.put("alice", response("a"))
    stored.put("alice", response("b", "a", "incomplete"))
    ids = [item["id"] for item in stored.history("alice", "b")]
    assert ids == ["in_a", "out_a", "in_b", "out_b"]
    assert stored.item("alice", "out_a") == {"id": "out_a"} and stored.item("bob", "out_a") is None
    stored.pop("alice", "a")
    with pytest.raises(ApiError, match="'a'"):
        stored.history("alice", "b")


@pytest.mark.parametrize("status", ["queued", "in_progress", "failed", "cancelled"])
def test_nothing_goes_on_from_what_is_not_whole(status):
    stored = StoredResponses(10)
    stored.put("alice", response("a", status=status))
    with pytest.raises(ApiError, match=status):
        stored.history("alice", "a")


def test_events_count_as_what_they_are():
    stored = StoredResponses(10, most_bytes=1000)
    stored.put("alice", response("a"))
    stored.keep_events("alice", "a", [b"x" * 100])
    assert stored.find("alice", "a").events == (b"x" * 100,)
    stored.keep_events("alice", "b", [b"x"])  # not known any more
    stored.keep_events("alice", "a", [b"x" * 1000])
    assert len(stored) == 0


def test_any_thread_may_use_what_forgets():
    known = Bounded[int](8)

    def use(thread: int) -> None:
        for number in range(3000):
            known.put("a", str(number % 16), number)
            known.get("a", str((number + thread) % 16))
            known.of("a")

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(use, thread) for thread in range(4)]:
            done.result()
    assert len(known) == 8
