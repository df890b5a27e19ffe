"""Doing the same to many files, a few at a time."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AT_ONCE = 8


def each(act: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Do *act* to every item and give the results in order. The first error is raised and what waits is dropped."""
    waiting = list(items)
    if len(waiting) < 2:
        return [act(item) for item in waiting]
    with ThreadPoolExecutor(max_workers=min(_AT_ONCE, len(waiting)), thread_name_prefix="stage") as pool:
        futures = [pool.submit(act, item) for item in waiting]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
