"""The library that follows grammars, which is optional."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from pyhades.errors import ArgumentError, ConfigurationError

_STACK = 512 << 20
"""Bytes of address space: the library reads a grammar by calling itself at every level of it."""
_STARTING = threading.Lock()

T = TypeVar("T")


def library() -> Any:
    """The module ``llguidance``.

    Raises
    ------
    ConfigurationError
        It is not installed.
    """
    try:
        import llguidance
    except ImportError as error:
        raise ConfigurationError(
            'constraints on answers need the library `llguidance`: pip install "pyhades[grammar]"'
        ) from error
    return llguidance


def complaint(part: dict[str, Any]) -> str:
    """What is wrong with one grammar, whatever the tokenizer; empty where nothing is."""
    validate = library().LLMatcher.validate_grammar_with_warnings
    text = json.dumps({"grammars": [part]})
    is_error, messages = with_room(lambda: validate(text))
    return str(messages[0]) if is_error else ""


def with_room(work: Callable[[], T]) -> T:
    """What ``work`` gives, which may need a deep stack: that of this thread may be a small one.

    Some thousands of references, each of which leads to the next, overflow eight megabytes, and
    that would end the process.
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(guarded(work))
        except Exception as error:  # it belongs to whoever waits
            result.set_exception(error)

    with _STARTING:
        before = threading.stack_size(_STACK)
        try:
            threading.Thread(target=run, daemon=True, name="pyhades grammar").start()
        except RuntimeError as error:
            raise ConfigurationError(
                f"compiling a grammar takes a thread with {_STACK >> 20} MB of address space, and "
                f"this process may not have one: {error}; raise its limit (ulimit -v)"
            ) from error
        finally:
            threading.stack_size(before)
    return result.result()


def guarded(work: Callable[[], T]) -> T:
    """What ``work`` gives, or an ArgumentError where the library panics.

    No ``except Exception`` would catch that.
    """
    try:
        return work()
    except Exception:
        raise
    except BaseException as error:
        raise ArgumentError(f"the library of grammars gave up: {error}") from error


def is_installed() -> bool:
    """Whether there is the library."""
    return importlib.util.find_spec("llguidance") is not None
