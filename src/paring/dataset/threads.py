"""Work shared out among threads, which all stop when one fails or the caller is interrupted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event, Lock
from typing import TypeVar

T = TypeVar("T")

_PAUSE = 0.1  # seconds between two looks at how far the threads are


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_out(
    jobs: Iterator[T],
    work: Callable[[T], None],
    *,
    workers: int,
    stop: Event,
    watch: Callable[[], None] = lambda: None,
) -> None:
    """Threads take one job after the other until none is left or `stop` is set.

    What one of them raises, or an interrupt of the calling thread, sets `stop` and is raised.

    Parameters
    ----------
    jobs : none of them None; drawn from by one thread at a time.
    work : called by the threads; where a job is long, it looks at `stop` itself.
    workers : threads; below 1 it is one.
    stop : set when this returns, however it ends.
    watch : called in the calling thread, about ten times a second, and when all is done.

    Example
    -------
    >>> done = []
    >>> share_out(iter("abc"), done.append, workers=2, stop=Event())
    >>> sorted(done)
    ['a', 'b', 'c']
    """
    turn = Lock()

    def take_turns() -> None:
        while not stop.is_set():
            with turn:
                job = next(jobs, None)
            if job is None:
                return
            work(job)

    with ThreadPoolExecutor(max(1, workers)) as pool:
        try:
            busy = {pool.submit(take_turns) for _ in range(max(1, workers))}
            while busy:
                ended, busy = wait(busy, timeout=_PAUSE, return_when=FIRST_EXCEPTION)
                for one in ended:
                    one.result()
                watch()
        finally:
            stop.set()
