"""Many questions with bounded concurrency: results are kept by one thread, Ctrl-C lets those in flight end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def each(
    tasks: Iterable[Task],
    work: Callable[[Task], Result],
    keep: Callable[[Result], None],
    *,
    workers: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """`keep(work(task))` for every task, at most `workers` of them at once; `keep` is called by this thread alone.

    Raises `KeyboardInterrupt` when it was asked to stop, after what was in flight is kept.
    """
    left = iter(tasks)
    running: set[Future[Result]] = set()
    ended: set[Future[Result]] = set()
    with stopping(say) as stop, ThreadPoolExecutor(workers, "p2g-many") as pool:
        while True:
            while not stop.is_set() and len(running) < workers:
                try:
                    running.add(pool.submit(work, next(left)))
                except StopIteration:
                    break
            for future in ended:  # kept while the next questions are already being asked
                keep(future.result())
            if not running:
                break
            ended, running = wait(running, return_when=FIRST_COMPLETED)
    if stop.is_set():
        raise KeyboardInterrupt


@contextmanager
def stopping(say: Callable[[str], None]) -> Iterator[threading.Event]:
    """Set by the first Ctrl-C (or SIGTERM); the second one ends the process at once, every kept row is on the disk."""
    stop = threading.Event()

    def handle(number: int, frame: object) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()
        say("stopping: the questions in flight are finished first (Ctrl-C again to leave them)")

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
