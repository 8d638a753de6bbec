"""The feed: items in their order from processes, a dead worker is reported, nothing is left behind."""

import os
import signal
from functools import partial
from itertools import islice
from types import SimpleNamespace

import pytest

from policies.train.feed import Feed
from tools.errors import TrainingError

COUNTING = partial(SimpleNamespace, trees=range)  # a source whose item n is range(n); a new process can make it, too


@pytest.mark.parametrize("workers", [0, 2])
def test_items_come_in_order_after_those_asked_for_again(workers):
    feed = Feed(COUNTING, 3, 2, [9, 8], workers)
    try:
        assert list(islice(feed, 5)) == [(n, range(n)) for n in (9, 8, 3, 5, 7)]
    finally:
        feed.close()
    assert not any(process.is_alive() for process in feed._processes)


def test_a_worker_that_is_killed_is_reported_and_not_waited_for():
    feed = Feed(COUNTING, 0, 1, [], 1)
    try:
        items = iter(feed)
        next(items)
        os.kill(feed._processes[0].pid, signal.SIGKILL)
        with pytest.raises(TrainingError, match=r"data worker 0 ended \(code -9\) at item \d+"):
            list(islice(items, 1000))  # what it was ahead comes first
    finally:
        feed.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_an_item_that_cannot_be_made_says_which(workers):
    feed = Feed(partial(SimpleNamespace, trees=partial(divmod, 1)), 0, 1, [], workers)  # divmod(1, 0)
    try:
        with pytest.raises(TrainingError, match="item 0 of the data failed: ZeroDivisionError"):
            next(iter(feed))
    finally:
        feed.close()
