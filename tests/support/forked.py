"""Processes that tests fork."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def in_child(work: Callable[[], object]) -> None:
    """Run something in a forked process, and see that it succeeds."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException as error:
            print(repr(error))
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@contextmanager
def child_that(work: Callable[[int], object]) -> Iterator[tuple[int, int]]:
    """A forked process that works until it is killed; yields its id, and the pipe it writes."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reader)
            work(writer)
        finally:
            os._exit(1)
    os.close(writer)
    try:
        yield child, reader
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
