"""The task that keeps timers awake."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from leveret.core.timers import Timers
from leveret.shell.timers import keep_awake


@pytest.fixture
async def timers(nursery):
    timers = Timers(trio.current_time)
    timers.flushes = []
    nursery.start_soon(keep_awake, timers, lambda: timers.flushes.append(trio.current_time()))
    await wait_all_tasks_blocked()
    yield timers
    nursery.cancel_scope.cancel()


async def test_calls_are_made_at_their_moments(timers, clock):
    called = []
    for seconds in (3, 1, 2):
        timers.call_after(seconds, lambda seconds=seconds: called.append((seconds, trio.current_time())))
    await clock.until(0.9)
    assert called == []
    await clock.until(2)
    assert called == [(1, 1), (2, 2)]
    await clock.until(3)
    assert called == [(1, 1), (2, 2), (3, 3)]


async def test_calls_of_the_same_moment_are_flushed_together(timers, clock):
    called = []
    for name in "abc":
        timers.call_after(1, lambda name=name: called.append(name))
    await clock.until(0.9)
    flushed_before = len(timers.flushes)
    await clock.until(1)
    assert called == ["a", "b", "c"]
    assert len(timers.flushes) == flushed_before + 1


async def test_an_earlier_timer_is_not_slept_over(timers, clock):
    called = []
    timers.call_after(50, lambda: called.append("late"))
    await clock.until(1)
    timers.call_after(1, lambda: called.append("early"))
    await clock.until(2)
    assert called == ["early"]


async def test_a_clock_of_its_own_may_be_set_while_nobody_looks(nursery, clock):
    """The clock of the machine is put forward by an hour: what became due is called within a second. A laptop that was
    suspended does that to it."""
    set_forward = 0
    called = []
    timers = Timers(lambda: trio.current_time() + set_forward)
    nursery.start_soon(keep_awake, timers, lambda: None)
    timers.call_after(3600, lambda: called.append(1))
    await clock.until(1)
    set_forward = 3600
    await clock.until(2)
    assert called == [1]
    nursery.cancel_scope.cancel()
