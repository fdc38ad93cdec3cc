"""Many images: decoding and encoding in the shadow of the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

from pyhades.arguments import check_count

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")
Predicted = TypeVar("Predicted")
Finished = TypeVar("Finished")

HELPERS = 2
"""Threads beside the caller's: one that is decoding and one that is encoding."""


def overlap(
    items: Iterable[Item],
    load: Callable[[Item], Loaded],
    predict: Callable[[Loaded], Predicted],
    finish: Callable[[Predicted], Finished],
    *,
    ahead: int = 2,
) -> Iterator[tuple[Item, Finished | Exception]]:
    """``(item, finish(predict(load(item))))`` in the order of ``items``, lazily.

    ``predict`` runs on the calling thread; ``load`` runs up to ``ahead`` items before it and
    ``finish`` as many behind it; with ``ahead=1`` one image is decoded while another is predicted.
    An exception of a step takes the place of that item's result.
    """
    return _overlapped(items, load, predict, finish, check_count("ahead", ahead))


def _overlapped(
    items: Iterable[Item],
    load: Callable[[Item], Loaded],
    predict: Callable[[Loaded], Predicted],
    finish: Callable[[Predicted], Finished],
    ahead: int,
) -> Iterator[tuple[Item, Finished | Exception]]:
    source = iter(items)
    loading: deque[tuple[Item, Future[Loaded]]] = deque()
    finishing: deque[tuple[Item, Future[Finished]]] = deque()
    pool = ThreadPoolExecutor(HELPERS, thread_name_prefix="pyhades-image")
    try:
        while True:
            for item in islice(source, ahead - len(loading)):
                loading.append((item, pool.submit(load, item)))
            if not loading:
                break
            item, loaded = loading.popleft()
            finishing.append((item, _then(pool, loaded, predict, finish)))
            while len(finishing) > ahead:
                item, finished = finishing.popleft()
                yield item, _outcome(finished)
        for item, finished in finishing:
            yield item, _outcome(finished)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _then(
    pool: ThreadPoolExecutor,
    loaded: Future[Loaded],
    predict: Callable[[Loaded], Predicted],
    finish: Callable[[Predicted], Finished],
) -> Future[Finished]:
    try:
        return pool.submit(finish, predict(loaded.result()))
    except Exception as error:
        failed: Future[Finished] = Future()
        failed.set_exception(error)
        return failed


def _outcome(future: Future[Any]) -> Any:
    try:
        return future.result()
    except Exception as error:
        return error
