"""The queue between the engine and a reader."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pyhades.llm.engine.mailbox import Mailbox, Wakings


def box(room=4):
    rooms = []
    return Mailbox(room, lambda: rooms.append(1)), rooms


def test_items_come_in_order_and_then_the_end():
    mailbox, _ = box()
    mailbox.put([1, 2], Wakings())
    mailbox.end(None, Wakings())
    mailbox.put([3], Wakings())
    assert [mailbox.get(), mailbox.get(), mailbox.get(), mailbox.get()] == [1, 2, None, None]
    assert mailbox.is_over


def test_an_error_comes_after_what_was_sent_before():
    mailbox, _ = box()
    mailbox.put([1], Wakings())
    mailbox.end(ValueError("no"), Wakings())
    assert mailbox.get() == 1
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            mailbox.get()


def test_the_writer_hears_once_that_there_is_room_again():
    mailbox, rooms = box(room=4)
    mailbox.put(range(6), Wakings())
    assert mailbox.is_full
    for left in (5, 4, 3):
        mailbox.get()
        assert mailbox.is_full and not rooms, left
    mailbox.get()
    assert not mailbox.is_full
    assert rooms == [1]
    mailbox.get()
    assert rooms == [1]


def test_a_thread_waits_for_what_comes_later():
    mailbox, _ = box()
    got = []
    reader = threading.Thread(target=lambda: got.extend([mailbox.get(), mailbox.get()]))
    reader.start()
    mailbox.put(["late"], Wakings())
    mailbox.end(None, Wakings())
    reader.join(10)
    assert got == ["late", None]


def test_all_readers_of_a_loop_are_woken_by_one_call(monkeypatch):
    boxes = [box()[0] for _ in range(5)]

    async def main():
        loop = asyncio.get_running_loop()
        readers = [asyncio.ensure_future(mailbox.aget()) for mailbox in boxes]
        await asyncio.sleep(0)
        calls = []
        call = loop.call_soon_threadsafe
        monkeypatch.setattr(
            loop, "call_soon_threadsafe", lambda *args: (calls.append(1), call(*args))
        )

        def write():
            wakings = Wakings()
            for number, mailbox in enumerate(boxes):
                mailbox.put([number], wakings)
            wakings.send()

        writer = threading.Thread(target=write)
        writer.start()
        assert await asyncio.gather(*readers) == [0, 1, 2, 3, 4]
        writer.join()
        assert calls == [1]

    asyncio.run(main())


def test_a_reader_that_was_cancelled_loses_nothing():
    mailbox, _ = box()

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(mailbox.aget(), 0.01)
        wakings = Wakings()
        mailbox.put(["kept"], wakings)
        wakings.send()
        return await mailbox.aget()

    assert asyncio.run(main()) == "kept"


def test_a_closed_loop_is_no_trouble_for_the_writer():
    mailbox, _ = box()
    wakings = Wakings()

    async def main():
        waiting = asyncio.ensure_future(mailbox.aget())
        await asyncio.sleep(0)
        mailbox.put([1], wakings)
        waiting.cancel()

    asyncio.run(main())
    wakings.send()
    assert mailbox.get() == 1
