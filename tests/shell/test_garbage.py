"""When everything is looked at for cycles: once enough has ended, and not before."""

import gc
import weakref
from itertools import count

import pytest
import trio

from leveret.shell.garbage import ENDS_MIN, LOOK_SECONDS, QUICK_LOOK_SECONDS, collect_seldom, collect_what_ended


@pytest.fixture(autouse=True)
def collector():
    """Left as it was."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


class Cyclic:
    def __init__(self):
        self.itself = self


def aged_cycle():
    """A cycle of the oldest generation that nobody has any more."""
    cycle = Cyclic()
    gc.collect()
    return weakref.ref(cycle)


async def test_a_cycle_goes_once_enough_has_ended(nursery, clock):
    ends = 0
    collect_seldom()
    nursery.start_soon(collect_what_ended, lambda: ends)
    await clock.until(LOOK_SECONDS / 2)
    cycle = aged_cycle()
    ends += ENDS_MIN - 1
    await clock.until(LOOK_SECONDS * 1.5)
    assert cycle() is not None
    ends += 1
    await clock.until(LOOK_SECONDS * 2.5)
    assert cycle() is None
    nursery.cancel_scope.cancel()


async def test_the_longer_a_look_takes_the_more_has_to_end_before_the_next(nursery, clock):
    ends = 0
    seconds = count(step=5 * QUICK_LOOK_SECONDS)
    collect_seldom()
    nursery.start_soon(collect_what_ended, lambda: ends, lambda: next(seconds))
    await clock.until(LOOK_SECONDS / 2)
    for more, looks in ((ENDS_MIN, 1), (ENDS_MIN, 0), (4 * ENDS_MIN, 1)):
        before = gc.get_stats()[2]["collections"]
        ends += more
        await clock.until(trio.current_time() + LOOK_SECONDS)
        assert gc.get_stats()[2]["collections"] - before == looks
    nursery.cancel_scope.cancel()


def test_a_backlog_is_not_walked_while_it_grows():
    collect_seldom()
    passes = gc.get_stats()[2]["collections"]
    younger_passes = gc.get_stats()[1]["collections"]
    backlog = [Cyclic() for _ in range(200_000)]
    assert gc.get_stats()[2]["collections"] == passes
    assert gc.get_stats()[1]["collections"] - younger_passes >= len(backlog) // 50_000  # each of them is short
