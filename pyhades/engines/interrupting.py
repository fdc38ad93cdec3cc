"""Ctrl-C in the midst of a call that does not look for signals."""

from __future__ import annotations

import threading
from collections.abc import Callable

PARTING_SECONDS = 2.0
"""That a call has to end once it was told to; one that goes on longer is left alone."""


def interruptibly(call: Callable[[], object], cancel: Callable[[], object]) -> None:
    """Call it so that the main thread, which gets signals, still sees them.

    Parameters
    ----------
    call
        It may hang. Where the main thread calls, another one does it.
    cancel
        Asks the call to end early.

    Examples
    --------
    >>> interruptibly(lambda: print("done"), cancel=lambda: None)
    done
    """
    if threading.current_thread() is not threading.main_thread():
        call()
        return
    failures: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True, name="pyhades run")
    thread.start()
    try:
        thread.join()
    except BaseException:
        cancel()
        thread.join(PARTING_SECONDS)
        raise
    for error in failures:
        raise error
