"""Items of a source in their order, made by other processes while the device trains, a few ahead and no more.

Worker w of W makes every W-th item and sends it through a pipe of its own. A worker that fails or is killed closes its
pipe, which is reported with the item; a trainer that is killed closes them all, and the workers end by themselves.
"""

from __future__ import annotations

import multiprocessing
import queue
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, count, islice
from multiprocessing.connection import Connection
from typing import Any

from policies.data.tree import Source, Tree
from tools.errors import P2GError, TrainingError

AHEAD = 4  # items a worker may be ahead


def order(start: int, stride: int, again: Sequence[int]) -> Iterator[int]:
    """The items that a feed gives."""
    return chain(again, count(start, stride))


class Feed:
    """Iterates (item, trees) over `again` and then `start`, `start + stride`, … for ever. Close it in the end.

    `make` is called without arguments in every worker (it must pickle) and gives the source; `workers` 0 makes items
    here. Raises `TrainingError` when an item cannot be made.
    """

    def __init__(self, make: Any, start: int, stride: int = 1, again: Sequence[int] = (), workers: int = 1) -> None:
        self._items = (start, stride, tuple(again))
        self._processes: list[Any] = []
        self._queues: list[queue.Queue] = []
        self._readers: list[threading.Thread] = []
        self._connections: list[Connection] = []
        self._closed = threading.Event()
        self._source: Source | None = None if workers else make()
        context = multiprocessing.get_context("spawn")
        for number in range(workers):
            here, there = context.Pipe(duplex=False)
            arguments = (make, order(*self._items), number, workers, there)
            process = context.Process(target=_work, args=arguments, daemon=True)
            process.start()
            there.close()  # the worker's end is its own: when it dies, `here` ends
            box: queue.Queue = queue.Queue(AHEAD)
            reader = threading.Thread(target=self._read, args=(here, box), daemon=True)
            reader.start()
            self._readers.append(reader)
            self._processes.append(process)
            self._connections.append(here)
            self._queues.append(box)

    def __iter__(self) -> Iterator[tuple[int, list[Tree]]]:
        for turn, item in enumerate(order(*self._items)):
            if self._source is not None:
                yield item, _make(self._source, item)
                continue
            number = turn % len(self._queues)
            found = self._queues[number].get()
            if isinstance(found, str):
                raise TrainingError(found)
            if found is None:
                process = self._processes[number]
                process.join(5)
                raise TrainingError(
                    f"data worker {number} ended (code {process.exitcode}) at item {item}: out of memory or killed; go "
                    "on with --resume, maybe with fewer workers"
                )
            yield item, found

    def close(self) -> None:
        """End the workers; safe to call twice."""
        self._closed.set()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(5)
            if process.is_alive():
                process.kill()
        for reader in self._readers:
            reader.join(5)
        for connection in self._connections:
            connection.close()

    def _read(self, connection: Connection, box: queue.Queue) -> None:
        found: Any = ()
        while found is not None and not isinstance(found, str):
            try:
                found = connection.recv()
            except (EOFError, OSError):
                found = None
            while not self._closed.is_set():
                with suppress(queue.Full):
                    box.put(found, timeout=0.2)
                    break
            if self._closed.is_set():
                return


def _make(source: Source, item: int) -> list[Tree]:
    try:
        return source.trees(item)
    except P2GError as error:
        raise TrainingError(f"item {item} of the data: {error}") from error
    except Exception as error:
        raise TrainingError(f"item {item} of the data failed: {type(error).__name__}: {error}") from error


def _work(make: Any, items: Iterator[int], number: int, workers: int, out: Connection) -> None:
    """A worker process: sends trees, or one line of text and ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the trainer ends its workers
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    with suppress(BrokenPipeError):  # the trainer has gone
        try:
            source = make()
            for item in islice(items, number, None, workers):
                out.send(_make(source, item))
        except P2GError as error:
            out.send(str(error))
        except BrokenPipeError:
            raise
        except Exception as error:
            out.send(f"data worker {number} failed: {type(error).__name__}: {error}")
